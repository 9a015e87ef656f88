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
  const held = keysInForce(namespace, resourceQuotas);
  return keys.every((key) => held.includes(key));
}

/** Whether the API server still holds a key in `namespace` that is not among `keys`: a quota that was taken out. */
export function isOldInForce(
  namespace: string,
  keys: readonly string[],
  resourceQuotas: readonly KubeObject[],
): boolean {
  return keysInForce(namespace, resourceQuotas).some((key) => !keys.includes(key));
}

function keysInForce(namespace: string, resourceQuotas: readonly KubeObject[]): readonly string[] {
  const quota = resourceQuotas.find(
    ({ metadata }) => metadata.namespace === namespace && metadata.name === RESOURCE_QUOTA_NAME,
  );
  return Object.keys((quota && quotaStatus(quota).hard) ?? {});
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
