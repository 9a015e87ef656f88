// SPDX-License-Identifier: Apache-2.0
// A program: `node supervisor.ts <config as JSON>`. It is the parent of a cluster's components, and ends
// them when it is told to, when a signal asks it, or when the pipe on its standard input closes, which the
// kernel does when the process that started it is gone, however it went. Its children in turn are told to
// end with it.
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { identityOf, isAlive, type ProcessIdentity } from '../tools/process-identity.ts';
import { ComponentProcess } from './component-process.ts';
import type { Component, ComponentName } from './components.ts';
import { removeTraces, writeRecord } from './records.ts';
import {
  type ComponentExit,
  jsonLines,
  type SupervisorConfig,
  type SupervisorMessage,
  type SupervisorRequest,
} from './supervisor-protocol.ts';

/** Clients before the API server, the API server before etcd: one without its etcd ignores SIGTERM for a minute. */
const stopOrder: readonly (readonly ComponentName[])[] = [
  ['kwok', 'kube-scheduler', 'kube-controller-manager'],
  ['kube-apiserver'],
  ['etcd'],
];

/** A restart must free the port soon; a component that is asked to restart is not asked to drain. */
const restartGraceMs = 2000;

/** How often a process is looked at that is no parent of ours. */
const untilMs = 500;

/** A signal to the supervisor of a cluster that was left running is a polite request. */
const signalGraceMs = 5000;

class Supervisor {
  readonly #config: SupervisorConfig;
  readonly #self: ProcessIdentity;
  readonly #components = new Map<ComponentName, ComponentProcess>();
  readonly #clients = new Set<Socket>();
  #stopping: Promise<void> | undefined;
  #detached = false;

  constructor(config: SupervisorConfig) {
    this.#config = config;
    this.#self = identityOf(process.pid) ?? { pid: process.pid, startedAt: '' };
  }

  run(): void {
    this.#record();
    createServer((socket) => this.#serve(socket)).listen(this.#config.socketPath);
    // The owner never writes; the end of the stream is the end of the owner.
    process.stdin.resume();
    process.stdin.once('close', () => this.#ownerGone());
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      process.on(signal, () => void this.#stopAndLeave(signalGraceMs));
    }
    process.on('uncaughtException', (error) => {
      console.error(error);
      // What fails while it ends cannot be mended by ending: the kernel ends the components, a sweep removes the rest.
      if (this.#stopping !== undefined) process.exit(1);
      void this.#stopAndLeave(0);
    });
  }

  #ownerGone(): void {
    if (!this.#detached) {
      void this.#stopAndLeave(0);
    }
  }

  #serve(socket: Socket): void {
    this.#clients.add(socket);
    socket.setEncoding('utf8');
    socket.on('close', () => this.#clients.delete(socket));
    // A client that goes away in the middle of an answer is its own affair.
    socket.on('error', () => socket.destroy());
    const onLine = jsonLines((line) => void this.#answer(socket, line as SupervisorRequest));
    socket.on('data', (chunk) => {
      try {
        onLine(String(chunk));
      } catch {
        // Not our protocol: the client is let go, the cluster stays.
        socket.destroy();
      }
    });
  }

  async #answer(socket: Socket, request: SupervisorRequest): Promise<void> {
    try {
      await this.#perform(request);
      tell(socket, { reply: request.id });
      if (request.op === 'stop') {
        // Leaving closes the connection: whoever asked knows by it that this process, too, is gone.
        socket.write('', () => process.exit(0));
      }
    } catch (error) {
      tell(socket, { reply: request.id, error: error instanceof Error ? error.message : String(error) });
    }
  }

  async #perform(request: SupervisorRequest): Promise<void> {
    switch (request.op) {
      case 'start':
        return this.#start(request.component);
      case 'restart': {
        const running = this.#find(request.name);
        await running.end(restartGraceMs);
        return this.#start(running.component);
      }
      case 'kill':
        return this.#find(request.name).signal(request.signal);
      case 'detach':
        return this.#detach(request.until);
      case 'stop':
        return this.#stop(request.graceMs);
      default:
        throw new Error(`unknown request ${JSON.stringify(request satisfies never)}`);
    }
  }

  #detach(until: ProcessIdentity | undefined): void {
    if (this.#stopping !== undefined) {
      throw new Error('the cluster is being stopped');
    }
    this.#detached = true;
    this.#record();
    if (until === undefined) return;
    const watch = setInterval(() => {
      if (isAlive(until)) return;
      clearInterval(watch);
      void this.#stopAndLeave(0);
    }, untilMs);
  }

  #find(name: ComponentName): ComponentProcess {
    const found = this.#components.get(name);
    if (found === undefined) {
      throw new Error(`${name} was never started`);
    }
    return found;
  }

  #start(component: Component): void {
    if (this.#stopping !== undefined) {
      throw new Error('the cluster is being stopped');
    }
    if (this.#components.get(component.name)?.running === true) {
      throw new Error(`${component.name} runs already`);
    }
    const logPath = join(this.#config.dataDir, 'logs', `${component.name}.log`);
    const started = new ComponentProcess(component, logPath, (exit) => this.#onExit(exit));
    this.#components.set(component.name, started);
    this.#record();
  }

  #onExit(exit: ComponentExit): void {
    for (const client of this.#clients) {
      tell(client, { exit });
    }
    if (this.#stopping === undefined) {
      this.#record();
    }
  }

  #stop(graceMs: number): Promise<void> {
    this.#stopping ??= this.#stopOnce(graceMs);
    return this.#stopping;
  }

  async #stopOnce(graceMs: number): Promise<void> {
    for (const names of stopOrder) {
      const running = names.flatMap((name) => this.#components.get(name) ?? []);
      await Promise.all(running.map((component) => component.end(graceMs)));
    }
    // Where somebody still writes they may not go now: the record stays then, and the next start sweeps.
    await removeTraces(this.#config).catch((error: unknown) => console.error(error));
  }

  async #stopAndLeave(graceMs: number): Promise<void> {
    try {
      await this.#stop(graceMs);
    } finally {
      process.exit(0);
    }
  }

  #record(): void {
    const identities = [...this.#components].map(([name, { identity }]) => [name, identity]);
    writeRecord(this.#config.recordPath, {
      id: this.#config.id,
      dataDir: this.#config.dataDir,
      removeData: this.#config.removeData,
      supervisor: this.#self,
      owned: !this.#detached,
      components: Object.fromEntries(identities.filter(([, identity]) => identity !== undefined)),
    });
  }
}

function tell(socket: Socket, message: SupervisorMessage): void {
  if (socket.writable) {
    socket.write(`${JSON.stringify(message)}\n`);
  }
}

new Supervisor(JSON.parse(process.argv[2] ?? '') as SupervisorConfig).run();
