// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';

/** What a test offers for what is to be done at its end. */
export interface Teardown {
  teardown(undo: () => void): void;
}

/** A server on loopback. */
export interface Served {
  /** Without a slash at its end. */
  readonly url: string;
  /** Ends it at once, with all that is under way. */
  end(): void;
}

/** What it answers with. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void;

/** Serves until the test ends; with `tls`, over HTTPS under the name localhost. */
export async function serve(
  t: Teardown,
  handler: Handler,
  tls?: { readonly key: string; readonly cert: string },
): Promise<Served> {
  const listener: RequestListener = (request, response) => {
    // Who is cut off has no answer to give.
    Promise.resolve(handler(request, response)).catch(() => response.destroy());
  };
  const server = tls === undefined ? createServer(listener) : createSecureServer(tls, listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const end = (): void => {
    server.close();
    server.closeAllConnections();
  };
  t.teardown(end);
  const { port } = server.address() as AddressInfo;
  return { url: tls === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`, end };
}

/** The whole body of a request. */
export async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** Answers with a body, as JSON unless it is a text. */
export function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}
