// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where NexusOS keeps what can be made again: `$NEXUSOS_CACHE`, or a folder in the user's cache. */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const own = environment['NEXUSOS_CACHE'];
  if (own !== undefined && own !== '') {
    return own;
  }
  const shared = environment['XDG_CACHE_HOME'];
  return join(shared !== undefined && shared !== '' ? shared : join(homedir(), '.cache'), 'nexusos');
}

/** Sixteen hex digits that change when any of `parts`, or where one ends and the next begins, changes. */
export function cacheKey(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}
