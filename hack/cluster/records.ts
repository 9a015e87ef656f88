// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheFolder } from '../tools/cache-folder.ts';
import { isAlive, signalProcess } from '../tools/process-identity.ts';
import type { ClusterRecord } from './supervisor-protocol.ts';

/** Where supervisors write down what runs; NEXUSOS_CLUSTER_RECORDS names another place, which others do not sweep. */
export function recordFolder(): string {
  return process.env['NEXUSOS_CLUSTER_RECORDS'] ?? join(cacheFolder(), 'clusters', 'running');
}

/** The file of the record of the cluster `id`. */
export function recordPathOf(id: string): string {
  return join(recordFolder(), `${id}.json`);
}

/** Writes a record whole or not at all. Synchronous, so that two changes cannot overtake each other on the disk. */
export function writeRecord(path: string, record: ClusterRecord): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(unfinishedOf(path), JSON.stringify(record));
  renameSync(unfinishedOf(path), path);
}

const UNFINISHED = '.unfinished';

/** Where a record is until it is whole. Whoever is killed then leaves it there. */
function unfinishedOf(path: string): string {
  return `${path}${UNFINISHED}`;
}

/** The record of the cluster `id`; undefined when there is none, or when it cannot be read. */
export async function readRecord(id: string): Promise<ClusterRecord | undefined> {
  try {
    return JSON.parse(await readFile(recordPathOf(id), 'utf8')) as ClusterRecord;
  } catch {
    return undefined;
  }
}

/** Every record that can be read. */
export async function readRecords(): Promise<readonly ClusterRecord[]> {
  const files = await readdir(recordFolder()).catch(() => []);
  const ids = files.filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -'.json'.length));
  return (await Promise.all(ids.map(readRecord))).filter((record) => record !== undefined);
}

/** What a cluster leaves on the disk. */
export interface ClusterTraces {
  readonly dataDir: string;
  /** Whether the data folder goes, too. */
  readonly removeData: boolean;
  readonly recordPath: string;
}

/**
 * Removes the data, unless it is to be kept, and then the record. @throws Error when the data cannot go, after half a second
 * of tries; the record is still there then.
 */
export async function removeTraces({ dataDir, removeData, recordPath }: ClusterTraces): Promise<void> {
  if (removeData) {
    await rm(dataDir, { recursive: true, force: true, maxRetries: 4, retryDelay: 50 });
  }
  await rm(unfinishedOf(recordPath), { force: true });
  await rm(recordPath, { force: true });
}

/**
 * Ends what clusters without a supervisor left behind: processes that are still the very ones that were
 * written down, and temporary data. The kernel ends them with their supervisor on Linux; this is for where
 * it cannot, and for the data. What cannot be removed is told, and left for the next sweep.
 */
export async function sweepRecords(): Promise<void> {
  await Promise.all((await readRecords()).map(({ id }) => sweepRecord(id).catch(tellOfLeftover)));
  await sweepUnfinished().catch(tellOfLeftover);
}

/** A record is whole within a moment of its first byte: what is older was left by somebody who was killed in between. */
const UNFINISHED_MS = 60_000;

async function sweepUnfinished(): Promise<void> {
  const files = await readdir(recordFolder()).catch(() => []);
  for (const file of files.filter((name) => name.endsWith(UNFINISHED))) {
    const path = join(recordFolder(), file);
    const written = await stat(path).catch(() => undefined);
    if (written !== undefined && Date.now() - written.mtimeMs > UNFINISHED_MS)
      await rm(path, { force: true });
  }
}

/** A cluster that ended long ago must not keep others from starting. */
function tellOfLeftover(error: unknown): void {
  console.error(`What is left of an ended cluster cannot be removed: ${String(error)}`);
}

/** The same for one cluster; nothing happens while its supervisor lives. @throws Error when its data cannot be removed. */
export async function sweepRecord(id: string): Promise<void> {
  const record = await readRecord(id);
  if (record === undefined || isAlive(record.supervisor)) {
    return;
  }
  for (const identity of Object.values(record.components)) {
    signalProcess(identity, 'SIGKILL');
  }
  await removeTraces({ ...record, recordPath: recordPathOf(id) });
}
