// SPDX-License-Identifier: Apache-2.0
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';

/**
 * What ends the client at its next write, at once and without its help: called when the API server has answered the write. Until
 * it resolves nothing is answered, and no other write is let through.
 */
export type Crash = (write: SeenWrite) => Promise<void>;

/** A write as the API server was asked for it. */
export interface SeenWrite {
  readonly verb: string;
  /** Without the query. */
  readonly path: string;
  /** Of the API server's answer; 0 while there is none. */
  status: number;
}

/** Passes every request on to the API server, and ends the client at its next write when it is armed. */
export interface CrashProxy {
  readonly url: string;
  /** Writes since the last `arm`, the one that was fatal included. */
  readonly writes: () => readonly SeenWrite[];
  /** Counts anew. Without a crash it only counts; with `mayEnd` the next write that it says so of is fatal. */
  readonly arm: (crash?: Crash, mayEnd?: (write: SeenWrite) => boolean) => void;
  /** From now on the API server tells a time that is so far ahead. */
  readonly shifts: (ms: number) => void;
  readonly close: () => Promise<void>;
}

interface Exchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  /** When it is one that counts. */
  readonly write?: SeenWrite;
  /** When it is fatal. */
  readonly crash?: Crash;
}

const NOT_COUNTED = /\/(leases|events)(\/|\?|$)|authentication\.k8s\.io|authorization\.k8s\.io/;

const ALWAYS: (write: SeenWrite) => boolean = () => true;

/** Starts the proxy on loopback. `target` is the API server's URL, `ca` its authority in PEM. */
export async function startCrashProxy(target: string, ca: string): Promise<CrashProxy> {
  const agent = new Agent({ ca, keepAlive: true, maxSockets: 200 });
  let writes: SeenWrite[] = [];
  let crash: Crash | undefined;
  let mayEnd = ALWAYS;
  let isFatal = false;
  let shiftMs = 0;

  const server = createServer((incoming, outgoing) => {
    const write = writeOf(incoming);
    if (write === undefined) return forward({ incoming, outgoing });
    // Once a write is fatal, every other is left without an answer: it would come after the end.
    if (isFatal) return undefined;
    writes.push(write);
    if (crash === undefined || !mayEnd(write)) return forward({ incoming, outgoing, write });
    isFatal = true;
    return forward({ incoming, outgoing, write, crash });
  });

  async function endClient(write: SeenWrite, end: Crash): Promise<void> {
    await end(write);
    server.closeAllConnections();
  }

  function forward({ incoming, outgoing, write, crash: fatal }: Exchange): void {
    const { method, headers } = incoming;
    const { host: _host, ...onwardHeaders } = headers;
    const onward = request(
      new URL(incoming.url ?? '/', target),
      { agent, method, headers: onwardHeaders },
      (answer) => {
        if (write !== undefined) write.status = answer.statusCode ?? 0;
        if (write !== undefined && fatal !== undefined) {
          answer.resume();
          void endClient(write, fatal);
          return;
        }
        outgoing.writeHead(answer.statusCode ?? 502, shifted(answer.headers, shiftMs));
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
    arm: (next, isMeant = ALWAYS) => {
      writes = [];
      crash = next;
      mayEnd = isMeant;
      isFatal = false;
    },
    shifts: (ms) => {
      shiftMs = ms;
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      agent.destroy();
    },
  };
}

function shifted({ date, ...headers }: IncomingHttpHeaders, ms: number): OutgoingHttpHeaders {
  return { ...headers, ...(date !== undefined && { date: new Date(Date.parse(date) + ms).toUTCString() }) };
}

function writeOf({ method = 'GET', url = '/' }: IncomingMessage): SeenWrite | undefined {
  if (method === 'GET' || NOT_COUNTED.test(url)) return undefined;
  return { verb: method, path: url.replace(/\?.*$/, ''), status: 0 };
}
