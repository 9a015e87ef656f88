// SPDX-License-Identifier: Apache-2.0
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { digestOfBytes } from '../../core/oci/digest.ts';
import type { Repository } from '../../core/oci/reference.ts';

/** What a test offers for what is to be done at its end. */
export interface Teardown {
  teardown(undo: () => unknown): void;
}

/** A server of a test, on loopback. */
export interface Served {
  /** Host and port, as in references. */
  readonly host: string;
  /** `METHOD path` of each request, in order. */
  readonly asked: string[];
  /** The header by which each of them proved who asks. */
  readonly authorizations: (string | undefined)[];
}

/** Starts a server that answers as `answer` says; with `tls`, by https. */
export async function serve(
  t: Teardown,
  answer: (request: IncomingMessage, response: ServerResponse, host: string) => void,
  tls?: { readonly cert: string; readonly key: string },
): Promise<Served> {
  const served: { host: string; asked: string[]; authorizations: (string | undefined)[] } = {
    host: '',
    asked: [],
    authorizations: [],
  };
  const listener: RequestListener = (request, response) => {
    served.asked.push(`${request.method} ${request.url}`);
    served.authorizations.push(request.headers.authorization);
    answer(request, response, served.host);
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  served.host = `localhost:${(server.address() as AddressInfo).port}`;
  return served;
}

/** Answers with JSON; its type is what was set before. */
export function say(response: ServerResponse, status: number, content: unknown): void {
  if (!response.hasHeader('content-type')) response.setHeader('content-type', 'application/json');
  response.writeHead(status).end(JSON.stringify(content));
}

/** Answers with a list of manifests. */
export function list(response: ServerResponse, manifests: readonly unknown[]): void {
  response.setHeader('content-type', INDEX);
  say(response, 200, { schemaVersion: 2, mediaType: INDEX, manifests });
}

const INDEX = 'application/vnd.oci.image.index.v1+json';

/** Answers as registries do when something is wrong. */
export function complain(response: ServerResponse, status: number, code: string): void {
  say(response, status, { errors: [{ code, message: 'no' }] });
}

/** A manifest with its digest. */
export interface Made {
  readonly bytes: Buffer;
  readonly digest: string;
  readonly type: string;
}

/** A manifest of an artifact, with what `more` says beside. */
export function makeManifest(more: Readonly<Record<string, unknown>> = {}): Made {
  const type = 'application/vnd.oci.image.manifest.v1+json';
  const config = {
    mediaType: 'application/vnd.oci.empty.v1+json',
    digest: digestOfBytes(Buffer.from('{}')),
    size: 2,
  };
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: type, config, layers: [], ...more }),
  );
  return { bytes, digest: digestOfBytes(bytes), type };
}

/** The repository of a server that tests ask. */
export function repositoryAt({ host }: Pick<Served, 'host'>): Repository {
  return { registry: host, repository: 'team/app' };
}
