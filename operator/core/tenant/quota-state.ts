// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '../object.ts';
import { parseQuantity } from '../quota/quantity.ts';
import { RESOURCE_QUOTA_NAME } from '../quota/refusals.ts';
import { quotaStatus, RUNS_QUEUED, type Usage } from './usage.ts';

/**
 * Whether the API server holds all of `keys` in `namespace`: only from then on is everything that is made there
 * counted. A key that is set and not in `status.hard` yet limits nothing.
 */
export function isInForce(
  namespace: string,
  keys: readonly string[],
  resourceQuotas: readonly KubeObject[],
): boolean {
  if (keys.length === 0) return true;
  const quota = resourceQuotas.find(
    ({ metadata }) => metadata.namespace === namespace && metadata.name === RESOURCE_QUOTA_NAME,
  );
  const { hard = {} } = quota === undefined ? {} : quotaStatus(quota);
  return keys.every((key) => key in hard);
}

/**
 * Keys that a ResourceQuota takes and that Kubernetes does not count: it puts every key into `status.hard`, but only
 * those that something in the cluster answers to into `status.used`. Sorted.
 */
export function uncountedKeys(
  keys: readonly string[],
  resourceQuotas: readonly KubeObject[],
): readonly string[] {
  const isUncounted = (key: string) =>
    resourceQuotas.map(quotaStatus).some(({ hard = {}, used = {} }) => key in hard && !(key in used));
  return keys.filter(isUncounted).toSorted();
}

/** Names of quotas of which more is in use than is allowed. What waits is no use: it takes nothing. */
export function overCommitted(usage: readonly Usage[]): readonly string[] {
  return usage.filter(isExceeded).map(({ name }) => name);
}

function isExceeded({ name, used, limit }: Usage): boolean {
  return name !== RUNS_QUEUED && (parseQuantity(used) ?? 0n) > (parseQuantity(limit) ?? 0n);
}
