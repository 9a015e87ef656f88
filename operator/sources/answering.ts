// SPDX-License-Identifier: Apache-2.0
import type { Dispatcher } from 'undici';
import { type Algorithm, Body } from './body.ts';

/** The headers of an answer. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** How an answer is taken. */
export interface Taking {
  /** Ends it at once, also while it waits for a connection. */
  readonly signal: AbortSignal;
  /** The most of it that is taken. */
  readonly maxBytes: number;
  /** How many bytes it should have, where that is known. */
  readonly expected?: number | undefined;
  /** By what it is to be hashed while it comes. */
  readonly algorithm?: Algorithm | undefined;
  /** Nothing comes after its headers, whatever length these tell. */
  readonly isHead: boolean;
  /** Whether nobody reads what comes with such an answer. */
  readonly isUnread: (status: number) => boolean;
}

/** An answer. It has no body where that has more bytes than are taken, or is read by nobody. */
export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly body?: ReturnType<Body['end']>;
}

/** Of what nobody reads, so much is let go by: the connection may be used again then. */
const MAX_DUMPED = 16 * 1024;

/**
 * Sends a request and takes its answer, piece by piece as it comes. Of a registry nearly all answers are small: read as streams, they cost more than all
 * that is done with them, and leave more garbage.
 *
 * @throws what ended it: the reason of the signal, or what went wrong with the connection.
 */
export function answerTo(
  agent: Dispatcher,
  sending: Dispatcher.DispatchOptions,
  taking: Taking,
): Promise<Answered> {
  const { promise, resolve, reject } = Promise.withResolvers<Answered>();
  const answering = new Answering(taking, { resolve, reject });
  if (!answering.isOver) agent.dispatch(sending, answering);
  return promise;
}

interface Outcome {
  readonly resolve: (answer: Answered) => void;
  readonly reject: (error: unknown) => void;
}

/** What undici tells of one request, in this order. */
class Answering implements Dispatcher.DispatchHandler {
  readonly #taking: Taking;
  readonly #outcome: Outcome;
  readonly #onAbort = (): void => this.#fail(this.#taking.signal.reason);
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #headers: Headers = {};
  /** None where nobody reads it. */
  #body: Body | undefined;
  #dumped = 0;
  #isOver = false;

  constructor(taking: Taking, outcome: Outcome) {
    this.#taking = taking;
    this.#outcome = outcome;
    const { signal } = taking;
    if (signal.aborted) this.#onAbort();
    else signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Whether nothing needs to be sent any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** It has a connection: what was given up while it waited for one is not sent. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isOver) controller.abort(GIVEN_UP);
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: Headers): void {
    // What comes before an answer is none.
    if (status < 200 || this.#isOver) return;
    this.#status = status;
    this.#headers = headers;
    const { maxBytes, expected, algorithm, isHead, isUnread } = this.#taking;
    if (isUnread(status)) return;
    const announced = lengthIn(headers);
    // What is announced as too large is not begun.
    if (!isHead && (announced ?? 0) > maxBytes) return this.#cut();
    this.#body = new Body({ maxBytes, expected: announced ?? expected, algorithm });
  }

  onResponseData(_: Dispatcher.DispatchController, piece: Buffer): void {
    if (this.#isOver) return;
    if (this.#body !== undefined) {
      if (!this.#body.take(piece)) this.#cut();
      return;
    }
    this.#dumped += piece.length;
    if (this.#dumped > MAX_DUMPED) this.#cut();
  }

  onResponseEnd(): void {
    if (this.#isOver) return;
    const body = this.#body?.end();
    this.#resolve(body === undefined ? {} : { body });
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#end();
    this.#outcome.reject(error);
  }

  /** The rest of it is not waited for. */
  #cut(): void {
    this.#resolve({});
    this.#controller?.abort(GIVEN_UP);
  }

  #resolve(body: Pick<Answered, 'body'>): void {
    this.#end();
    this.#outcome.resolve({ status: this.#status, headers: this.#headers, ...body });
  }

  #fail(reason: unknown): void {
    this.#end();
    this.#outcome.reject(reason);
    this.#controller?.abort(GIVEN_UP);
  }

  #end(): void {
    this.#isOver = true;
    this.#taking.signal.removeEventListener('abort', this.#onAbort);
  }
}

/** Told to the connection, and to nobody else. */
const GIVEN_UP = new Error('given up');

function lengthIn({ 'content-length': said }: Headers): number | undefined {
  return typeof said === 'string' && /^\d{1,15}$/.test(said) ? Number(said) : undefined;
}
