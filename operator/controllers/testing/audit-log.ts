// SPDX-License-Identifier: Apache-2.0
import { GrowingFile } from '#hack/tools/growing-file';

/** One completed request of the audit log. */
export interface AuditEntry {
  readonly verb: string;
  readonly user: string;
  readonly uri: string;
  readonly code: number;
  readonly resource: string;
  /** Of the object; that of one that is made, too. */
  readonly name: string;
}

interface Reading {
  readonly file: GrowingFile;
  readonly entries: AuditEntry[];
  /** One reads after the other. */
  last: Promise<unknown>;
}

/** By path: tests ask for it again and again, and some hold tens of thousands of requests. */
const readings = new Map<string, Reading>();

/** Requests that the API server has completed, in order. `path` is that of its audit log. */
export async function auditEntries(path: string): Promise<readonly AuditEntry[]> {
  const reading = readings.get(path) ?? {
    file: new GrowingFile(path),
    entries: [],
    last: Promise.resolve(),
  };
  readings.set(path, reading);
  const read = reading.last.then(() => readOn(reading));
  // What fails is told to who asked, and to nobody after.
  reading.last = read.catch(() => undefined);
  await read;
  return [...reading.entries];
}

async function readOn({ file, entries }: Reading): Promise<void> {
  const lines = await file.readLines();
  entries.push(...lines.flatMap(entriesOf));
}

function entriesOf(line: string): readonly AuditEntry[] {
  const { stage, verb, user, requestURI: uri, responseStatus, objectRef = {} } = JSON.parse(line);
  if (stage !== 'ResponseComplete') return [];
  const { name = '', resource = '', subresource } = objectRef;
  const what = subresource === undefined ? resource : `${resource}/${subresource}`;
  const answer = { user: user?.username ?? '', code: responseStatus?.code ?? 0 };
  return [{ verb, uri, name, resource: what, ...answer }];
}
