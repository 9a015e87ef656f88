// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { inputsDigest, type PolicyInputs } from '../core/images/inputs.ts';
import { type JudgeOrder, JudgingEnded } from './judge.ts';

/** How often it is tried to judge what ended the process that did, and for how long it is not after that. */
export interface TriesOptions {
  readonly most?: number;
  /** The same of an image of a tenant, within the time of rest: whatever is attached to it, and by whatever policies. */
  readonly mostOfImage?: number;
  readonly restMs?: number;
  /** Images that are remembered, for twice the time of rest; of more, those are forgotten that ended one first. */
  readonly remembered?: number;
  /** Milliseconds that never go back. Default: those of the process. */
  readonly now?: () => number;
}

interface Ended {
  /** Digests of all that was asked by. */
  readonly policies: string;
  readonly times: number;
  readonly atMs: number;
  readonly message: string;
}

/** Ends are remembered for so many times of rest: who ends it again right after one is not tried some times more. */
const REMEMBERED_RESTS = 2;

const DEFAULTS: Required<TriesOptions> = {
  most: 3,
  mostOfImage: 10,
  restMs: 3_600_000,
  remembered: 10_000,
  now: () => performance.now(),
};

/** Of an image, whatever is attached to it. */
interface OfImage {
  /** When it ended one; of many the last. */
  readonly atMs: readonly number[];
  readonly message: string;
}

/**
 * Images that ended the process that judged them. Each time costs others their turn, so after some it is left alone: until something else is attached
 * to it, a policy is another one, or its time of rest is over. A registry that tells now of this document, now of that, has an image tried more often, but
 * not without end.
 */
export class Tries {
  readonly #options: Required<TriesOptions>;
  /** Who ended one last is last. */
  readonly #ended = new Map<string, Ended>();
  /** By whose it is, and its digest. */
  readonly #ofImage = new Map<string, OfImage>();
  readonly #digests = new WeakMap<PolicyInputs, string>();

  constructor(options: TriesOptions = {}) {
    this.#options = { ...DEFAULTS, ...options };
  }

  /** How many images are remembered. */
  get size(): number {
    return this.#ended.size;
  }

  /** Whether it may be tried. `owner`: whose image it is. @throws JudgingEnded with what ended it, where it was tried often enough. */
  check(order: JudgeOrder, owner = ''): void {
    if (this.#ended.size === 0) return;
    const resting = this.#restOfImage(order, owner) ?? this.#restOf(order);
    if (resting !== undefined) throw resting;
  }

  /** It could be judged. */
  passed(order: JudgeOrder): void {
    if (this.#ended.size > 0) this.#ended.delete(keyOf(order));
  }

  /** It could not, once more; what is to be told of it. */
  ended(order: JudgeOrder, { message }: JudgingEnded, owner = ''): JudgingEnded {
    const { restMs, mostOfImage, now } = this.#options;
    const times = (this.#of(order)?.times ?? 0) + 1;
    const ended = { policies: this.#policiesOf(order), times, atMs: now(), message };
    const key = keyOf(order);
    this.#ended.delete(key);
    this.#ended.set(key, ended);
    const image = imageOf(order, owner);
    const before = this.#ofImage.get(image)?.atMs ?? [];
    this.#ofImage.delete(image);
    this.#ofImage.set(image, { atMs: [...before, ended.atMs].slice(-mostOfImage), message });
    this.#forget(ended.atMs - REMEMBERED_RESTS * restMs);
    return this.#restOfImage(order, owner) ?? this.#errorOf(ended, restMs);
  }

  #forget(untilMs: number): void {
    const { remembered } = this.#options;
    for (const [key, { atMs }] of this.#ended) {
      if (this.#ended.size <= remembered && atMs > untilMs) break;
      this.#ended.delete(key);
    }
    for (const [image, { atMs }] of this.#ofImage) {
      if (this.#ofImage.size <= remembered && (atMs.at(-1) ?? 0) > untilMs) break;
      this.#ofImage.delete(image);
    }
  }

  #restOf(order: JudgeOrder): JudgingEnded | undefined {
    const { most, restMs, now } = this.#options;
    const ended = this.#of(order);
    if (ended === undefined || ended.times < most) return undefined;
    const leftMs = ended.atMs + restMs - now();
    return leftMs > 0 ? this.#errorOf(ended, leftMs) : undefined;
  }

  #restOfImage(order: JudgeOrder, owner: string): JudgingEnded | undefined {
    const { mostOfImage, restMs, now } = this.#options;
    const { atMs, message } = this.#ofImage.get(imageOf(order, owner)) ?? { atMs: [], message: '' };
    const [first] = atMs;
    if (first === undefined || atMs.length < mostOfImage) return undefined;
    const leftMs = first + restMs - now();
    if (leftMs <= 0) return undefined;
    const minutes = Math.ceil(restMs / 60_000);
    const often = `${message}; the image has ended ${mostOfImage} processes within ${minutes} minutes, with this and that attached to it`;
    return new JudgingEnded(`${often}; it is tried again when that is over`, { retryAfterMs: leftMs });
  }

  #of(order: JudgeOrder): Ended | undefined {
    const ended = this.#ended.get(keyOf(order));
    // Of most images nothing is remembered, and nothing is hashed for them.
    return ended !== undefined && ended.policies === this.#policiesOf(order) ? ended : undefined;
  }

  /** By what they say: who writes a status, or begins to watch anew, brings other objects that say the same. */
  #policiesOf({ policies }: JudgeOrder): string {
    return policies
      .map((inputs) => this.#digestOf(inputs))
      .toSorted()
      .join();
  }

  #digestOf(inputs: PolicyInputs): string {
    const digest = this.#digests.get(inputs) ?? inputsDigest(inputs);
    this.#digests.set(inputs, digest);
    return digest;
  }

  #errorOf({ times, message }: Ended, leftMs: number): JudgingEnded {
    if (times < this.#options.most) return new JudgingEnded(`${message}; it is tried again`);
    const { most, restMs } = this.#options;
    // The same words each time: what did not change is not written.
    const when = `it is tried again after ${Math.ceil(restMs / 60_000)} minutes, or when something else is attached to it`;
    return new JudgingEnded(`${message}, ${most} times; ${when}`, { retryAfterMs: leftMs });
  }
}

/** No tenant's name has a space in it. */
function imageOf({ digest }: JudgeOrder, owner: string): string {
  return `${owner} ${digest}`;
}

/** Of the image and all that was gathered of it: what is another document has another name, and what is the same is the same. */
function keyOf({ digest, gathered }: JudgeOrder): string {
  const hash = createHash('sha256').update(digest);
  for (const [image, held] of gathered) {
    hash.update(`\n${image}`);
    if ('kind' in held) continue;
    for (const { form, origin, bytes } of held.evidence) hash.update(`\n${form} ${origin} ${bytes.length}`);
  }
  return hash.digest('hex');
}
