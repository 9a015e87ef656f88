// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS } from '#crds/v1alpha1/run';
import { agentKey } from '../agent/agent.ts';
import type { Candidate, Waiting } from '../quota/admit.ts';
import { lacking, parseAmounts, sumOf } from '../quota/amounts.ts';
import type { RunContext } from '../quota/candidates.ts';
import type { Ledger } from '../tenant/tenant.ts';
import { countOf } from '../words.ts';

/** What a Run needs, with those below it, that the tenant does not have at all; undefined where that is enough. */
export function neverFits(
  candidate: Candidate,
  { ledger, context }: { readonly ledger: Ledger; readonly context: RunContext },
): Waiting | undefined {
  return (
    tooFewPlaces(candidate, ledger) ??
    tooFewOfAgent(candidate, context) ??
    tooLittleCompute(candidate, ledger)
  );
}

function tooFewPlaces({ levels = 0 }: Candidate, { spec }: Ledger): Waiting | undefined {
  const { maxConcurrentRuns = Infinity } = spec;
  if (maxConcurrentRuns > levels) return undefined;
  const message = `it may call others ${countOf(levels, 'level')} deep, which takes ${levels + 1} places at one time; the tenant has ${maxConcurrentRuns} (quotas.runs.maxConcurrent): raise that, or lower spec.calls.maxDepth of the Agent`;
  return { reason: RUN_REASONS.ConcurrencyExceeded, message };
}

function tooFewOfAgent({ namespace, agent, below }: Candidate, { agents }: RunContext): Waiting | undefined {
  for (const [key, count] of below?.agents ?? []) {
    const limit = agents.get(key)?.spec.limits.maxConcurrentRuns ?? Infinity;
    const wanted = count + (key === agentKey(namespace, agent) ? 1 : 0);
    if (wanted <= limit) continue;
    const name = agents.get(key)?.metadata.name ?? key;
    const message = `it and those that it may call are up to ${countOf(wanted, 'Run')} of Agent ${name} at one time, of which there may be ${limit} (its limits.maxConcurrentRuns)`;
    return { reason: RUN_REASONS.AgentConcurrencyExceeded, message };
  }
  return undefined;
}

function tooLittleCompute({ demand, below }: Candidate, { spec }: Ledger): Waiting | undefined {
  if (below === undefined) return undefined;
  const missing = lacking(sumOf([demand, below.compute]), parseAmounts(spec.hard));
  if (missing.length === 0) return undefined;
  const message = `it and those that it may call, one on each level, take more than the whole quota of the tenant: ${missing.toSorted().join(', ')}`;
  return { reason: RUN_REASONS.ComputeQuotaExceeded, message };
}
