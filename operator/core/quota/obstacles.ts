// SPDX-License-Identifier: Apache-2.0
import { MAX_KEYS } from '#crds/v1alpha1/quota-ledger';
import { RUN_REASONS } from '#crds/v1alpha1/run';
import type { Waiting } from './admit.ts';

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

/** What a tenant has as a quota. */
const OF_QUOTAS: ReadonlySet<string> = new Set([
  RUN_REASONS.ConcurrencyExceeded,
  RUN_REASONS.AgentConcurrencyExceeded,
  RUN_REASONS.GPUQuotaExceeded,
  RUN_REASONS.ComputeQuotaExceeded,
]);

/** Whether others may be ended for lack of it: of what is a quota of the tenant, not of room in the ledger, or in a namespace. */
export function isPreemptible(obstacle: Waiting): boolean {
  return OF_QUOTAS.has(obstacle.reason) && obstacle !== LEDGER_FULL && obstacle !== ELSEWHERE;
}

/** That somebody ahead waits for devices of the class. */
export function aheadOf(gpuClass: string): Waiting {
  const message = `a Run of the tenant that is ahead waits for free devices of class ${gpuClass}`;
  return { reason: RUN_REASONS.NoFreeDevices, message };
}
