// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { RemoteAttempt } from '#crds/v1alpha1/remote-attempt';
import type { Answer } from '../core/answer.ts';
import { type Failure, failure } from '../core/failure.ts';
import type { Call, Generation } from '../core/generation.ts';
import { parseJson, type Parsed } from '../core/json.ts';
import { failureOf, toldAddress } from '../core/refusal.ts';
import { mayRepeat, type Purpose, waitMs } from '../core/repeat.ts';
import { readRpc, type RpcAnswer, rpcText } from '../core/rpc.ts';
import type { Log } from '../log.ts';
import { type ConnectOptions, exchange } from './exchange.ts';

/** What requests are made with. */
export interface PeerOptions {
  readonly attempt: RemoteAttempt;
  readonly connect: Pick<ConnectOptions, 'ca' | 'serverName'>;
  /** The header that shows who asks, as it is now. @throws Failure when there is none to show. */
  readonly show: () => Promise<Readonly<Record<string, string>>>;
  /** When all of it must have ended, in milliseconds of the clock. */
  readonly endMs: number;
  /** Takes credentials out of what is told. */
  readonly hide: (text: string) => string;
  readonly log: Log;
}

/** A call, and what of it may be repeated until when. */
export interface Calling {
  readonly url: string;
  readonly generation: Generation;
  readonly call: Call;
  readonly purpose: Purpose;
  /** Ends the request. */
  readonly signal: AbortSignal;
  /** Ends all waiting for another one. */
  readonly patience: AbortSignal;
}

/** An answer that is not an error of HTTP, or why there is none. */
export type Called = RpcAnswer | { readonly kind: 'failed'; readonly failure: Failure };

type Request = Pick<Calling, 'url' | 'purpose' | 'signal' | 'patience'> & {
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
};

/** An endpoint that is spoken to: requests are bounded, shown who asks, and repeated where that does no harm. */
export class Peer {
  readonly #options: PeerOptions;

  constructor(options: PeerOptions) {
    this.#options = options;
  }

  /** What is at an address, as JSON. */
  async read(url: string, signal: AbortSignal): Promise<Parsed | Failure> {
    const headers = { accept: 'application/json' };
    const answer = await this.#persist({
      url,
      method: 'GET',
      purpose: 'read',
      headers,
      signal,
      patience: signal,
    });
    if (answer.kind !== 'answered' || answer.status !== 200)
      return failureOf(answer, this.#placeOf({ url, purpose: 'read' }));
    return parseJson(answer.body);
  }

  /** Calls a method. */
  async call({ generation, call, ...where }: Calling): Promise<Called> {
    const id = randomUUID();
    const types = { accept: 'application/json', 'content-type': 'application/json' };
    const headers = { ...types, ...generation.headers };
    const body = rpcText(id, call);
    const answer = await this.#persist({ ...where, method: 'POST', headers, body });
    if (answer.kind === 'answered') {
      const said = readRpc(answer.body, id);
      if (answer.status === 200 || (answer.status < 500 && said.kind === 'error')) return said;
    }
    return { kind: 'failed', failure: failureOf(answer, this.#placeOf(where)) };
  }

  #placeOf({ url, purpose }: Pick<Request, 'url' | 'purpose'>) {
    return { where: toldAddress(url, this.#options.hide), purpose };
  }

  /** Asks until there is an answer that is final. */
  async #persist(request: Request): Promise<Answer> {
    const { retries } = this.#options.attempt;
    for (let failed = 1; ; failed += 1) {
      const answer = await this.#ask(request);
      if (failed > retries.limit || !mayRepeat(answer, request.purpose, retries)) return answer;
      const nowMs = Date.now();
      const waiting = waitMs({ failed, policy: retries, answer, random: Math.random(), nowMs });
      this.#options.log('asks again', { ...told(answer), afterMs: Math.round(waiting) });
      const isLate = nowMs + waiting >= this.#options.endMs;
      if (isLate || !(await waited(waiting, request.patience))) return answer;
    }
  }

  /** Credentials are looked at anew each time: they may have been replaced. */
  async #ask(request: Request): Promise<Answer> {
    const { url, method, headers, body } = request;
    const { connectSeconds, requestSeconds } = this.#options.attempt.timeouts;
    const shown = await this.#options.show();
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(requestSeconds * 1000)]);
    const sent = { url, method, headers: { 'user-agent': 'nexusos', ...headers, ...shown }, signal };
    const connect = { ...this.#options.connect, connectTimeoutMs: connectSeconds * 1000 };
    return exchange({ ...sent, ...(body !== undefined && { body }) }, connect);
  }
}

/** Waits, and returns whether that was not cut short. */
export async function waited(ms: number, signal: AbortSignal): Promise<boolean> {
  return delay(ms, true, { signal }).catch(() => false);
}

/** What a log may hold of an answer. */
function told(answer: Answer): object {
  return answer.kind === 'answered' ? { status: answer.status } : { problem: answer.kind, why: answer.why };
}

/** A failure as an exception, where nothing else can be returned. */
export class FailedError extends Error {
  readonly failure: Failure;

  constructor(kind: Parameters<typeof failure>[0], message: string) {
    super(message);
    this.failure = failure(kind, message);
  }
}
