// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type ComponentExit,
  jsonLines,
  type SupervisorConfig,
  type SupervisorMessage,
  type SupervisorTask,
} from './supervisor-protocol.ts';

const connectTimeoutMs = 10_000;

/** Stopping has an end of its own: see `stop`. */
type Task = Exclude<SupervisorTask, { readonly op: 'stop' }>;

interface Pending {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Starts a supervisor in a session of its own (Ctrl-C of a terminal does not reach it), tied to this
 * process by a pipe that nobody writes to: when this process is gone, so is the cluster.
 */
export function startSupervisor(config: SupervisorConfig): void {
  const log = openSync(join(config.dataDir, 'logs', 'supervisor.log'), 'a', 0o600);
  const program = join(import.meta.dirname, 'supervisor.ts');
  const child = spawn(process.execPath, [program, JSON.stringify(config)], {
    detached: true,
    cwd: config.dataDir,
    // What a test runner tells its own Node (coverage, loaders) is not meant for this one.
    env: { ...process.env, NODE_OPTIONS: '', NODE_V8_COVERAGE: '' },
    stdio: ['pipe', log, log],
  });
  closeSync(log);
  // Neither the process nor the pipe keeps the owner's event loop alive.
  child.unref();
  const { stdin } = child;
  if (stdin !== null && 'unref' in stdin && typeof stdin.unref === 'function') {
    stdin.unref();
  }
}

/** A connection to a cluster's supervisor. It does not keep the event loop alive but for open requests. */
export class SupervisorClient {
  readonly #socket: Socket;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(exit: ComponentExit) => void>();
  readonly #gone: Promise<void>;
  #lastId = 0;
  #closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    const onLine = jsonLines((message) => this.#receive(message as SupervisorMessage));
    socket.on('data', (chunk) => onLine(String(chunk)));
    socket.on('error', () => socket.destroy());
    this.#gone = new Promise((resolve) => {
      socket.on('close', () => {
        this.#onClose();
        resolve();
      });
    });
    socket.unref();
  }

  /** Connects; waits for a supervisor that is about to listen, ten seconds at most. */
  static async connect(socketPath: string, timeoutMs = connectTimeoutMs): Promise<SupervisorClient> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const socket = await tryConnect(socketPath);
      if (socket !== undefined) {
        return new SupervisorClient(socket);
      }
      if (performance.now() > deadline) {
        throw new Error(`the supervisor of the cluster does not answer on ${socketPath}`);
      }
      await delay(10);
    }
  }

  /** Whether the supervisor is gone. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Calls `listener` for every component that ends, until the function it returns is called. */
  onExit(listener: (exit: ComponentExit) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Ends the cluster and its supervisor; resolves when all of them are gone. Components get `graceMs` to
   * end by themselves, none when it is 0.
   */
  async stop(graceMs: number): Promise<void> {
    await this.#send({ op: 'stop', graceMs });
    this.#socket.ref();
    await this.#gone;
  }

  /** Asks, and resolves when it is done. Rejects with the supervisor's own words when it is not. */
  ask(request: Task): Promise<void> {
    return this.#send(request);
  }

  close(): void {
    this.#socket.destroy();
  }

  async #send(request: SupervisorTask): Promise<void> {
    if (this.#closed) {
      throw new Error('the supervisor of the cluster is gone');
    }
    this.#lastId += 1;
    const id = this.#lastId;
    this.#socket.ref();
    await new Promise<void>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#socket.write(`${JSON.stringify({ id, ...request })}\n`);
    });
  }

  #receive(message: SupervisorMessage): void {
    if ('exit' in message) {
      for (const listener of this.#listeners) {
        listener(message.exit);
      }
      return;
    }
    const pending = this.#pending.get(message.reply);
    this.#settle(message.reply);
    if (message.error === undefined) {
      pending?.resolve();
    } else {
      pending?.reject(new Error(message.error));
    }
  }

  #settle(id: number): void {
    this.#pending.delete(id);
    if (this.#pending.size === 0) {
      this.#socket.unref();
    }
  }

  #onClose(): void {
    this.#closed = true;
    for (const [id, { reject }] of this.#pending) {
      this.#settle(id);
      reject(new Error('the supervisor of the cluster ended'));
    }
  }
}

function tryConnect(socketPath: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath);
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', () => resolve(undefined));
  });
}
