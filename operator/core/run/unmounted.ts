// SPDX-License-Identifier: Apache-2.0
import { truncate } from '../conditions.ts';
import type { KubeObject } from '../object.ts';
import { firstToldAt, toldAt } from '../quota/refusals.ts';

/** A volume that a node could not mount for a pod: nothing but Events of its kubelet tells. */
export interface Unmounted {
  /** In the words of the kubelet, as it was told last. */
  readonly message: string;
  /** When it was told first, in milliseconds. */
  readonly sinceMs: number;
  /** When it was told last, in milliseconds. */
  readonly toldMs: number;
}

/** A kubelet tries again within some two minutes: what it has been silent on for so long has passed. */
const FRESH_MS = 300_000;
const MAX_LENGTH = 1024;

/** What the `FailedMount` Events of a pod say. */
export function unmountedOf(events: readonly KubeObject[]): Unmounted | undefined {
  const [last] = events.toSorted((a, b) => toldAt(b) - toldAt(a));
  const message = last?.['message'];
  if (last === undefined || typeof message !== 'string') return undefined;
  const sinceMs = Math.min(...events.map(firstToldAt));
  return { message: truncate(message, MAX_LENGTH), sinceMs, toldMs: toldAt(last) };
}

/** Whether a volume may still be missing. */
export function isStillUnmounted({ toldMs }: Unmounted, now: Date): boolean {
  return now.getTime() - toldMs < FRESH_MS;
}
