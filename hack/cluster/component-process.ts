// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { dieWithParent } from '../tools/die-with-parent.ts';
import { identityOf, type ProcessIdentity } from '../tools/process-identity.ts';
import { signalChild } from '../tools/signal-child.ts';
import type { Component } from './components.ts';
import type { ComponentExit } from './supervisor-protocol.ts';

/** One component as a child process of the supervisor. */
export class ComponentProcess {
  readonly component: Component;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #running = true;
  #expected = false;

  /** Starts it; its output is appended to the file `logPath`. `onExit` is called once, when it has ended. */
  constructor(component: Component, logPath: string, onExit: (exit: ComponentExit) => void) {
    this.component = component;
    const log = openSync(logPath, 'a', 0o600);
    const command = dieWithParent(component);
    const env = { ...component.env, ...process.env };
    this.#child = spawn(command.program, command.args, { stdio: ['ignore', log, log], env });
    closeSync(log);
    this.#ended = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null): void => {
        if (this.#running) {
          this.#running = false;
          onExit({ component: component.name, code, signal, expected: this.#expected });
          resolve();
        }
      };
      this.#child.once('exit', end);
      // It could not even be started: there will be no exit.
      this.#child.once('error', () => end(null, null));
    });
  }

  get running(): boolean {
    return this.#running;
  }

  /** Undefined once it has ended. */
  get identity(): ProcessIdentity | undefined {
    const { pid } = this.#child;
    return this.#running && pid !== undefined ? identityOf(pid) : undefined;
  }

  /** Sends a signal somebody asked for; if it ends now, that is expected. */
  signal(signal: NodeJS.Signals): void {
    this.#expected = signal !== 'SIGSTOP' && signal !== 'SIGCONT';
    signalChild(this.#child, signal);
  }

  /**
   * Ends it: SIGTERM first, SIGKILL after `graceMs` (at once when 0). The grace must be short: an API
   * server stays for a minute while watches are open. Resolves when it is gone.
   */
  async end(graceMs: number): Promise<void> {
    if (!this.#running) {
      return;
    }
    this.signal(graceMs > 0 ? 'SIGTERM' : 'SIGKILL');
    const timer = setTimeout(() => signalChild(this.#child, 'SIGKILL'), graceMs);
    await this.#ended;
    clearTimeout(timer);
  }
}
