// SPDX-License-Identifier: Apache-2.0
import type { Question } from '../instance.ts';

/** A question about a module that the worker knows. */
export interface Letter {
  readonly id: number;
  readonly key: string;
  readonly deadlineMs: number;
  readonly question: Question;
}

/** What a question may have, its names included. What is larger, or is the first about its module, goes as a message. */
const MOST_BYTES = 128 * 1024;
const HEADER_BYTES = 64;

/** Words of the header, by their place. */
const RUNG = 0;
const PLACE = 1;
const FULL = 2;
const KEY_BYTES = 3;
const ENTRYPOINT_BYTES = 4;
const INPUT_BYTES = 5;
/** The rest of it: numbers of eight bytes, by theirs. */
const ID = 4;
const DEADLINE = 5;
const NOW = 6;

const IN_LOOP = 0;
const AT_THE_DOOR = 1;

/**
 * Where one thread leaves questions for another, one at a time, in memory that both have: nothing is made, copied or given away for each, as with
 * messages, and no event loop is gone through. Whoever leaves the next has had the answer to the one before.
 */
export class Mailbox {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #times: BigInt64Array;
  readonly #bytes: Buffer;
  /** Of the one who waits: how often it had been rung when it looked last. */
  #heard = 0;

  /** Without `memory`, a new one; else the one that another thread has made. */
  constructor(memory = new SharedArrayBuffer(HEADER_BYTES + MOST_BYTES)) {
    this.memory = memory;
    this.#words = new Int32Array(memory, 0, HEADER_BYTES / Int32Array.BYTES_PER_ELEMENT);
    this.#numbers = new Float64Array(memory, 0, HEADER_BYTES / Float64Array.BYTES_PER_ELEMENT);
    this.#times = new BigInt64Array(memory, 0, HEADER_BYTES / BigInt64Array.BYTES_PER_ELEMENT);
    this.#bytes = Buffer.from(memory, HEADER_BYTES);
  }

  /** Leaves a question; false where it is too large. It is not heard of before `ring`. */
  put({ id, key, deadlineMs, question: { entrypoint, nowNs, input } }: Letter): boolean {
    // No character of UTF-16 has more than three bytes.
    if (3 * (key.length + entrypoint.length) + input.length > MOST_BYTES) return false;
    const keyBytes = this.#bytes.write(key);
    const entrypointBytes = this.#bytes.write(entrypoint, keyBytes);
    this.#bytes.set(input, keyBytes + entrypointBytes);
    this.#numbers[ID] = id;
    this.#words[KEY_BYTES] = keyBytes;
    this.#words[ENTRYPOINT_BYTES] = entrypointBytes;
    this.#words[INPUT_BYTES] = input.length;
    this.#numbers[DEADLINE] = deadlineMs;
    this.#times[NOW] = nowNs;
    Atomics.store(this.#words, FULL, 1);
    return true;
  }

  /** There is something, here or among the messages. False where the other one waits in its event loop, and has to be sent a message to hear of it. */
  ring(): boolean {
    Atomics.add(this.#words, RUNG, 1);
    Atomics.notify(this.#words, RUNG);
    return Atomics.load(this.#words, PLACE) === AT_THE_DOOR;
  }

  /** Takes the question out, if there is one. Its bytes are those of the mailbox: they hold until it is answered. */
  take(): Letter | undefined {
    if (Atomics.exchange(this.#words, FULL, 0) === 0) return undefined;
    const [words, bytes] = [this.#words, this.#bytes];
    const keyEnd = words[KEY_BYTES] ?? 0;
    const entrypointEnd = keyEnd + (words[ENTRYPOINT_BYTES] ?? 0);
    return {
      id: this.#numbers[ID] ?? 0,
      key: bytes.toString('utf8', 0, keyEnd),
      deadlineMs: this.#numbers[DEADLINE] ?? 0,
      question: {
        entrypoint: bytes.toString('utf8', keyEnd, entrypointEnd),
        nowNs: this.#times[NOW] ?? 0n,
        input: bytes.subarray(entrypointEnd, entrypointEnd + (words[INPUT_BYTES] ?? 0)),
      },
    };
  }

  /** Waits outside of the event loop until somebody rings; false where nobody has, for so long. */
  wait(withinMs: number): boolean {
    Atomics.store(this.#words, PLACE, AT_THE_DOOR);
    // Who rings after that is not heard here, but when it goes back.
    if (Atomics.wait(this.#words, RUNG, this.#heard, withinMs) === 'timed-out') return false;
    this.#heard = Atomics.load(this.#words, RUNG);
    return true;
  }

  /** Goes back to its event loop; false where somebody has rung meanwhile, who believes it to be here. */
  leave(): boolean {
    Atomics.store(this.#words, PLACE, IN_LOOP);
    return Atomics.load(this.#words, RUNG) === this.#heard;
  }
}
