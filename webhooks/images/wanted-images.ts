// SPDX-License-Identifier: Apache-2.0
import { TokenBuckets } from '#operator/runtime/token-buckets';

/** An image that somebody wants to use in a namespace, and of which nothing is known, or which is refused. */
export interface WantedImage {
  readonly namespace: string;
  /** With nothing left unsaid. */
  readonly image: string;
  /** When it was refused last; told no more often than may be. */
  readonly refusedAt?: string;
}

/** How many are told at most, in all and of one namespace: whoever asks for thousands holds up themselves. */
export const WANTED_LIMITS = { all: 256, ofNamespace: 32 } as const;

/** New ones of a namespace: what is told is written, and tags can be made up faster than that. Who has none left is told with a later try. */
const FRESH_LIMITS = { burst: WANTED_LIMITS.ofNamespace, perSecond: 1, maxBuckets: 4096 } as const;

/** What nobody has asked for again for so long is not wanted any more. */
const FORGET_MS = 600_000;

/** Who tries again and again is told of so often: nothing is looked at more often for that. */
const REFUSED_MS = 15_000;

/** When an image was asked for last, and when it is told that it was refused. */
interface Asked {
  readonly atMs: number;
  readonly refusedMs?: number | undefined;
}

interface Noting {
  readonly nowMs: number;
  readonly isRefused: boolean;
}

/** What was asked for and is not known, or was refused, for the operator to look at. Told after the answer, and never by who answers. */
export class WantedImages {
  /** By namespace, the images; what was not asked for longest is first. */
  readonly #byNamespace = new Map<string, Map<string, Asked>>();
  readonly #fresh = new TokenBuckets(FRESH_LIMITS);
  readonly #onChange: () => void;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Notes what was asked for, and is not known. */
  add(namespace: string, images: readonly string[], nowMs: number): void {
    this.#note(namespace, images, { nowMs, isRefused: false });
  }

  /** Notes what was refused by what is known of it. */
  addRefused(namespace: string, images: readonly string[], nowMs: number): void {
    this.#note(namespace, images, { nowMs, isRefused: true });
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
      .flatMap(([namespace, wanted]) => [...wanted].map(([image, asked]) => told(namespace, image, asked)))
      .toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
  }

  #note(namespace: string, images: readonly string[], how: Noting): void {
    const wanted = this.#byNamespace.get(namespace) ?? new Map<string, Asked>();
    let isChanged = false;
    for (const image of images) {
      const before = wanted.get(image);
      const asked = askedAgain(before, how);
      const isNews = before === undefined || before.refusedMs !== asked.refusedMs;
      if (isNews && !this.#fresh.take(namespace, how.nowMs)) continue;
      // The last one that was asked for is the last one in the list.
      wanted.delete(image);
      wanted.set(image, asked);
      isChanged ||= isNews;
    }
    if (wanted.size > 0) this.#byNamespace.set(namespace, wanted);
    this.#forget(how.nowMs);
    if (isChanged) this.#onChange();
  }

  #forget(nowMs: number): void {
    for (const [namespace, wanted] of this.#byNamespace) {
      for (const [image, { atMs }] of wanted) if (atMs + FORGET_MS <= nowMs) wanted.delete(image);
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
function shorten(wanted: Map<string, Asked>, most: number): void {
  for (const image of wanted.keys()) {
    if (wanted.size <= most) return;
    wanted.delete(image);
  }
}

function keyOf({ namespace, image }: WantedImage): string {
  return `${namespace} ${image}`;
}

function askedAgain(before: Asked | undefined, { nowMs, isRefused }: Noting): Asked {
  const toldMs = before?.refusedMs;
  const isNews = isRefused && (toldMs === undefined || nowMs - toldMs >= REFUSED_MS);
  return { atMs: nowMs, refusedMs: isNews ? nowMs : toldMs };
}

function told(namespace: string, image: string, { refusedMs }: Asked): WantedImage {
  return {
    namespace,
    image,
    ...(refusedMs !== undefined && { refusedAt: new Date(refusedMs).toISOString() }),
  };
}
