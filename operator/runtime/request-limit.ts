// SPDX-License-Identifier: Apache-2.0

/**
 * The right to send, in milliseconds from now; asked again when they are over. What it throws is thrown on: nothing is sent
 * then, and what still waits for a connection or for its answer is given up.
 */
export type Fence = () => number;

/**
 * How long a request may take: its timeout, and no longer than its fence holds. Without the second part a request could
 * wait for a free connection beyond the moment at which another process may write.
 */
export class RequestLimit {
  readonly #abort = new AbortController();
  readonly #endsAtMs: number;
  readonly #fence: Fence | undefined;
  #timer: NodeJS.Timeout | undefined;
  #refusal: { readonly error: unknown } | undefined;

  /** The time runs from here; the fence is asked by `hold`. */
  constructor(timeoutMs: number, fence?: Fence) {
    this.#endsAtMs = performance.now() + timeoutMs;
    this.#fence = fence;
    this.#arm(timeoutMs);
  }

  /** Aborted when the time is over, or the right. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** What the fence threw, once it has. */
  get refusal(): { readonly error: unknown } | undefined {
    return this.#refusal;
  }

  /** Asks the fence; to be called right before sending. @throws what the fence throws. */
  hold(): void {
    if (this.#fence === undefined) return;
    try {
      this.#arm(this.#fence());
    } catch (error) {
      this.#refusal = { error };
      throw error;
    }
  }

  /** The request has ended: nothing is aborted any more. */
  end(): void {
    clearTimeout(this.#timer);
  }

  #arm(rightMs: number): void {
    clearTimeout(this.#timer);
    const leftMs = Math.min(rightMs, this.#endsAtMs - performance.now());
    this.#timer = setTimeout(() => this.#over(), Math.max(leftMs, 1));
  }

  #over(): void {
    if (performance.now() < this.#endsAtMs && this.#fence !== undefined) {
      try {
        this.hold();
        return;
      } catch {
        // Kept as the refusal.
      }
    }
    this.#abort.abort();
  }
}
