// SPDX-License-Identifier: Apache-2.0
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../tools/cache-folder.ts';
import { isAlive, signalProcess } from '../tools/process-identity.ts';
import type { ClusterRecord } from './supervisor-protocol.ts';

/** Where supervisors write down what runs; NEXUSOS_CLUSTER_RECORDS names another place, which others do not sweep. */
export function recordFolder(): string {
  return process.env['NEXUSOS_CLUSTER_RECORDS'] ?? join(cacheFolder(), 'clusters', 'running');
}

/** The record of the cluster `id`; undefined when there is none, or when it cannot be read. */
export async function readRecord(id: string): Promise<ClusterRecord | undefined> {
  try {
    return JSON.parse(await readFile(join(recordFolder(), `${id}.json`), 'utf8')) as ClusterRecord;
  } catch {
    return undefined;
  }
}

/**
 * Ends what clusters without a supervisor left behind: processes that are still the very ones that were
 * written down, and temporary data. The kernel ends them with their supervisor on Linux; this is for where
 * it cannot, and for the data.
 */
export async function sweepRecords(): Promise<void> {
  const files = await readdir(recordFolder()).catch(() => []);
  const ids = files.filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -'.json'.length));
  await Promise.all(ids.map(sweepRecord));
}

/** The same for one cluster; nothing happens while its supervisor lives. */
export async function sweepRecord(id: string): Promise<void> {
  const record = await readRecord(id);
  if (record === undefined || isAlive(record.supervisor)) {
    return;
  }
  for (const identity of Object.values(record.components)) {
    signalProcess(identity, 'SIGKILL');
  }
  if (record.removeData) {
    await rm(record.dataDir, { recursive: true, force: true, maxRetries: 3 });
  }
  await rm(join(recordFolder(), `${id}.json`), { force: true });
}
