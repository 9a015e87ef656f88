// SPDX-License-Identifier: Apache-2.0
import type { Dispatcher } from 'undici';

/** A whole answer. */
export interface WholeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** What is sent: to whom, and how. */
export type Sending = Pick<Dispatcher.DispatchOptions, 'path' | 'method' | 'headers' | 'body'> & {
  readonly origin: string;
};

/** How far an exchange may go. */
export interface ExchangeLimits {
  /** Ends it at once, also while it waits for a connection. */
  readonly signal: AbortSignal;
  /** The largest answer, in bytes. */
  readonly maxBytes: number;
  /** Called as soon as the answer begins. */
  readonly onStart: (status: number) => void;
  /** What is thrown of a larger one. */
  readonly tooLarge: () => Error;
}

/**
 * Sends a request and gathers its answer. Answers of the API server are small and many: read as a stream, each costs more processor time than
 * all that is done with it.
 */
export function exchange(agent: Dispatcher, sending: Sending, limits: ExchangeLimits): Promise<WholeAnswer> {
  // Without Promise.withResolvers: the command line runs on an older Node, which has none.
  return new Promise((resolve, reject) => {
    const gathering = new Gathering(limits, { resolve, reject });
    if (!gathering.isOver) agent.dispatch(sending, gathering);
  });
}

interface Outcome {
  readonly resolve: (answer: WholeAnswer) => void;
  readonly reject: (error: unknown) => void;
}

/** What undici tells of one exchange, in this order. */
class Gathering implements Dispatcher.DispatchHandler {
  readonly #limits: ExchangeLimits;
  readonly #outcome: Outcome;
  readonly #onAbort = (): void => this.#fail(this.#limits.signal.reason);
  readonly #chunks: Buffer[] = [];
  #size = 0;
  #status = 0;
  #headers: WholeAnswer['headers'] = {};
  #controller: Dispatcher.DispatchController | undefined;
  #failure: { readonly error: Error } | undefined;

  constructor(limits: ExchangeLimits, outcome: Outcome) {
    this.#limits = limits;
    this.#outcome = outcome;
    const { signal } = limits;
    if (signal.aborted) this.#onAbort();
    else signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Whether nothing needs to be sent any more. */
  get isOver(): boolean {
    return this.#failure !== undefined;
  }

  /** It has a connection: what was given up while it waited for one is not sent. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#failure !== undefined) controller.abort(this.#failure.error);
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: WholeAnswer['headers']): void {
    // What comes before an answer is none.
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
    this.#limits.onStart(status);
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size > this.#limits.maxBytes) this.#fail(this.#limits.tooLarge());
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.#done();
    const [first] = this.#chunks;
    const body = first !== undefined && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks);
    this.#outcome.resolve({ status: this.#status, headers: this.#headers, body });
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#done();
    this.#outcome.reject(error);
  }

  #fail(reason: unknown): void {
    if (this.#failure !== undefined) return;
    const error = reason instanceof Error ? reason : new Error('given up', { cause: reason });
    this.#failure = { error };
    this.#done();
    this.#outcome.reject(error);
    this.#controller?.abort(error);
  }

  #done(): void {
    this.#limits.signal.removeEventListener('abort', this.#onAbort);
  }
}
