// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '../object.ts';
import type { Amounts } from './amounts.ts';
import type { Demand } from './grants.ts';
import { parseQuantity } from './quantity.ts';

/** Name of the ResourceQuota that carries a grant, in every namespace of a tenant. */
export const RESOURCE_QUOTA_NAME = 'nexusos';
/** A refusal is fresh for this long: whoever began to ask lately tries again within it. */
const FRESH_MS = 60_000;
/** The longest wait of a ReplicaSet or its like between two tries, and some more for the Event to come. */
const LONGEST_GAP_MS = 1000_000 + FRESH_MS;

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

interface Refusal {
  /** Milliseconds; since when the asker asks in vain, and when it was refused last. */
  readonly firstAt: number;
  readonly at: number;
  readonly demand: Demand;
}

/**
 * What was refused by our quota to those who may still try: the latest refusal of each object that asked, the longest waiting
 * first, but those that have been silent for a while after the others, since they may have got what they asked for.
 */
export function refusedDemands(events: readonly KubeObject[], now: Date): readonly Demand[] {
  const byAsker = new Map<string, Refusal>();
  for (const event of events) {
    const refusal = refusalIn(event);
    if (refusal === undefined) continue;
    const known = byAsker.get(askerOf(event));
    byAsker.set(askerOf(event), known === undefined ? refusal : joined(known, refusal));
  }
  const isFresh = ({ at }: Refusal) => now.getTime() - at <= FRESH_MS;
  return [...byAsker.values()]
    .filter((refusal) => now.getTime() - refusal.at <= lifetimeMs(refusal))
    .toSorted((a, b) => Number(isFresh(b)) - Number(isFresh(a)) || a.at - b.at)
    .map(({ demand }) => demand);
}

function refusalIn(event: KubeObject): Refusal | undefined {
  const amounts = refusedAmounts(event);
  const { namespace } = event.metadata;
  if (amounts === undefined || namespace === undefined) return undefined;
  const at = toldAt(event);
  return { firstAt: firstToldAt(event) || at, at, demand: { namespace, amounts } };
}

function joined(a: Refusal, b: Refusal): Refusal {
  const firstAt = Math.min(a.firstAt, b.firstAt);
  return a.at < b.at ? { ...b, firstAt } : { ...a, firstAt };
}

/**
 * How long after its last refusal an asker may still try. The controllers of Kubernetes double the time between two tries, so
 * the next gap is about as long as all that went before; twice that leaves room for an Event that was not told, since
 * a busy controller's are limited. Example: refused from 12:00:00 to 12:01:22, it tries again at about 12:02:44.
 */
function lifetimeMs({ firstAt, at }: Refusal): number {
  return Math.min(Math.max(FRESH_MS, 2 * (at - firstAt)), LONGEST_GAP_MS);
}

/** UID of the object that an Event is about. */
export function askerOf(event: KubeObject): string {
  const involved = event['involvedObject'] as { readonly uid?: string } | undefined;
  return involved?.uid ?? '';
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
