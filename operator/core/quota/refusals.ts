// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '../object.ts';
import type { Amounts } from './amounts.ts';
import type { Demand } from './grants.ts';
import { parseQuantity } from './quantity.ts';

/** Name of the ResourceQuota that carries a grant, in every namespace of a tenant. */
export const RESOURCE_QUOTA_NAME = 'nexusos';
/** A refusal counts as demand for this long; the controllers of Kubernetes try again within it. */
export const REFUSAL_LIFETIME_MS = 60_000;

// `exceeded quota: nexusos, requested: pods=1,requests.cpu=2, used: ..., limited: ...`, as the admission plugin says it.
const REFUSAL = new RegExp(`exceeded quota: ${RESOURCE_QUOTA_NAME}, requested: ([^ ]{1,2000}), used: `);

/** What the `FailedCreate` Event of a controller of Kubernetes asked for in vain; undefined if quota was not why. */
export function refusedAmounts(event: KubeObject): Amounts | undefined {
  const { message } = event;
  const listed = typeof message === 'string' ? REFUSAL.exec(message)?.[1] : undefined;
  if (listed === undefined) return undefined;
  const amounts = new Map<string, bigint>();
  for (const pair of listed.split(',')) {
    const [key = '', value = ''] = pair.split('=');
    const milli = parseQuantity(value);
    if (milli !== undefined) amounts.set(key, milli);
  }
  return amounts;
}

/** What was refused lately by our quota: the latest refusal of each object that asked, the longest waiting first. */
export function refusedDemands(events: readonly KubeObject[], now: Date): readonly Demand[] {
  const latest = new Map<string, { readonly at: number; readonly demand: Demand }>();
  for (const event of events) {
    const at = toldAt(event);
    const amounts = refusedAmounts(event);
    const namespace = event.metadata.namespace;
    if (amounts === undefined || namespace === undefined) continue;
    if (now.getTime() - at > REFUSAL_LIFETIME_MS) continue;
    const asker = askerOf(event);
    if ((latest.get(asker)?.at ?? 0) < at) latest.set(asker, { at, demand: { namespace, amounts } });
  }
  return [...latest.values()].toSorted((a, b) => a.at - b.at).map(({ demand }) => demand);
}

/** UID of the object that an Event is about. */
export function askerOf(event: KubeObject): string {
  const involved = event['involvedObject'] as { readonly uid?: string } | undefined;
  return involved?.uid ?? '';
}

/** Whether a ResourceQuota, of us or of somebody else, is why something could not be made. */
export function isQuotaRefusal({ message }: KubeObject): boolean {
  return typeof message === 'string' && message.includes('exceeded quota: ');
}

/** When an Event was last told, in milliseconds; 0 when it does not say. */
export function toldAt(event: KubeObject): number {
  const series = event['series'] as { readonly lastObservedTime?: string } | undefined;
  return firstInstant([
    series?.lastObservedTime,
    event['lastTimestamp'],
    event['eventTime'],
    event.metadata.creationTimestamp,
  ]);
}

/** When an Event was first told, in milliseconds; 0 when it does not say. */
export function firstToldAt(event: KubeObject): number {
  return firstInstant([event['firstTimestamp'], event['eventTime'], event.metadata.creationTimestamp]);
}

function firstInstant(candidates: readonly unknown[]): number {
  const told = candidates.find((instant) => typeof instant === 'string');
  return told === undefined ? 0 : Date.parse(told) || 0;
}
