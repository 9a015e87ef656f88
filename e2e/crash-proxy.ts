// SPDX-License-Identifier: Apache-2.0
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';

/** At which write, and on which side of it, the client is to be ended. */
export interface CrashPoint {
  /** Counted from 1 since `arm`. */
  readonly write: number;
  /** before: the API server never sees the write. after: it does, and the client never hears of it. */
  readonly when: 'before' | 'after';
  /** Ends the client, at once and without its help. */
  readonly crash: () => void;
}

/** A write as the API server was asked for it. */
export interface SeenWrite {
  readonly verb: string;
  readonly path: string;
}

/** Passes every request on to the API server, and ends the client at the write it was armed for. */
export interface CrashProxy {
  readonly url: string;
  /** Writes since the last `arm`, the one that was fatal included. */
  readonly writes: () => readonly SeenWrite[];
  /** Counts anew. Without a point it only counts. */
  readonly arm: (point?: CrashPoint) => void;
  readonly close: () => Promise<void>;
}

const NOT_COUNTED = /\/(leases|events)(\/|\?|$)|authentication\.k8s\.io|authorization\.k8s\.io/;

/** Starts the proxy on loopback. `target` is the API server's URL, `ca` its authority in PEM. */
export async function startCrashProxy(target: string, ca: string): Promise<CrashProxy> {
  const agent = new Agent({ ca, keepAlive: true, maxSockets: 200 });
  let writes: SeenWrite[] = [];
  let point: CrashPoint | undefined;

  const server = createServer((incoming, outgoing) => {
    const fatal = count(incoming);
    if (fatal?.when === 'before') {
      fatal.crash();
      incoming.socket.destroy();
      return;
    }
    forward(incoming, outgoing, fatal);
  });

  function count(incoming: IncomingMessage): CrashPoint | undefined {
    const { method = 'GET', url = '/' } = incoming;
    if (method === 'GET' || NOT_COUNTED.test(url)) return undefined;
    writes.push({ verb: method, path: url });
    return point?.write === writes.length ? point : undefined;
  }

  function forward(incoming: IncomingMessage, outgoing: ServerResponse, fatal: CrashPoint | undefined): void {
    const onward = request(
      new URL(incoming.url ?? '/', target),
      { agent, method: incoming.method, headers: withoutHost(incoming) },
      (answer) => {
        if (fatal !== undefined) {
          fatal.crash();
          incoming.socket.destroy();
          answer.resume();
          return;
        }
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        outgoing.flushHeaders();
        answer.pipe(outgoing);
        answer.on('error', () => outgoing.destroy());
      },
    );
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  }

  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    writes: () => writes,
    arm: (next) => {
      writes = [];
      point = next;
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      agent.destroy();
    },
  };
}

function withoutHost(incoming: IncomingMessage): Record<string, string | string[] | undefined> {
  const { host: _host, ...headers } = incoming.headers;
  return headers;
}
