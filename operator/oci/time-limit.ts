// SPDX-License-Identifier: Apache-2.0

/**
 * How long something may take: a signal for those who do it, which is aborted when the time is over. To be ended when it is done: then nothing is left of
 * it. What `AbortSignal.timeout` makes stays until its time is over, whatever came of it; of ten questions a millisecond that are answered at once,
 * each for fifteen seconds, that is what the collection of garbage then takes its time for.
 */
export class TimeLimit {
  readonly #abort = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #within: AbortSignal | undefined;
  readonly #follow = (): void => this.#abort.abort(this.#within?.reason);

  /** The time, in milliseconds, runs from here. With `within` it is over when that is aborted, too. It keeps no process. */
  constructor(ms: number, within?: AbortSignal) {
    this.#timer = setTimeout(
      () => this.#abort.abort(new DOMException('the time is over', 'TimeoutError')),
      ms,
    );
    this.#timer.unref();
    this.#within = within;
    if (within?.aborted === true) this.#follow();
    else within?.addEventListener('abort', this.#follow, { once: true });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Nothing is aborted any more. */
  end(): void {
    clearTimeout(this.#timer);
    this.#within?.removeEventListener('abort', this.#follow);
  }
}
