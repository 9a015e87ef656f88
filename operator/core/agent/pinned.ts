// SPDX-License-Identifier: Apache-2.0
import type { Run } from '../run/run.ts';
import { type Agent, agentKey } from './agent.ts';
import { type AgentSurroundings, checkAgent, type Refusal } from './checks.ts';
import { type AgentRevision, isRevisionOf, withTemplate } from './template.ts';

/** An Agent as it was at a revision that is not what it is now. */
export interface PinnedAgent {
  readonly agent: Agent;
  /** What keeps Runs of that revision from ever being admitted, as things stand. */
  readonly refusal: Refusal | undefined;
}

/** The name of the AgentRevision that a Run is bound to; undefined before its first admission, where it does not name one. */
export function pinOf({ spec, status }: Run): string | undefined {
  return status?.revision?.name ?? spec.revision;
}

/** The key of an Agent at a revision: two Agents of a namespace may be named with the same one, which can be that of one of them only. */
export function pinnedKey({ metadata, spec }: Run, revision: string): string {
  return `${agentKey(metadata.namespace ?? '', spec.agentRef.name)}/${revision}`;
}

/** Whether the Agent is what its revision of that name says: then nothing else needs to be read. */
export function isAtRevision({ metadata, status }: Agent, name: string): boolean {
  const active = status?.activeRevision;
  return active?.name === name && active.generation === metadata.generation;
}

/** The Agent as it was at `revision`; undefined when that is of another one. */
export function agentAtRevision(agent: Agent, revision: AgentRevision): Agent | undefined {
  return isRevisionOf(revision, agent) ? withTemplate(agent, revision.spec.template) : undefined;
}

/** The Agent at `revision`, and whether Runs of it can be admitted; undefined when that is of another one. */
export function pinnedAgent(
  agent: Agent,
  revision: AgentRevision,
  surroundingsOf: (then: Agent) => AgentSurroundings,
): PinnedAgent | undefined {
  const then = agentAtRevision(agent, revision);
  return then && { agent: then, refusal: checkAgent(then, surroundingsOf(then)) };
}
