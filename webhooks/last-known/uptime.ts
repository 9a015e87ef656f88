// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';

/** How long a machine has run: a time that nobody can set, and with which a process that begins anew goes on. */
export interface Uptime {
  /** Another one each time that the machine is started. */
  readonly boot: string;
  /** Since then, in milliseconds, those in which it was suspended among them. */
  readonly upMs: number;
}

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** That of this machine; undefined where it does not tell which start it was. */
export function uptimeOfMachine(): Uptime | undefined {
  try {
    return { boot: readFileSync(BOOT_ID, 'utf8').trim(), upMs: Math.round(uptime() * 1000) };
  } catch {
    return undefined;
  }
}
