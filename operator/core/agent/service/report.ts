// SPDX-License-Identifier: Apache-2.0
import { AGENT_REASONS, type AgentStatus } from '#crds/v1alpha1/agent';
import { AGENT_SERVICE_REASONS } from '#crds/v1alpha1/agent-service';
import { removeCondition, setCondition, setStanding, type Standing, truncate } from '../../conditions.ts';
import type { ReconcileError } from '../../errors.ts';
import { type Plan, type Result, statusOnly } from '../../plan.ts';
import { tellRefusal, TRIED_AGAIN_MS } from '../../refused-write.ts';
import type { Agent } from '../agent.ts';
import type { ServiceDecision } from './plan.ts';
import { AVAILABLE, inOldWords } from './standing.ts';

const {
  Available,
  Progressing,
  Unavailable,
  QuotaExceeded,
  PodsRefused,
  ScaledToZero,
  NameTaken,
  Replacing,
} = AGENT_SERVICE_REASONS;
const MAX_WORDS = 4096;
/** Reasons of Ready that say less than that a write is refused. */
const REPLACED: readonly string[] = [
  Available,
  Progressing,
  Unavailable,
  QuotaExceeded,
  PodsRefused,
  ScaledToZero,
  Replacing,
  // That its pods run on is worse.
  AGENT_REASONS.TenantSuspended,
];

/** Whether what is made for an Agent is a service. */
export function isOfService({ spec }: Agent): boolean {
  return spec.shape === 'service';
}

/** The plan of an Agent with what becomes of its service. */
export function withService(
  plan: Plan<AgentStatus>,
  { agent, service }: { readonly agent: Agent; readonly service: ServiceDecision },
  now: Date,
): Plan<AgentStatus> {
  const { available, apply, create, remove, afterMs } = service;
  const known = plan.status.conditions ?? [];
  const at = { generation: agent.metadata.generation ?? 0, now };
  const before = agent.status?.conditions?.filter(({ type }) => type === AVAILABLE) ?? [];
  const rest = [...removeCondition(known, AVAILABLE), ...before];
  const conditions =
    available === undefined
      ? removeCondition(rest, AVAILABLE)
      : setCondition(rest, { type: AVAILABLE, ...available }, at);
  return {
    ...plan,
    status: { ...plan.status, conditions: [...conditions] },
    // What is made brings the next pass, which has more to say.
    ...(create.length > 0 && { defersStatus: true }),
    apply: [...plan.apply, ...apply],
    create: [...plan.create, ...create],
    remove: [...plan.remove, ...remove],
    result: sooner(plan.result, afterMs),
  };
}

function sooner(result: Result, afterMs: number): Result {
  const isSooner = result.kind === 'requeueAfter' && result.afterMs <= afterMs;
  if (afterMs === Infinity || isSooner) return result;
  return { kind: 'requeueAfter', afterMs, why: 'to look whether the way is free' };
}

/** The API server will not have something that a service is made of. */
export function refuseService(
  agent: Agent,
  { code, message: why }: Pick<ReconcileError, 'code' | 'message'>,
  now: Date,
): Plan<AgentStatus> {
  const generation = agent.metadata.generation ?? 0;
  const before = agent.status?.conditions ?? [];
  const conditions = setStanding(before, inOldWords(agent, refusedAs(code, why)), { generation, now });
  const status = { ...agent.status, observedGeneration: generation, conditions: [...conditions] };
  return statusOnly(status, { kind: 'retry', atMostMs: TRIED_AGAIN_MS, why: 'to make what was refused' });
}

function refusedAs(code: ReconcileError['code'], why: string): Standing {
  if (code === 'conflict') {
    const message = truncate(
      `${why}: it is left alone. Delete or rename it, or give the Agent another name.`,
      MAX_WORDS,
    );
    return { kind: 'stalled', reason: NameTaken, message };
  }
  const message = truncate(`the API server refuses what is needed, and it is tried again: ${why}`, MAX_WORDS);
  return { kind: 'reconciling', reason: AGENT_SERVICE_REASONS.WriteRefused, message };
}

/** Has an Agent of shape service say what keeps it from being changed; of others, nothing is written that could be refused so. */
export function holdUpService(
  agent: Agent,
  obstacle: ReconcileError,
  now: Date,
): Plan<AgentStatus> | undefined {
  return isOfService(agent) ? tellRefusal(agent, { obstacle, replaces: REPLACED }, now) : undefined;
}
