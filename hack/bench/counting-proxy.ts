// SPDX-License-Identifier: Apache-2.0
import {
  Agent,
  createServer,
  type IncomingMessage,
  request as forward,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

/** What registries are asked. */
export type Asked = 'tag' | 'manifest' | 'blob' | 'referrers' | 'other';

/** In front of a registry: passes on what it is asked, and counts. */
export class CountingProxy {
  readonly #target: URL;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #server = createServer((incoming, response) => this.#pass(incoming, response));
  readonly #counts = new Map<Asked, number>();

  constructor(host: string) {
    this.#target = new URL(`http://${host}`);
  }

  /** Begins to listen, on loopback. */
  async start(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve);
    });
  }

  /** Ends, with all connections. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  /** Host and port, as in references. */
  get host(): string {
    return `localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What was asked since the last time that somebody wanted to know. */
  take(): ReadonlyMap<Asked, number> {
    const counts = new Map(this.#counts);
    this.#counts.clear();
    return counts;
  }

  #pass(incoming: IncomingMessage, response: ServerResponse): void {
    const asked = askedBy(incoming.url ?? '');
    this.#counts.set(asked, (this.#counts.get(asked) ?? 0) + 1);
    const { hostname, port } = this.#target;
    const { method, headers, url: path } = incoming;
    const onward = forward({ hostname, port, path, method, headers, agent: this.#agent });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    incoming.pipe(onward);
  }
}

/** What a path of the API of registries asks for. */
export function askedBy(path: string): Asked {
  if (/\/manifests\/sha256:/.test(path)) return 'manifest';
  if (path.includes('/manifests/')) return 'tag';
  if (path.includes('/blobs/')) return 'blob';
  return path.includes('/referrers/') ? 'referrers' : 'other';
}
