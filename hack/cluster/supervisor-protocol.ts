// SPDX-License-Identifier: Apache-2.0
import type { ProcessIdentity } from '../tools/process-identity.ts';
import type { Component, ComponentName } from './components.ts';

/** What a supervisor is started with, as one JSON argument. */
export interface SupervisorConfig {
  /** Names its record. */
  readonly id: string;
  readonly dataDir: string;
  /** Unix socket it takes requests on. */
  readonly socketPath: string;
  readonly recordPath: string;
  /** Whether the data folder goes when the cluster ends. */
  readonly removeData: boolean;
}

/** What a supervisor can be asked. */
export type SupervisorTask =
  | { readonly op: 'start'; readonly component: Component }
  | { readonly op: 'restart'; readonly name: ComponentName }
  | { readonly op: 'kill'; readonly name: ComponentName; readonly signal: NodeJS.Signals }
  /** `until`: the cluster ends when that process is gone, if it does not before. */
  | { readonly op: 'detach'; readonly until?: ProcessIdentity }
  | { readonly op: 'stop'; readonly graceMs: number };

/** One JSON line each; each is answered by a reply with the same `id`. */
export type SupervisorRequest = { readonly id: number } & SupervisorTask;

/** A component ended. `expected` when somebody asked for it. */
export interface ComponentExit {
  readonly component: ComponentName;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly expected: boolean;
}

/** What a supervisor tells: the answer to a request (`error` when it failed), or an exit to everybody. */
export type SupervisorMessage =
  | { readonly reply: number; readonly error?: string }
  | { readonly exit: ComponentExit };

/**
 * A cluster that may be running, as its supervisor writes it down at every change. Whoever starts next
 * stops what such a record names when the supervisor itself is gone.
 */
export interface ClusterRecord {
  readonly id: string;
  readonly dataDir: string;
  readonly removeData: boolean;
  readonly supervisor: ProcessIdentity;
  /** Whether it ends with the process that started it, and so may be ending already. */
  readonly owned?: boolean;
  readonly components: Readonly<Partial<Record<ComponentName, ProcessIdentity>>>;
}

/** Splits a stream of text into JSON lines; an incomplete last line waits for its rest. */
export function jsonLines(onValue: (value: unknown) => void): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      onValue(JSON.parse(line));
    }
  };
}
