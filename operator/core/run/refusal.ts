// SPDX-License-Identifier: Apache-2.0
import { truncate } from '../conditions.ts';
import type { KubeObject } from '../object.ts';
import { firstToldAt, isQuotaRefusal, toldAt } from '../quota/refusals.ts';

/** Why Kubernetes does not make the pod of a Job. */
export interface Refusal {
  /** In the words of the API server, as it was told last. */
  readonly message: string;
  /** The first one of those that no quota was the cause of, in milliseconds; undefined when quota is all there is. */
  readonly sinceMs: number | undefined;
}

const MAX_LENGTH = 1024;

/**
 * What the `FailedCreate` Events of a Job say, those before its newest pod left out: the Job was made after all then.
 * Quota frees itself, or is moved to where it is wanted; anything else is refused again and again.
 */
export function refusalOf(events: readonly KubeObject[], pods: readonly KubeObject[]): Refusal | undefined {
  const madeMs = Math.max(0, ...pods.map((pod) => Date.parse(pod.metadata.creationTimestamp ?? '') || 0));
  const told = events
    .filter((event) => toldAt(event) > madeMs)
    .toSorted((a, b) => toldAt(b) - toldAt(a) || versionOf(b) - versionOf(a));
  const message = told[0]?.['message'];
  if (typeof message !== 'string') return undefined;
  const lasting = told.filter((event) => !isQuotaRefusal(event)).map((event) => firstToldAt(event));
  const sinceMs = lasting.length === 0 ? undefined : Math.max(madeMs, Math.min(...lasting));
  return { message: truncate(message, MAX_LENGTH), sinceMs };
}

function versionOf({ metadata }: KubeObject): number {
  return Number(metadata.resourceVersion ?? 0);
}
