// SPDX-License-Identifier: Apache-2.0
import { AGENT_REASONS, type AgentStatus } from '#crds/v1alpha1/agent';
import { setStanding, type Standing, toInstant } from '../conditions.ts';
import { DONE, type Plan, statusOnly } from '../plan.ts';
import type { Agent } from './agent.ts';
import { type AgentSurroundings, checkAgent } from './checks.ts';

/** Runs of an Agent that are not finished. */
export interface RunCounts {
  readonly queued: number;
  readonly active: number;
}

/** What was seen of an Agent and of what it depends on. */
export interface AgentObserved extends AgentSurroundings {
  readonly runs: RunCounts;
}

/** Counts are written at most this often. */
const COUNT_INTERVAL_MS = 5000;

/** Decides whether Runs of the Agent can be admitted, and counts them. Makes nothing. */
export function planAgent(agent: Agent, observed: AgentObserved, now: Date): Plan<AgentStatus> {
  const generation = agent.metadata.generation ?? 0;
  const refusal = checkAgent(agent, observed);
  const standing: Standing =
    refusal === undefined
      ? { kind: 'ready', reason: AGENT_REASONS.Accepted, message: 'Runs of the agent can be admitted' }
      : { kind: 'stalled', ...refusal };
  const { runs, result } = countRuns(agent, observed.runs, now);
  const conditions = [...setStanding(agent.status?.conditions ?? [], standing, { generation, now })];
  return statusOnly({ observedGeneration: generation, runs, conditions }, result);
}

function countRuns(agent: Agent, { queued, active }: RunCounts, now: Date) {
  const written = agent.status?.runs;
  const counted = { queued, active, countedAt: toInstant(now) };
  if (written === undefined) return { runs: counted, result: DONE };
  if (written.queued === queued && written.active === active) return { runs: written, result: DONE };
  const waitMs = Date.parse(written.countedAt) + COUNT_INTERVAL_MS - now.getTime();
  if (!(waitMs > 0)) return { runs: counted, result: DONE };
  const result = { kind: 'requeueAfter', afterMs: waitMs, why: 'to write the counts' } as const;
  return { runs: written, result };
}
