// SPDX-License-Identifier: Apache-2.0
import { TokenBuckets } from '#operator/runtime/token-buckets';

/** An image that somebody wants to use in a namespace, and of which nothing is known. */
export interface WantedImage {
  readonly namespace: string;
  /** With nothing left unsaid. */
  readonly image: string;
}

/** How many are told at most, in all and of one namespace: whoever asks for thousands holds up themselves. */
export const WANTED_LIMITS = { all: 256, ofNamespace: 32 } as const;

/** New ones of a namespace: what is told is written, and tags can be made up faster than that. Who has none left is told with a later try. */
const FRESH_LIMITS = { burst: WANTED_LIMITS.ofNamespace, perSecond: 1, maxBuckets: 4096 } as const;

/** What nobody has asked for again for so long is not wanted any more. */
const FORGET_MS = 600_000;

/** What was asked for and is not known, for the operator to look at. Told after the answer, and never by who answers. */
export class WantedImages {
  /** By namespace, the images with when they were last asked for; the oldest first. */
  readonly #byNamespace = new Map<string, Map<string, number>>();
  readonly #fresh = new TokenBuckets(FRESH_LIMITS);
  readonly #onChange: () => void;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Notes what was asked for. */
  add(namespace: string, images: readonly string[], nowMs: number): void {
    const wanted = this.#byNamespace.get(namespace) ?? new Map<string, number>();
    let isChanged = false;
    for (const image of images) {
      const isFresh = !wanted.delete(image);
      if (isFresh && !this.#fresh.take(namespace, nowMs)) continue;
      wanted.set(image, nowMs);
      isChanged ||= isFresh;
    }
    if (wanted.size > 0) this.#byNamespace.set(namespace, wanted);
    this.#forget(nowMs);
    if (isChanged) this.#onChange();
  }

  /** Something is known of it now. */
  drop(namespace: string, image: string): void {
    const wanted = this.#byNamespace.get(namespace);
    if (wanted?.delete(image) !== true) return;
    if (wanted.size === 0) this.#byNamespace.delete(namespace);
    this.#onChange();
  }

  /** All that is wanted, always in the same order; what is old is forgotten. */
  list(nowMs: number): readonly WantedImage[] {
    this.#forget(nowMs);
    return [...this.#byNamespace]
      .flatMap(([namespace, wanted]) => [...wanted.keys()].map((image) => ({ namespace, image })))
      .toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
  }

  #forget(nowMs: number): void {
    for (const [namespace, wanted] of this.#byNamespace) {
      for (const [image, at] of wanted) if (at + FORGET_MS <= nowMs) wanted.delete(image);
      shorten(wanted, WANTED_LIMITS.ofNamespace);
      if (wanted.size === 0) this.#byNamespace.delete(namespace);
    }
    let size = [...this.#byNamespace.values()].reduce((sum, one) => sum + one.size, 0);
    for (; size > WANTED_LIMITS.all; size -= 1) {
      const largest = [...this.#byNamespace.values()].toSorted((a, b) => b.size - a.size)[0];
      if (largest === undefined) return;
      shorten(largest, largest.size - 1);
    }
  }
}

/** Drops the oldest. */
function shorten(wanted: Map<string, number>, most: number): void {
  for (const image of wanted.keys()) {
    if (wanted.size <= most) return;
    wanted.delete(image);
  }
}

function keyOf({ namespace, image }: WantedImage): string {
  return `${namespace} ${image}`;
}
