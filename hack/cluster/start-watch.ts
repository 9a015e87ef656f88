// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ComponentName } from './components.ts';
import type { SupervisorClient } from './supervisor-client.ts';
import type { ComponentExit } from './supervisor-protocol.ts';

const pollMs = 25;
const logTailLines = 25;

/** A component that did not come up. The message holds the end of its log. */
export class ComponentFailure extends Error {
  readonly component: ComponentName;

  constructor(component: ComponentName, what: string, logTail: string) {
    super(`${component} ${what}. The end of its log:\n${logTail}`);
    this.name = 'ComponentFailure';
    this.component = component;
  }
}

/** Waits for the conditions of a start, and gives up at once when any component ends. */
export class StartWatch {
  readonly #logFolder: string;
  readonly #deadline: number;
  readonly #timeoutMs: number;
  readonly #unsubscribe: () => void;
  #exit: ComponentExit | undefined;
  #closed = false;

  constructor(options: {
    readonly supervisor: SupervisorClient;
    readonly logFolder: string;
    readonly timeoutMs: number;
  }) {
    this.#logFolder = options.logFolder;
    this.#timeoutMs = options.timeoutMs;
    this.#deadline = performance.now() + options.timeoutMs;
    this.#unsubscribe = options.supervisor.onExit((exit) => {
      this.#exit ??= exit;
    });
  }

  /** Resolves once `check` says yes; throws ComponentFailure when a component ends or `component` takes too long. */
  async until(component: ComponentName, check: () => Promise<boolean>): Promise<void> {
    while (!this.#closed && !(await check())) {
      if (this.#exit !== undefined) {
        throw await this.#failure(this.#exit.component, describeExit(this.#exit));
      }
      if (performance.now() > this.#deadline) {
        throw await this.#failure(component, `was not ready after ${this.#timeoutMs / 1000} s`);
      }
      await delay(pollMs);
    }
  }

  /** Ends all waits. */
  close(): void {
    this.#closed = true;
    this.#unsubscribe();
  }

  async #failure(component: ComponentName, what: string): Promise<ComponentFailure> {
    const log = await readFile(join(this.#logFolder, `${component}.log`), 'utf8').catch(() => '');
    return new ComponentFailure(component, what, tailOf(log));
  }
}

/** The last lines of a log, without the usage text that Kubernetes programs print before an error of flags. */
export function tailOf(log: string): string {
  return log.trimEnd().split('\n').slice(-logTailLines).join('\n');
}

function describeExit({ code, signal }: ComponentExit): string {
  if (signal !== null) {
    return `was ended by ${signal} before the cluster was ready`;
  }
  return code === null ? 'could not be started' : `ended with code ${code} before the cluster was ready`;
}
