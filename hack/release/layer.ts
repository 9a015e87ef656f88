// SPDX-License-Identifier: Apache-2.0
import { createHash, type Hash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Pack, pack } from 'tar-stream';

/** What is in a layer. Paths are from the root, without a slash before them. */
export type LayerEntry =
  | { readonly kind: 'folder'; readonly path: string; readonly mode?: number }
  | { readonly kind: 'bytes'; readonly path: string; readonly bytes: Uint8Array; readonly mode?: number }
  /** The content of a file of this machine. */
  | { readonly kind: 'file'; readonly path: string; readonly from: string; readonly mode?: number };

/** A layer that was written. */
export interface Layer {
  /** Of what is in the registry. */
  readonly digest: string;
  readonly size: number;
  /** Of the archive within. */
  readonly diffId: string;
}

/**
 * Writes a layer into `folder`, under the hex of its digest. The same entries have the same bytes, whoever writes them and when: sorted, without times,
 * owned by root, folders before what is in them.
 */
export async function writeLayer(folder: string, entries: readonly LayerEntry[]): Promise<Layer> {
  await mkdir(folder, { recursive: true });
  const unfinished = join(folder, `unfinished-${randomUUID()}`);
  const archive = pack();
  const outer = createHash('sha256');
  const inner = createHash('sha256');
  const written = pipeline(
    archive,
    hashedBy(inner),
    createGzip({ level: 6 }),
    hashedBy(outer),
    createWriteStream(unfinished),
  );
  await Promise.all([written, fill(archive, entries)]);
  const hex = outer.digest('hex');
  await rename(unfinished, join(folder, hex));
  const { size } = await stat(join(folder, hex));
  return { digest: `sha256:${hex}`, size, diffId: `sha256:${inner.digest('hex')}` };
}

function hashedBy(hash: Hash): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(undefined, chunk);
    },
  });
}

async function fill(archive: Pack, entries: readonly LayerEntry[]): Promise<void> {
  try {
    for (const entry of withFolders(entries)) await add(archive, entry);
    archive.finalize();
  } catch (error) {
    archive.destroy(error as Error);
    throw error;
  }
}

/** Entries in order, with every folder that something is in: who unpacks it makes none by himself. */
export function withFolders(entries: readonly LayerEntry[]): readonly LayerEntry[] {
  const byPath = new Map<string, LayerEntry>();
  for (const { path } of entries) {
    const parts = path.split('/').slice(0, -1);
    for (const [index] of parts.entries()) {
      const folder = parts.slice(0, index + 1).join('/');
      byPath.set(folder, { kind: 'folder', path: folder });
    }
  }
  for (const entry of entries) byPath.set(entry.path, entry);
  return [...byPath.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

const OWNED = { mtime: new Date(0), uid: 0, gid: 0 };

async function add(archive: Pack, entry: LayerEntry): Promise<void> {
  if (entry.kind === 'folder') {
    const header = {
      ...OWNED,
      name: `${entry.path}/`,
      type: 'directory',
      mode: entry.mode ?? 0o755,
    } as const;
    return new Promise((resolve, reject) => {
      archive.entry(header, (error) => (error ? reject(error) : resolve()));
    });
  }
  const size = entry.kind === 'bytes' ? entry.bytes.length : (await stat(entry.from)).size;
  const header = { ...OWNED, name: entry.path, mode: entry.mode ?? 0o644, size };
  if (entry.kind === 'bytes') {
    return new Promise((resolve, reject) => {
      archive.entry(header, Buffer.from(entry.bytes), (error) => (error ? reject(error) : resolve()));
    });
  }
  const into = archive.entry(header);
  await pipeline(createReadStream(entry.from), into);
}
