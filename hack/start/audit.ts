// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import { GrowingFile } from '../tools/growing-file.ts';
import { at, textAt } from './snapshot.ts';

const WRITES = new Set(['create', 'update', 'patch', 'delete', 'deletecollection']);

/** A write that the API server was asked for. */
export interface AuditedWrite {
  readonly verb: string;
  readonly resource: string;
  readonly name: string;
}

/**
 * The writes of `user` in some lines of an audit log. Renewing the Lease is left out: it is how replicas know that the
 * leader lives, and never rests.
 */
export function writesOf(lines: readonly string[], user: string): readonly AuditedWrite[] {
  return lines
    .filter((line) => line.includes(user))
    .map((line): unknown => JSON.parse(line))
    .filter((event) => at(event, 'stage') === 'ResponseComplete' && at(event, 'user', 'username') === user)
    .map((event) => ({
      verb: textAt(event, ['verb']),
      resource: textAt(event, ['objectRef', 'resource']),
      name: `${textAt(event, ['objectRef', 'namespace'])}/${textAt(event, ['objectRef', 'name'])}`,
    }))
    .filter((write) => WRITES.has(write.verb) && write.resource !== 'leases');
}

/** How long to look for silence, in milliseconds. */
export interface QuietOptions {
  readonly user: string;
  readonly quietMs: number;
  readonly timeoutMs: number;
}

/**
 * Waits until `user` has written nothing for `quietMs`. Returns undefined then; after `timeoutMs`, the last writes
 * that kept it from being silent.
 */
export async function waitForQuiet(
  path: string,
  options: QuietOptions,
): Promise<readonly AuditedWrite[] | undefined> {
  const reader = new GrowingFile(path);
  const deadline = performance.now() + options.timeoutMs;
  let quietSince = performance.now();
  let last: readonly AuditedWrite[] = [];
  await reader.readLines();
  while (performance.now() - quietSince < options.quietMs) {
    if (performance.now() > deadline) return last;
    await delay(250);
    const writes = writesOf(await reader.readLines(), options.user);
    if (writes.length === 0) continue;
    quietSince = performance.now();
    last = writes;
  }
  return undefined;
}
