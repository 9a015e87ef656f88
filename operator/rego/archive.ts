// SPDX-License-Identifier: Apache-2.0
import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { extract, Pack, pack } from 'tar-stream';

/** Files by their path within an archive. */
export type Files = Readonly<Record<string, Uint8Array>>;

/** Loaded when the first archive is there: most processes never see one. */
export async function tar(): Promise<{ readonly extract: typeof extract; readonly pack: typeof pack }> {
  return import('./tar.ts');
}

/** Reads a tar.gz that we made ourselves, in the memory of one: what others made is read by what refuses tricks. */
export async function readOwnArchive(bytes: Uint8Array, maxBytes: number): Promise<Files> {
  const files: [string, Uint8Array][] = [];
  const reader = (await tar()).extract();
  Readable.from([gunzipSync(bytes, { maxOutputLength: maxBytes })]).pipe(reader);
  for await (const entry of reader) files.push([entry.header.name.replace(/^\//, ''), await buffer(entry)]);
  return Object.fromEntries(files);
}

/** A tar.gz that has the same bytes whenever it has the same files: sorted, without times and owners. */
export async function writeArchive(files: Files): Promise<Uint8Array> {
  const writer = (await tar()).pack();
  const whole = buffer(writer);
  const names = Object.keys(files).toSorted((a, b) => (a < b ? -1 : 1));
  for (const name of names) await writeEntry(writer, name, Buffer.from(files[name] ?? []));
  writer.finalize();
  return gzipSync(await whole, { level: 9 });
}

function writeEntry(writer: Pack, name: string, content: Buffer): Promise<void> {
  const header = { name, mode: 0o644, mtime: new Date(0), uid: 0, gid: 0 };
  return new Promise((resolve, reject) => {
    writer.entry(header, content, (error) => (error ? reject(error) : resolve()));
  });
}
