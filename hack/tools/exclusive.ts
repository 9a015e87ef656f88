// SPDX-License-Identifier: Apache-2.0
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

/** How to wait for a lock. */
export interface ExclusiveOptions {
  /** The lock file; its folder is made. */
  readonly path: string;
  /** Called once, with the holder's pid as far as it is known, when somebody else has the lock. */
  readonly onWait?: (holder: string) => void;
}

const retryMs = 200;

/**
 * Runs `work` while no other process of this machine runs inside the same lock.
 *
 * The lock is SQLite's on a file: the kernel's own advisory lock, portably. The kernel gives it back when
 * its holder is gone, however it went, so there is no stale lock to judge and no race in judging it.
 */
export async function exclusively<T>(options: ExclusiveOptions, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(options.path), { recursive: true });
  const database = new DatabaseSync(options.path);
  try {
    await acquire(database, options);
    await writeFile(holderPath(options.path), String(process.pid));
    return await work();
  } finally {
    database.close();
  }
}

async function acquire(database: DatabaseSync, options: ExclusiveOptions): Promise<void> {
  for (let told = false; !tryLock(database); told = true) {
    if (!told) {
      options.onWait?.(await readHolder(options.path));
    }
    await delay(retryMs);
  }
}

function tryLock(database: DatabaseSync): boolean {
  try {
    database.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    if (error instanceof Error && /locked/.test(error.message)) {
      return false;
    }
    throw error;
  }
}

/** Who holds it is for people only; nothing is decided by it. */
function holderPath(lockPath: string): string {
  return `${lockPath}.pid`;
}

async function readHolder(lockPath: string): Promise<string> {
  try {
    return (await readFile(holderPath(lockPath), 'utf8')).trim();
  } catch {
    return 'unknown';
  }
}
