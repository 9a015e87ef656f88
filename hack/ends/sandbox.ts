// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A place of its own for a command and all that it starts, in which whatever it leaves behind can be found. */
export interface Sandbox {
  /** For the environment of the command: temporary files and the records of clusters go into the sandbox. */
  readonly env: Readonly<Record<string, string>>;
  /** The records folder alone, for those who sweep it. */
  readonly records: string;
  /** Pids of the live processes of the command, whoever their parent is by now. Linux only. */
  readonly processes: () => readonly number[];
  /** What is there of the command at this moment, one line each: processes, mounts, files. Linux only. */
  readonly leftovers: () => readonly string[];
  /** Removes the files. */
  readonly remove: () => void;
}

/** Makes an empty sandbox. Its path is short: sockets lie in it. */
export function makeSandbox(): Sandbox {
  const folder = mkdtempSync(join(tmpdir(), 'nexusos-end-'));
  const places = { temporary: join(folder, 't'), records: join(folder, 'r') };
  return {
    env: {
      TMPDIR: makeFolder(places.temporary),
      NEXUSOS_CLUSTER_RECORDS: makeFolder(places.records),
      // npm keeps its compiled self among the temporary files, unless told where.
      NODE_COMPILE_CACHE: join(folder, 'compiled'),
    },
    records: places.records,
    processes: () => processesOf(folder),
    leftovers: () => [
      ...processesOf(folder).map((pid) => `process ${pid}: ${procFile(pid, 'cmdline').slice(0, 200)}`),
      ...mountsIn(folder).map((mount) => `mount ${mount}`),
      ...readdirSync(places.temporary).map((name) => `temporary ${name}`),
      ...readdirSync(places.records).map((name) => `record ${name}`),
    ],
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }),
  };
}

/** Processes that were started with this folder in their arguments or environment. */
function processesOf(folder: string): readonly number[] {
  const pids = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number);
  return pids.filter((pid) => ['cmdline', 'environ'].some((file) => procFile(pid, file).includes(folder)));
}

/** A zombie has neither arguments nor environment, so it does not count. */
function procFile(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

function mountsIn(folder: string): readonly string[] {
  return readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .filter((line) => line.includes(folder));
}

function makeFolder(path: string): string {
  mkdirSync(path);
  return path;
}
