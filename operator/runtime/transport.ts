// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, buildConnector, type Dispatcher } from 'undici';
import type { CodeClass, Metrics, RequestVerb } from '../telemetry/metrics.ts';
import { answerTooLarge, ApiError, isAnswerTooLarge, noAnswer, refusal } from './api-error.ts';
import { backoffMs } from './backoff.ts';
import { clock } from './clock.ts';
import type { Credentials, TlsMaterial } from './credentials.ts';
import { exchange, type Sending, type WholeAnswer } from './exchange.ts';
import { Outage } from './outage.ts';
import { type Fence, RequestLimit } from './request-limit.ts';

/** A request to the API server. */
export interface ApiRequest {
  readonly verb: RequestVerb;
  /** Without query, parts already encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  /** For the whole answer; defaults to that of the transport. */
  readonly timeoutMs?: number;
  /** How often it may be sent; 1 means no retry. Defaults to that of the transport. */
  readonly attempts?: number;
  /** Goes on a connection kept for the few requests that must not wait behind others: those of the lease. */
  readonly isUrgent?: boolean;
  /** Asked before every sending, and again while the request waits for its turn and its answer. */
  readonly fence?: Fence | undefined;
}

/** A request whose answer does not end by itself. */
export interface StreamRequest extends ApiRequest {
  /** The stream fails after so long without a byte, in milliseconds. */
  readonly idleMs: number;
  readonly signal: AbortSignal;
}

/** Limits of a transport; all have defaults. */
export interface TransportOptions {
  readonly credentials: Credentials;
  readonly metrics?: Metrics;
  /** Connections for requests; each stream has one of its own beside them. Default 32. */
  readonly connections?: number;
  /** Default 30 s. */
  readonly timeoutMs?: number;
  /** Default 4. */
  readonly attempts?: number;
  /** Largest answer that is read, in bytes. Default 64 MiB. */
  readonly maxResponseBytes?: number;
}

/** An answer and how large it was. */
export interface Measured {
  readonly answer: unknown;
  readonly bytes: number;
}

/** Sends requests; `createTransport` makes one. */
export interface Transport {
  /** Tells when the API server is back after it was away. */
  readonly outage: Outage;
  /**
   * The parsed answer; undefined for an empty one.
   *
   * @throws ApiError after retries where they are safe.
   */
  request(request: ApiRequest): Promise<unknown>;
  /** The same, with the size of the answer. */
  measure(request: ApiRequest): Promise<Measured>;
  /**
   * The answer as it comes, on a connection of its own, without retry.
   *
   * @throws ApiError when refused; while reading, whatever broke the connection.
   */
  stream(request: StreamRequest): Promise<AsyncIterable<Buffer>>;
  /** Ends all connections at once. */
  close(): Promise<void>;
}

const METHODS: Readonly<Record<RequestVerb, Dispatcher.HttpMethod>> = {
  get: 'GET',
  list: 'GET',
  watch: 'GET',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
};
const RETRIES = { baseMs: 100, maxMs: 2000, jitter: 0.5 };
/** Asked to wait longer than this, the caller is told instead: the queue waits better than a connection. */
const MAX_RETRY_AFTER_MS = 5000;
const CONNECT_TIMEOUT_MS = 10_000;
const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;

/**
 * A transport over shared keep-alive connections, HTTP/1.1: one frozen HTTP/2 connection would stop
 * everything.
 */
export function createTransport(options: TransportOptions): Transport {
  return new UndiciTransport(options);
}

class UndiciTransport implements Transport {
  readonly outage = new Outage(performance.now());
  readonly #options: TransportOptions;
  readonly #requests: Agent;
  readonly #urgent: Agent;
  readonly #streams: Agent;

  constructor(options: TransportOptions) {
    this.#options = options;
    const connect = connectorFor(options.credentials);
    const shared = { connect, allowH2: false, pipelining: 1 };
    this.#requests = new Agent({
      ...shared,
      connections: options.connections ?? 32,
      keepAliveTimeout: 60_000,
    });
    this.#urgent = new Agent({ ...shared, connections: 1, keepAliveTimeout: 60_000 });
    this.#streams = new Agent({ ...shared, keepAliveTimeout: 1000 });
  }

  async request(request: ApiRequest): Promise<unknown> {
    return (await this.measure(request)).answer;
  }

  async measure(request: ApiRequest): Promise<Measured> {
    const attempts = request.attempts ?? this.#options.attempts ?? 4;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#attempt(request);
      } catch (error) {
        const delayMs = retryDelayMs(request.verb, error, attempt);
        if (delayMs === undefined || attempt >= attempts) throw error;
        await sleep(delayMs);
      }
    }
  }

  async stream(request: StreamRequest): Promise<AsyncIterable<Buffer>> {
    const { signal, idleMs } = request;
    const timeouts = { headersTimeout: request.timeoutMs ?? 30_000, bodyTimeout: idleMs };
    const answer = await this.#send(request, { signal, ...timeouts }).catch((error: unknown) => {
      throw noAnswer({ method: METHODS[request.verb], path: request.path }, error, signal.aborted);
    });
    if (answer.statusCode < 400) return answer.body;
    const text = (await this.#read(request, answer.body)).toString('utf8');
    throw this.#refusal(request, { status: answer.statusCode, headers: answer.headers, text });
  }

  async close(): Promise<void> {
    await Promise.all([this.#requests.destroy(), this.#urgent.destroy(), this.#streams.destroy()]);
  }

  async #attempt(request: ApiRequest): Promise<Measured> {
    const limit = new RequestLimit(request.timeoutMs ?? this.#options.timeoutMs ?? 30_000, request.fence);
    try {
      const { status, headers, body } = await this.#exchange(request, limit);
      if (status >= 400) throw this.#refusal(request, { status, headers, text: body.toString('utf8') });
      const text = body.toString('utf8');
      return { answer: text === '' ? undefined : (JSON.parse(text) as unknown), bytes: body.length };
    } catch (error) {
      if (limit.refusal !== undefined) throw limit.refusal.error;
      if (error instanceof ApiError) throw error;
      throw noAnswer({ method: METHODS[request.verb], path: request.path }, error, limit.signal.aborted);
    } finally {
      limit.end();
    }
  }

  async #exchange(request: ApiRequest, limit: RequestLimit): Promise<WholeAnswer> {
    const agent = request.isUrgent === true ? this.#urgent : this.#requests;
    const sending = { origin: this.#options.credentials.server, ...(await this.#sending(request)) };
    const maxBytes = this.#options.maxResponseBytes ?? MAX_RESPONSE_BYTES;
    limit.hold();
    const startedAt = performance.now();
    let hasBegun = false;
    try {
      const answer = await exchange(agent, sending, {
        signal: limit.signal,
        maxBytes,
        onStart: (status) => {
          hasBegun = true;
          this.#count(request, codeClass(status), startedAt);
        },
        tooLarge: () => answerTooLarge({ method: METHODS[request.verb], path: request.path }, maxBytes),
      });
      clock.observe(answer.headers['date']);
      return answer;
    } finally {
      if (!hasBegun) this.#count(request, 'none', startedAt);
    }
  }

  async #send(request: ApiRequest, how: SendOptions): Promise<Dispatcher.ResponseData> {
    const sending = await this.#sending(request);
    const startedAt = performance.now();
    let code: CodeClass = 'none';
    try {
      const origin = this.#options.credentials.server;
      const answer = await this.#streams.request({ origin, ...sending, ...how });
      code = codeClass(answer.statusCode);
      clock.observe(answer.headers['date']);
      return answer;
    } finally {
      this.#count(request, code, startedAt);
    }
  }

  /** Notes that an answer has begun, or that none came. */
  #count({ verb }: ApiRequest, code: CodeClass, startedAt: number): void {
    const now = performance.now();
    if (code === '2xx') this.outage.succeeded(now);
    if (code === '5xx' || code === 'none') this.outage.failed();
    this.#options.metrics?.requestsTotal.inc({ verb, code });
    this.#options.metrics?.requestSeconds.observe({ verb }, (now - startedAt) / 1000);
  }

  async #sending(request: ApiRequest): Promise<Omit<Sending, 'origin'>> {
    return {
      path: pathWithQuery(request),
      method: METHODS[request.verb],
      headers: await this.#headers(request),
      body: request.body === undefined ? null : JSON.stringify(request.body),
    };
  }

  async #headers(request: ApiRequest): Promise<Record<string, string>> {
    const authorization = await this.#options.credentials.authorization();
    return {
      accept: request.accept ?? 'application/json',
      'user-agent': 'nexusos',
      ...(request.body !== undefined && { 'content-type': request.contentType ?? 'application/json' }),
      ...(authorization !== undefined && { authorization }),
    };
  }

  #refusal(request: ApiRequest, { status, headers, text }: Refused): ApiError {
    if (status === 401) this.#options.credentials.refresh();
    const retryAfter = headers['retry-after'];
    return refusal({
      method: METHODS[request.verb],
      path: request.path,
      status,
      retryAfter: Array.isArray(retryAfter) ? retryAfter[0] : retryAfter,
      body: text,
    });
  }

  async #read({ verb, path }: ApiRequest, body: AsyncIterable<Buffer>): Promise<Buffer> {
    const limit = this.#options.maxResponseBytes ?? MAX_RESPONSE_BYTES;
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of body) {
      size += chunk.length;
      if (size > limit) throw answerTooLarge({ method: METHODS[verb], path }, limit);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }
}

interface SendOptions {
  readonly signal: AbortSignal;
  readonly headersTimeout: number;
  readonly bodyTimeout: number;
}

interface Refused {
  readonly status: number;
  readonly headers: WholeAnswer['headers'];
  readonly text: string;
}

/**
 * Delay before the same request is sent again, in milliseconds; undefined when it must not be. Creating is
 * only repeated when the API server surely did nothing: told so by 429, or never reached.
 */
export function retryDelayMs(verb: RequestVerb, error: unknown, attempt: number): number | undefined {
  if (!(error instanceof ApiError)) return undefined;
  // A token that was replaced meanwhile: the next try reads it again.
  if (error.status === 401) return attempt === 1 ? 0 : undefined;
  const waitMs = backoffMs(RETRIES, attempt, Math.random());
  if (error.status === 429) {
    const askedMs = error.retryAfterMs ?? 0;
    return askedMs > MAX_RETRY_AFTER_MS ? undefined : Math.max(askedMs, waitMs);
  }
  if (verb === 'create') return isRefusedConnection(error) ? waitMs : undefined;
  return isUnclear(error) ? waitMs : undefined;
}

function isUnclear(error: ApiError): boolean {
  if (isAnswerTooLarge(error)) return false;
  return error.status === 0 || error.status >= 500;
}

function isRefusedConnection(error: ApiError): boolean {
  const { cause } = error;
  return cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED';
}

function codeClass(status: number): CodeClass {
  if (status < 300) return '2xx';
  if (status < 400) return '3xx';
  return status < 500 ? '4xx' : '5xx';
}

function pathWithQuery(request: ApiRequest): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(request.query ?? {})) {
    if (value !== undefined) query.set(name, String(value));
  }
  const text = query.toString();
  return text === '' ? request.path : `${request.path}?${text}`;
}

/** Makes connections with what the credentials say at that moment, so that a new CA needs no restart. */
function connectorFor(credentials: Credentials): buildConnector.connector {
  let material: TlsMaterial | undefined;
  let connector: buildConnector.connector | undefined;
  const current = async (): Promise<buildConnector.connector> => {
    const now = await credentials.tls();
    if (connector === undefined || now !== material) {
      material = now;
      connector = buildConnector({ ...now, allowH2: false, timeout: CONNECT_TIMEOUT_MS });
    }
    return connector;
  };
  return (options, callback) => {
    void connect(current, options, callback);
  };
}

async function connect(
  current: () => Promise<buildConnector.connector>,
  ...[options, callback]: Parameters<buildConnector.connector>
): Promise<void> {
  let connector: buildConnector.connector;
  try {
    connector = await current();
  } catch (error) {
    callback(error instanceof Error ? error : new Error('no credentials', { cause: error }), null);
    return;
  }
  connector(options, callback);
}
