// SPDX-License-Identifier: Apache-2.0
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Metrics } from '../telemetry/metrics.ts';

// Imported by its name, all that it offers is read: also a WebSocket, for which Node loads the whole of its own HTTP client.
const { createServer } = process.getBuiltinModule('node:http');

/** Where to listen, and what to tell. */
export interface HealthServerOptions {
  /** `127.0.0.1` for a process on a host, `0.0.0.0` in a pod. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** For `/readyz`: whether this process does its work, or stands by to. */
  readonly ready: () => boolean;
  /** For `/healthz` and `/livez`; by default, answering at all is proof enough. */
  readonly alive?: () => boolean;
  readonly metrics: Pick<Metrics, 'text' | 'contentType'>;
}

/** A server that answers probes and scrapes. */
export interface HealthServer {
  readonly port: number;
  /** Ends the server and all its connections. */
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/**
 * Serves `/healthz`, `/livez`, `/readyz` and `/metrics`.
 *
 * @throws Error when the address cannot be listened on.
 */
export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const server = createServer((request, response) => void respond(options, request, response));
  server.requestTimeout = 10_000;
  server.keepAliveTimeout = 60_000;
  await listen(server, options);
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.port;
  return {
    port,
    close() {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      server.closeAllConnections();
      return closed;
    },
  };
}

async function respond(
  options: HealthServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { status, type, body } = await answerTo(options, request).catch(() => text(500, 'internal error'));
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(request.method === 'HEAD' ? undefined : body);
}

async function answerTo(options: HealthServerOptions, request: IncomingMessage): Promise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'only GET and HEAD');
  const [path] = (request.url ?? '/').split('?');
  switch (path) {
    case '/healthz':
    case '/livez':
      return verdict(options.alive?.() ?? true);
    case '/readyz':
      return verdict(options.ready());
    case '/metrics':
      return { status: 200, type: options.metrics.contentType, body: await options.metrics.text() };
    default:
      return text(404, 'not found');
  }
}

function verdict(isGood: boolean): Answer {
  return isGood ? text(200, 'ok') : text(503, 'not ready');
}

function text(status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${body}\n` };
}

function listen(server: Server, { host, port }: HealthServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
