// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { inputsDigest, type PolicyInputs } from '../core/images/inputs.ts';
import { type JudgeOrder, JudgingEnded } from './judge.ts';

/** How often it is tried to judge what ended the process that did, and for how long it is not after that. */
export interface TriesOptions {
  readonly most?: number;
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
  restMs: 3_600_000,
  remembered: 10_000,
  now: () => performance.now(),
};

/**
 * Images that ended the process that judged them. Each time costs others their turn, so after some it is left alone: until something else is attached
 * to it, a policy is another one, or its time of rest is over.
 */
export class Tries {
  readonly #options: Required<TriesOptions>;
  /** Who ended one last is last. */
  readonly #ended = new Map<string, Ended>();
  readonly #digests = new WeakMap<PolicyInputs, string>();

  constructor(options: TriesOptions = {}) {
    this.#options = { ...DEFAULTS, ...options };
  }

  /** How many images are remembered. */
  get size(): number {
    return this.#ended.size;
  }

  /** Whether it may be tried. @throws JudgingEnded with what ended it, where it was tried often enough. */
  check(order: JudgeOrder): void {
    if (this.#ended.size === 0) return;
    const ended = this.#of(order);
    if (ended === undefined || ended.times < this.#options.most) return;
    const leftMs = ended.atMs + this.#options.restMs - this.#options.now();
    if (leftMs > 0) throw this.#errorOf(ended, leftMs);
  }

  /** It could be judged. */
  passed(order: JudgeOrder): void {
    if (this.#ended.size > 0) this.#ended.delete(keyOf(order));
  }

  /** It could not, once more; what is to be told of it. */
  ended(order: JudgeOrder, { message }: JudgingEnded): JudgingEnded {
    const { restMs, now } = this.#options;
    const times = (this.#of(order)?.times ?? 0) + 1;
    const ended = { policies: this.#policiesOf(order), times, atMs: now(), message };
    const key = keyOf(order);
    this.#ended.delete(key);
    this.#ended.set(key, ended);
    this.#forget(ended.atMs - REMEMBERED_RESTS * restMs);
    return this.#errorOf(ended, restMs);
  }

  #forget(untilMs: number): void {
    for (const [key, { atMs }] of this.#ended) {
      if (this.#ended.size <= this.#options.remembered && atMs > untilMs) break;
      this.#ended.delete(key);
    }
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
