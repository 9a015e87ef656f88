// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request as send, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuthority, issue } from '#hack/cluster/certificates';
import type { Credentials } from '../credentials.ts';
import { WatchRelay } from './watch-relay.ts';

/** A request that went through the proxy. */
export interface SeenRequest {
  readonly method: string;
  /** Without query. */
  readonly path: string;
  readonly isWatch: boolean;
  /** A watch that goes on from a version, rather than having everything told first. */
  readonly isResumed: boolean;
  /** Which objects are asked for by their fields; undefined: not by these. */
  readonly fieldSelector: string | undefined;
  /** `metadata.name` of the body, for those that have one. */
  readonly bodyName: string | undefined;
  /** Status of the real API server; 0 while there is none, or when it was never asked. */
  status: number;
}

/** What to do with a request instead of passing it on. */
export type Fault =
  /** Answer this, and do not ask the API server. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    }
  /** Break the connection before the API server is asked. */
  | { readonly kind: 'cutBefore' }
  /** Ask the API server, and break the connection instead of telling its answer. */
  | { readonly kind: 'cutAfter' }
  /** Pass on after so long. */
  | { readonly kind: 'delay'; readonly delayMs: number }
  /** Break the connection in the middle of the answer. */
  | { readonly kind: 'truncate' };

/** A fault for the next `times` requests that match. */
export interface FaultRule {
  readonly matches: (request: SeenRequest) => boolean;
  readonly fault: Fault;
  times: number;
}

/**
 * A TLS proxy in front of an API server that does to a client what networks and busy servers do. Passes
 * everything on until told otherwise.
 */
export class FaultProxy {
  /** For a client that goes through the proxy. */
  readonly credentials: Credentials;
  /** Everything that came, in order. */
  readonly requests: SeenRequest[] = [];
  /** Requests to which something was done instead of passing them on. */
  faultCount = 0;
  /** TLS connections that were made so far. */
  connectionCount = 0;
  /** Open watches, and what is done to them. */
  readonly watches = new WatchRelay();
  readonly #server: Server;
  readonly #upstream: Credentials;
  readonly #agent: Agent;
  readonly #sockets = new Set<Socket>();
  #rules: FaultRule[] = [];

  private constructor(server: Server, upstream: Credentials, how: { ca: string; agent: Agent }) {
    this.#server = server;
    this.#upstream = upstream;
    this.#agent = how.agent;
    const { port } = server.address() as AddressInfo;
    const material = { ca: how.ca };
    this.credentials = {
      server: `https://127.0.0.1:${port}`,
      tls: () => Promise.resolve(material),
      authorization: () => Promise.resolve(undefined),
      refresh: () => undefined,
    };
    server.on('request', (request, response) => void this.#take(request, response));
    server.on('secureConnection', (socket) => {
      this.connectionCount += 1;
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /** A proxy that acts upstream with `upstream`. */
  static async start(upstream: Credentials): Promise<FaultProxy> {
    const now = new Date();
    const authority = createAuthority('fault proxy', now);
    const leaf = issue(authority, { commonName: '127.0.0.1', hosts: ['127.0.0.1'], usages: ['server'] }, now);
    // Idle connections stay, as with the API server: a limit would be told to the client, which then closes them itself.
    const server = createServer({ cert: leaf.certificate, key: leaf.key, keepAliveTimeout: 0 });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const agent = new Agent({
      ...(await upstream.tls()),
      keepAlive: true,
      maxSockets: Number.POSITIVE_INFINITY,
    });
    return new FaultProxy(server, upstream, { ca: authority.pair.certificate, agent });
  }

  /** Has `fault` done to the next `times` requests that match. */
  inject(fault: Fault, matches: FaultRule['matches'], times = 1): FaultRule {
    const rule = { fault, matches, times };
    this.#rules.push(rule);
    return rule;
  }

  /** Passes everything on again. */
  heal(): void {
    this.#rules = [];
    this.watches.heal();
  }

  /** Breaks every connection there is. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.watches.cut();
    this.#server.close();
    this.#server.closeAllConnections();
    for (const socket of this.#sockets) socket.destroy();
    this.#agent.destroy();
    await once(this.#server, 'close').catch(() => undefined);
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => undefined);
    const body = await text(request).catch(() => '');
    const url = new URL(request.url ?? '/', this.#upstream.server);
    const seen = sighting(request.method ?? 'GET', url, body);
    this.requests.push(seen);
    const fault = this.#faultFor(seen);
    if (fault?.kind === 'answer') answerWith(response, fault);
    else if (fault?.kind === 'cutBefore') cut(response);
    else {
      if (fault?.kind === 'delay') await sleep(fault.delayMs, undefined, { ref: false });
      // Nobody waits any more; passed on now, it would leave a connection behind that nobody closes.
      if (response.destroyed) return;
      this.#passOn({ request, response, url, body, seen, fault });
    }
  }

  #passOn(exchange: Exchange): void {
    const { request, response, url, body, seen, fault } = exchange;
    const { host: _, connection: __, ...headers } = request.headers;
    const upstream = send(url, { method: request.method ?? 'GET', headers, agent: this.#agent }, (answer) => {
      seen.status = answer.statusCode ?? 0;
      answer.on('error', () => cut(response));
      if (fault?.kind === 'cutAfter') {
        answer.resume();
        answer.once('end', () => cut(response));
        return;
      }
      response.writeHead(seen.status, answer.headers);
      if (seen.isWatch && seen.status === 200) this.watches.relay(seen.path, answer, response);
      else if (fault?.kind === 'truncate') answer.once('data', (chunk: Buffer) => truncate(response, chunk));
      else answer.pipe(response);
    });
    upstream.on('error', () => cut(response));
    response.once('close', () => upstream.destroy());
    upstream.end(body);
  }

  #faultFor(seen: SeenRequest): Fault | undefined {
    const rule = this.#rules.find((one) => one.times > 0 && one.matches(seen));
    if (rule === undefined) return undefined;
    rule.times -= 1;
    this.faultCount += 1;
    return rule.fault;
  }
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly body: string;
  readonly seen: SeenRequest;
  readonly fault: Fault | undefined;
}

function sighting(method: string, url: URL, body: string): SeenRequest {
  const isWatch = url.searchParams.get('watch') === 'true';
  const isResumed = isWatch && url.searchParams.has('resourceVersion');
  const fieldSelector = url.searchParams.get('fieldSelector') ?? undefined;
  return { method, path: url.pathname, isWatch, isResumed, fieldSelector, bodyName: nameIn(body), status: 0 };
}

function answerWith(response: ServerResponse, fault: Extract<Fault, { kind: 'answer' }>): void {
  response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers });
  response.end(fault.body ?? JSON.stringify({ kind: 'Status', code: fault.status, metadata: {} }));
}

function truncate(response: ServerResponse, chunk: Buffer): void {
  response.write(chunk.subarray(0, Math.floor(chunk.length / 2)), () => cut(response));
}

function cut(response: ServerResponse): void {
  response.socket?.destroy();
}

function nameIn(body: string): string | undefined {
  if (body === '') return undefined;
  const parsed = JSON.parse(body) as { metadata?: { name?: string } };
  return parsed.metadata?.name;
}
