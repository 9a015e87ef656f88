// SPDX-License-Identifier: Apache-2.0
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import type { Log } from '#operator/telemetry/log';
import type { AdmissionMetrics, AdmissionOutcome } from './metrics.ts';
import {
  type Connection,
  Intake,
  INTAKE_LIMITS,
  intakeFor,
  type IntakeLimits,
  type IntakeOfRequest,
} from './intake.ts';
import { answerInTime, timeoutOf } from './deadline.ts';
import type { DecisionContext } from './policy.ts';
import { type AdmissionRequest, type Answer, readReview, refused, uidOf, writeReview } from './review.ts';

/** What a server proves itself with, in PEM. */
export interface ServedPair {
  readonly certificate: string;
  readonly key: string;
}

/** How requests are served. */
export interface WebhookServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly pair: ServedPair;
  /** Certificates that vouch for clients, in PEM; undefined: anybody is served. */
  readonly clientCa?: string | undefined;
  readonly decide: (request: AdmissionRequest, context: DecisionContext) => Promise<Answer>;
  readonly deadlineMs: number;
  readonly maxInFlight: number;
  /** What is taken in before anybody has looked at it; what is not named is as in general. */
  readonly intake?: Partial<IntakeLimits>;
  readonly metrics: AdmissionMetrics;
  readonly log: Log;
}

/** An object of etcd has 1.5 MB at most; two of them, and what JSON makes of them. */
export const MAX_BODY_BYTES = 7 * 1024 * 1024;
/** The API server keeps a connection that is not in use for 90 s: who ends it first must not be us, or a request is on its way. */
const KEEP_ALIVE_MS = 95_000;
/** How often it is looked for what takes longer than it may. */
const LOOK_MS = 500;
const TIMEOUT = /(?:^|&)timeout=([^&]*)/;
const PATHS: ReadonlySet<string> = new Set(['/validate', '/mutate']);

/** HTTPS of the API server's reviews. HTTP/1.1 alone: it takes half of the time, and requests do not share one connection. */
export class WebhookServer {
  readonly #options: WebhookServerOptions;
  readonly #server: Server;
  readonly #intake: Intake;
  /** By address and port of the other end. */
  readonly #connections = new Map<string, Connection>();
  #inFlight = 0;
  #isDraining = false;

  private constructor(options: WebhookServerOptions) {
    this.#options = options;
    const limits = { ...INTAKE_LIMITS, ...intakeFor(options.maxInFlight), ...options.intake };
    this.#intake = new Intake(limits, () => options.metrics.connectionsRefusedTotal.inc({ why: 'cut' }));
    const settings = { ...this.#tls(options.pair), handshakeTimeout: limits.handshakeMs };
    this.#server = createServer(
      { ...settings, connectionsCheckingInterval: LOOK_MS },
      (request, response) => {
        void this.#serve(request, response);
      },
    );
    this.#server.keepAliveTimeout = KEEP_ALIVE_MS;
    this.#server.headersTimeout = limits.headersMs;
    this.#server.requestTimeout = limits.requestMs;
    this.#server.on('connection', (socket: Socket) => this.#receive(socket));
    options.metrics.readLoadFrom(() => ({ inFlight: this.#inFlight, heldBytes: this.#intake.heldBytes }));
    this.#server.maxHeadersCount = 64;
    // A client that breaks off is nothing of ours to tell.
    this.#server.on('tlsClientError', () => options.metrics.handshakesFailedTotal.inc({}));
  }

  /** @throws Error when the address cannot be listened on, or the certificate is none. */
  static async start(options: WebhookServerOptions): Promise<WebhookServer> {
    const server = new WebhookServer(options);
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', reject);
      server.#server.listen(options.port, options.host, () => {
        server.#server.off('error', reject);
        resolve();
      });
    });
    return server;
  }

  /** Where it listens. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : this.#options.port;
  }

  /**
   * Connections from now on see another certificate; those that are open go on.
   *
   * @throws Error when it is none.
   */
  replacePair(pair: ServedPair): void {
    this.#server.setSecureContext(this.#tls(pair));
  }

  /**
   * Has whoever asks again ask elsewhere: each connection ends with its next answer. One that is idle is left alone: a question may be on
   * its way, and the API server does not ask twice.
   */
  drain(): void {
    this.#isDraining = true;
  }

  /** Takes no more connections, lets what is asked be answered for `graceMs`, and ends the rest. */
  async close(graceMs: number): Promise<void> {
    this.drain();
    // What has come while others were busy is read first: a connection that is idle only because nobody has looked yet has a question on it.
    await setImmediate();
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    const killer = setTimeout(() => this.#server.closeAllConnections(), graceMs);
    await closed;
    clearTimeout(killer);
  }

  #tls({ certificate, key }: ServedPair): ServerOptions {
    const { clientCa } = this.#options;
    return {
      cert: certificate,
      key,
      minVersion: 'TLSv1.2',
      ...(clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
    };
  }

  /** Before the handshake, which is what costs. */
  #receive(socket: Socket): void {
    const connection = this.#intake.admit(socket.remoteAddress ?? '', () => socket.destroy());
    if (typeof connection === 'string') {
      this.#options.metrics.connectionsRefusedTotal.inc({ why: connection });
      socket.destroy();
      return;
    }
    const name = nameOf(socket);
    this.#connections.set(name, connection);
    socket.once('close', () => {
      this.#intake.leave(connection);
      if (this.#connections.get(name) === connection) this.#connections.delete(name);
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { metrics, log } = this.#options;
    const startedAt = performance.now();
    if (this.#isDraining) response.setHeader('connection', 'close');
    const connection = this.#connections.get(nameOf(request.socket));
    if (connection === undefined) {
      response.destroy();
      return;
    }
    const intake = this.#intake.begin(connection);
    let outcome: AdmissionOutcome = 'failed';
    try {
      outcome = await this.#take(request, response, { intake, startedAt });
    } catch (error) {
      log.error({ err: error }, 'a request could not be answered');
      response.destroy();
    } finally {
      intake.end();
      metrics.requestsTotal.inc({ outcome });
      metrics.seconds.observe({}, (performance.now() - startedAt) / 1000);
    }
  }

  async #take(
    request: IncomingMessage,
    response: ServerResponse,
    { intake, startedAt }: { readonly intake: IntakeOfRequest; readonly startedAt: number },
  ): Promise<AdmissionOutcome> {
    const { path, timeout } = targetOf(request.url ?? '');
    if (request.method !== 'POST' || !PATHS.has(path)) return sendText(response, 404, 'not found');
    const body = await readBody(request, intake);
    if (body.kind === 'broken') return 'malformed';
    if (body.kind !== 'whole') {
      const refuse = body.kind === 'tooLarge' ? sendTooLarge : sendNoRoom;
      return refuse(response, body.beginning);
    }
    intake.answer();
    // What is only being sent is no work yet: else some slow senders would have all others turned away.
    this.#inFlight += 1;
    const mutating = path === '/mutate';
    const waitMs = timeoutOf(timeout, this.#options.deadlineMs);
    try {
      return await this.#answer(response, body.bytes, { mutating, waitMs, startedAt });
    } finally {
      this.#inFlight -= 1;
    }
  }

  async #answer(
    response: ServerResponse,
    bytes: Buffer,
    { mutating, waitMs, startedAt }: Asked,
  ): Promise<AdmissionOutcome> {
    const { maxInFlight, decide, log } = this.#options;
    // Before the body is parsed, which is what costs.
    if (this.#inFlight > maxInFlight) return sendOverloaded(response, bytes, maxInFlight);
    const read = readReview(bytes);
    if (read.kind === 'malformed') return sendMalformed(response, read);
    const { outcome, answer } = await answerInTime(
      { deadlineAt: startedAt + waitMs, waitMs, log, uid: read.request.uid },
      (signal, deadlineAt) => decide(read.request, { signal, deadlineAt, mutating }),
    );
    sendReview(response, read.request.uid, answer);
    return outcome;
  }
}

interface Asked {
  readonly mutating: boolean;
  readonly waitMs: number;
  readonly startedAt: number;
}

/** Each connection has a port of its own at the other end. */
function nameOf({ remoteAddress = '', remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** `/validate?timeout=3s` -> path `/validate`, timeout `3s`. As the API server writes it: a URL would be read by all the rules for URLs. */
function targetOf(target: string): { readonly path: string; readonly timeout: string | null } {
  const [path = '', query = ''] = target.split('?', 2);
  return { path, timeout: TIMEOUT.exec(query)?.[1] ?? null };
}

type Body =
  | { readonly kind: 'whole'; readonly bytes: Buffer }
  | { readonly kind: 'tooLarge' | 'noRoom'; readonly beginning: Buffer }
  | { readonly kind: 'broken' };

function readBody(request: IncomingMessage, intake: IntakeOfRequest): Promise<Body> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const refuse = (kind: 'tooLarge' | 'noRoom', chunk: Buffer): void => {
      request.off('data', take);
      // Read on and dropped: who is cut off while sending does not read what it is told.
      request.resume();
      intake.letGo();
      resolve({ kind, beginning: chunks[0] ?? chunk });
    };
    const take = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > MAX_BODY_BYTES) return refuse('tooLarge', chunk);
      if (!intake.hold(chunk.length)) return refuse('noRoom', chunk);
      chunks.push(chunk);
    };
    request.on('data', take);
    request.once('end', () => resolve({ kind: 'whole', bytes: Buffer.concat(chunks, bytes) }));
    request.once('close', () => resolve({ kind: 'broken' }));
  });
}

/** Nothing of the answer depends on what else is in the body, which is not there. */
function sendNoRoom(response: ServerResponse, beginning: Buffer): AdmissionOutcome {
  response.setHeader('connection', 'close');
  const message =
    'the admission process is overloaded: it holds as many bytes of requests as it may; try again in a second';
  const uid = uidOf(beginning);
  if (uid === undefined) {
    response.setHeader('retry-after', '1');
    sendText(response, 503, message);
  } else sendReview(response, uid, refused({ code: 'rate_limited', message }));
  return 'overloaded';
}

function sendTooLarge(response: ServerResponse, beginning: Buffer): AdmissionOutcome {
  const uid = uidOf(beginning);
  response.setHeader('connection', 'close');
  const message = `the request is larger than ${MAX_BODY_BYTES} bytes, which is what is judged at most`;
  if (uid === undefined) return sendText(response, 413, message);
  const review = writeReview(uid, refused({ code: 'invalid_request', message })) as {
    readonly response: { readonly status: object };
  };
  const status = { ...review.response.status, code: 413, reason: 'RequestEntityTooLarge' };
  sendJson(response, { ...review, response: { ...review.response, status } });
  return 'malformed';
}

/** Said at once: what waits in a queue would be given up by the API server, and done all the same. */
function sendOverloaded(response: ServerResponse, bytes: Buffer, maxInFlight: number): AdmissionOutcome {
  const uid = uidOf(bytes);
  if (uid === undefined) {
    sendText(response, 503, 'overloaded');
    return 'overloaded';
  }
  const message = `the admission process is overloaded: more than ${maxInFlight} requests at the same time; try again in a second`;
  sendReview(response, uid, refused({ code: 'rate_limited', message }));
  return 'overloaded';
}

function sendMalformed(
  response: ServerResponse,
  { uid, message }: { readonly uid: string | undefined; readonly message: string },
): AdmissionOutcome {
  if (uid === undefined) return sendText(response, 400, message);
  sendReview(response, uid, refused({ code: 'invalid_request', message }));
  return 'malformed';
}

function sendReview(response: ServerResponse, uid: string, answer: Answer): void {
  sendJson(response, writeReview(uid, answer));
}

function sendJson(response: ServerResponse, value: object): void {
  // As a text, it goes out in one piece with what stands before it.
  const body = JSON.stringify(value);
  const length = Buffer.byteLength(body);
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': length });
  response.end(body);
}

function sendText(response: ServerResponse, status: number, text: string): AdmissionOutcome {
  // No review: an API server sends others, and whoever else it is has no use for a connection.
  response.setHeader('connection', 'close');
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${text}\n`);
  return 'malformed';
}
