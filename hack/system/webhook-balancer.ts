// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** A process that connections may be sent to. */
export interface Backend {
  readonly port: number;
  /** As a readiness probe asks. */
  readonly isReady: () => Promise<boolean>;
}

/** As the probe of the chart: every second, and out after two that failed. */
const PROBE_MS = 1000;
const FAILURES = 2;
const PROBE_TIMEOUT_MS = 1000;
/** The time of a probe is waited for in so many parts, of which one passes while this process is held up itself: no process is late for that. */
const PARTS = 10;

interface Member extends Backend {
  failures: number;
}

/**
 * What a Service is in a cluster: one address, and each new connection goes to the next process that is ready. A connection stays where it
 * went, whatever becomes of that. The API server takes no loopback address for a Service's endpoint, so here it is a port.
 */
export class WebhookBalancer {
  readonly #server: Server;
  readonly #members: Member[] = [];
  readonly #sockets = new Set<Socket>();
  #next = 0;
  #timer: NodeJS.Timeout | undefined;
  #probing: Promise<unknown> = Promise.resolve();

  private constructor() {
    this.#server = createServer((client) => this.#forward(client));
    this.#timer = setInterval(() => void this.#probe(), PROBE_MS);
  }

  /** One on a free port of 127.0.0.1, with nobody behind it. */
  static async listen(): Promise<WebhookBalancer> {
    const balancer = new WebhookBalancer();
    balancer.#server.listen(0, '127.0.0.1');
    await once(balancer.#server, 'listening');
    return balancer;
  }

  /** Where it listens. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Sends connections there as well, as soon as it is ready. */
  add(backend: Backend): void {
    this.#members.push({ ...backend, failures: FAILURES });
  }

  /** Resolves when every process was asked whether it is ready. */
  async settled(): Promise<void> {
    await this.#probing;
    await this.#probe();
  }

  /** Lets this process end. */
  unref(): void {
    this.#server.unref();
    this.#timer?.unref();
  }

  /** Ends it, and every connection. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #forward(client: Socket): void {
    const ready = this.#members.filter(({ failures }) => failures < FAILURES);
    const member = ready[this.#next++ % Math.max(ready.length, 1)];
    if (member === undefined) {
      client.resetAndDestroy();
      return;
    }
    const server = connect(member.port, '127.0.0.1');
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      socket.on('error', () => socket.destroy());
    }
    client.pipe(server);
    server.pipe(client);
    client.once('close', () => server.destroy());
    server.once('close', () => client.destroy());
  }

  async #probe(): Promise<void> {
    this.#probing = Promise.all(this.#members.map((member) => probe(member)));
    await this.#probing;
  }
}

async function probe(member: Member): Promise<void> {
  const answered = new AbortController();
  const isReady = await Promise.race([member.isReady(), isNotReadyInTime(answered.signal)]);
  answered.abort();
  member.failures = isReady ? 0 : member.failures + 1;
}

/** False when the time of a probe is over, or it was answered. */
async function isNotReadyInTime(answered: AbortSignal): Promise<false> {
  for (let part = 0; part < PARTS && !answered.aborted; part += 1)
    await delay(PROBE_TIMEOUT_MS / PARTS, undefined, { ref: false });
  return false;
}
