// SPDX-License-Identifier: Apache-2.0
import { type Agent, agentKey } from '../agent/agent.ts';
import { type Amounts, NO_AMOUNTS, larger } from '../quota/amounts.ts';
import type { Candidate } from '../quota/admit.ts';
import { demandOf, type RunContext } from '../quota/candidates.ts';
import { withConfigMap } from '../quota/demand.ts';

/**
 * What the Runs below one need at most, one on each level, each while those above it are under way. GPUs are not among it: who holds
 * some has nobody below that wants any.
 */
export interface Below {
  readonly levels: number;
  /** Runs of an Agent at one time, by `agentKey`. */
  readonly agents: ReadonlyMap<string, number>;
  readonly compute: Amounts;
}

const NOTHING: Below = { levels: 0, agents: new Map(), compute: NO_AMOUNTS };

/** By pass: those of one Agent need the same. */
const known = new WeakMap<RunContext, Map<string, Below>>();

/**
 * What a chain of so many levels below a Run of `agent` needs: of each thing the most that any chain does, by the Agents as they are.
 *
 * Example: `lead` may call `coder` (1 core), which may call `tester` (2 cores): two levels below `lead` need 2 places and 3 cores.
 */
export function needsBelow(agent: Agent, levels: number, context: RunContext): Below {
  const { namespace = '', name } = agent.metadata;
  const { calls } = agent.spec;
  if (levels <= 0 || calls === undefined) return NOTHING;
  const byKey = known.get(context) ?? new Map<string, Below>();
  known.set(context, byKey);
  const key = `${agentKey(namespace, name)}/${levels}`;
  const found = byKey.get(key);
  if (found !== undefined) return found;
  const chains = calls.agents.flatMap((one) => {
    const called = context.agents.get(agentKey(namespace, one));
    return called === undefined ? [] : [withItself(called, levels, context)];
  });
  const needs = { ...chains.reduce(most, NOTHING), levels };
  byKey.set(key, needs);
  return needs;
}

/** A chain that begins with a Run of `agent`. */
function withItself(agent: Agent, levels: number, context: RunContext): Below {
  const { namespace = '', name } = agent.metadata;
  const further = Math.min(levels - 1, agent.spec.calls?.maxDepth ?? 0);
  const { agents, compute } = needsBelow(agent, further, context);
  const key = agentKey(namespace, name);
  const { gpu: _, ...spec } = agent.spec;
  const own = withConfigMap(demandOf(undefined, { ...agent, spec }, context));
  return {
    levels,
    agents: new Map([...agents, [key, (agents.get(key) ?? 0) + 1]]),
    compute: new Map([
      ...compute,
      ...[...own].map(([of, milli]) => [of, milli + (compute.get(of) ?? 0n)] as const),
    ]),
  };
}

/** Runs of an Agent that a Run is of, or may call. */
export interface AgentWanted {
  readonly key: string;
  /** Of these, itself included, so many at one time. */
  readonly wanted: number;
  /** Of these, so many below it; 0 for its own Agent. */
  readonly levels: number;
}

/** Runs at one time that a Run, and a chain of those below it, come to: by Agent, its own first. */
export function agentsWanted({ namespace, agent, below }: Candidate): readonly AgentWanted[] {
  const own = agentKey(namespace, agent);
  const ownBelow = below?.agents.get(own) ?? 0;
  const others = [...(below?.agents ?? [])].filter(([key]) => key !== own);
  return [
    { key: own, wanted: ownBelow + 1, levels: ownBelow },
    ...others.map(([key, levels]) => ({ key, wanted: levels, levels })),
  ];
}

function most(a: Below, b: Below): Below {
  const agents = new Map(a.agents);
  for (const [key, count] of b.agents) agents.set(key, Math.max(count, agents.get(key) ?? 0));
  const compute = new Map(a.compute);
  for (const [key, milli] of b.compute) compute.set(key, larger(milli, compute.get(key) ?? 0n));
  return { levels: Math.max(a.levels, b.levels), agents, compute };
}
