// SPDX-License-Identifier: Apache-2.0
import { MAX_KEYS, MAX_RESERVATIONS } from '#crds/v1alpha1/quota-ledger';
import { RUN_REASONS } from '#crds/v1alpha1/run';
import type { Candidate, Waiting } from './admit.ts';
import type { CreateRate } from './create-rate.ts';
import { countOf } from '../words.ts';

/** That nobody is admitted. */
export const TENANT_SUSPENDED: Waiting = {
  reason: RUN_REASONS.TenantSuspended,
  message: 'the tenant is suspended: nothing new starts until it is resumed',
};
/** That no more reservations fit into the ledger. */
export const LEDGER_FULL: Waiting = {
  reason: RUN_REASONS.ConcurrencyExceeded,
  message:
    'the ledger of the tenant is full: it holds no more concurrent Runs beside so many namespaces and quotas',
};
/** That the ledger can remember no more idempotency keys. */
export const TOO_MANY_KEYS: Waiting = {
  reason: RUN_REASONS.TooManyKeys,
  message: `the tenant has ${MAX_KEYS} idempotency keys that are still remembered: it goes on when the first of them is forgotten (idempotencyKeySeconds)`,
};
/** That the tenant has the quota, and its namespace has not yet. */
export const ELSEWHERE: Waiting = {
  reason: RUN_REASONS.ComputeQuotaExceeded,
  message: 'quota of the tenant is being moved to this namespace',
};

/** That as many Runs as may be are under way. `max`: of the tenant, if it is limited. */
export function noPlace(max = Infinity): Waiting {
  const message =
    max <= MAX_RESERVATIONS
      ? `${countOf(max, 'Run')} of the tenant may be under way at one time, and no place is free (quotas.runs.maxConcurrent)`
      : `all ${MAX_RESERVATIONS} concurrent Runs that any tenant can have are taken`;
  return { reason: RUN_REASONS.ConcurrencyExceeded, message };
}

/** That too few places would stay free for those below a Run, or that such a Run is ahead. */
export function noPlaceBelow(levels: number, free: number): Waiting {
  const why =
    levels === 0
      ? 'a Run of the tenant that is ahead waits for places for those that it may call'
      : `it may call others ${countOf(levels, 'level')} deep, so as many places must be free beside its own`;
  const message = `${why}; free: ${free} (quotas.runs.maxConcurrent)`;
  return { reason: RUN_REASONS.ConcurrencyExceeded, message };
}

/** That as many Runs of an Agent as may be are under way. `levels`: how many below it may be of that Agent; 0 for one that wants to run itself. */
export function agentFull(
  key: string,
  { limit, levels }: { readonly limit: number; readonly levels: number },
): Waiting {
  const agent = key.split('/').at(-1) ?? key;
  const limits = '(limits.maxConcurrentRuns)';
  const message =
    levels === 0
      ? `${countOf(limit, 'Run')} of Agent ${agent} may be under way at one time, and no place is free ${limits}`
      : `it may call Agent ${agent}, so ${countOf(levels, 'place')} of the ${limit} for its Runs must be free ${limits}`;
  return { reason: RUN_REASONS.AgentConcurrencyExceeded, message };
}

/** That too few devices of a class are left of what the tenant may use. `dealtOut`: over how many pods they are, in words. */
export function tooFewDevices(
  gpu: { readonly class: string; readonly count: number },
  { limit, dealtOut }: { readonly limit: number; readonly dealtOut: string },
): Waiting {
  const message = `asks for ${countOf(gpu.count, 'GPU')} of class ${gpu.class}${dealtOut}; the tenant may use ${limit} at one time, and others use them or are ahead`;
  return { reason: RUN_REASONS.GPUQuotaExceeded, message };
}

/** That too little is left of those quotas. */
export function tooLittleCompute(keys: string): Waiting {
  const message = `not enough left of the tenant's quota: ${keys}`;
  return { reason: RUN_REASONS.ComputeQuotaExceeded, message };
}

/** That Runs of the tenant start faster than they may; `goesOn`: until when, an instant. */
export function tooSoon({ perSecond, burst }: CreateRate['limit'], goesOn: string): Waiting {
  const message = `Runs of the tenant may start at ${perSecond} a second, and ${burst} at once (quotas.runs.createPerSecond); it goes on at ${goesOn}`;
  return { reason: RUN_REASONS.RateLimited, message };
}

/** What a tenant has as a quota. */
const OF_QUOTAS: ReadonlySet<string> = new Set([
  RUN_REASONS.ConcurrencyExceeded,
  RUN_REASONS.AgentConcurrencyExceeded,
  RUN_REASONS.GPUQuotaExceeded,
  RUN_REASONS.ComputeQuotaExceeded,
]);

/** Whether others may be ended for lack of it: of what is a quota of the tenant, not of room in the ledger, or in a namespace. */
function isPreemptible(obstacle: Waiting): boolean {
  return OF_QUOTAS.has(obstacle.reason) && obstacle !== LEDGER_FULL && obstacle !== ELSEWHERE;
}

/** That somebody ahead waits for devices of the class. */
export function aheadOf(gpuClass: string): Waiting {
  const message = `a Run of the tenant that is ahead waits for free devices of class ${gpuClass}`;
  return { reason: RUN_REASONS.NoFreeDevices, message };
}

/** Whether others may be ended for `candidate`. Who may call others would have to find room for these as well. */
export function mayTakeOver({ levels }: Candidate, obstacle: Waiting): boolean {
  return levels === undefined && isPreemptible(obstacle);
}
