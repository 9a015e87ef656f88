// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import type { PolicyInputs } from '../core/images/inputs.ts';
import { type JudgeOrder, JudgingEnded } from './judge.ts';

/** How often it is tried to judge what ended the process that did, and for how long it is not after that. */
export interface TriesOptions {
  readonly most?: number;
  readonly restMs?: number;
  /** Images that are remembered; then those are forgotten that ended one first. */
  readonly remembered?: number;
  /** Milliseconds that never go back. Default: those of the process. */
  readonly now?: () => number;
}

interface Ended {
  readonly policies: readonly PolicyInputs[];
  readonly times: number;
  readonly atMs: number;
  readonly message: string;
}

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
  readonly #ended = new Map<string, Ended>();

  constructor(options: TriesOptions = {}) {
    this.#options = { ...DEFAULTS, ...options };
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
    const { remembered, now } = this.#options;
    const times = (this.#of(order)?.times ?? 0) + 1;
    const ended = { policies: order.policies, times, atMs: now(), message };
    const key = keyOf(order);
    this.#ended.delete(key);
    this.#ended.set(key, ended);
    for (const first of this.#ended.keys()) {
      if (this.#ended.size <= remembered) break;
      this.#ended.delete(first);
    }
    return this.#errorOf(ended, this.#options.restMs);
  }

  #of(order: JudgeOrder): Ended | undefined {
    const ended = this.#ended.get(keyOf(order));
    const isSame =
      ended?.policies.length === order.policies.length &&
      ended.policies.every((one, index) => one === order.policies[index]);
    return isSame ? ended : undefined;
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
