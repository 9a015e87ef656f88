// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { gunzip } from 'node:zlib';
import { type PolicyModule, verifyModule } from './module.ts';

/** Where a module, or its data, is kept: in parts of one gzip stream, and what it must come to. */
export interface StoredBlob {
  readonly digest: string;
  readonly size: number;
  readonly chunks: readonly string[];
}

/** What became of reading one. */
export type ReadBlob =
  | { readonly kind: 'ok'; readonly bytes: Uint8Array }
  | { readonly kind: 'unreadable'; readonly reason: string; readonly message: string };

/** What became of reading a module. */
export type ReadModule =
  | { readonly kind: 'ok'; readonly module: PolicyModule }
  | { readonly kind: 'unreadable'; readonly reason: string; readonly message: string };

/** The most bytes that are read, whatever a revision says of itself. */
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * Puts a blob together from its parts, by name, each in base64 as ConfigMaps hold it. Nothing is believed before its digest is right, and never
 * more memory taken than the revision says that it has.
 */
export async function readBlob(
  { digest, size, chunks }: StoredBlob,
  parts: ReadonlyMap<string, string>,
): Promise<ReadBlob> {
  const missing = chunks.filter((name) => !parts.has(name));
  if (missing.length > 0)
    return unreadable('ChunkMissing', `ConfigMap ${missing[0]} is not there, or has no part`);
  if (size > MAX_BYTES) return unreadable('TooLarge', `${size} bytes; at most ${MAX_BYTES} are read`);
  const stored = Buffer.concat(chunks.map((name) => Buffer.from(parts.get(name) ?? '', 'base64')));
  const bytes = await unpack(stored, size);
  if (bytes === undefined)
    return unreadable('Corrupt', `${chunks.join(', ')} are no gzip stream of at most ${size} bytes`);
  const found = digestOf(bytes);
  if (found !== digest || bytes.length !== size)
    return unreadable('DigestMismatch', `${chunks.join(', ')} come to ${found}; ${digest} is expected`);
  return { kind: 'ok', bytes };
}

/** Reads a module, and checks that it may be run. */
export async function readModule(blob: StoredBlob, parts: ReadonlyMap<string, string>): Promise<ReadModule> {
  const read = await readBlob(blob, parts);
  if (read.kind !== 'ok') return read;
  const verified = verifyModule(read.bytes);
  if (verified.kind === 'ok') return verified;
  const [fault] = verified.faults;
  return unreadable(fault?.reason ?? 'ModuleRefused', fault?.message ?? 'the module may not be run');
}

/** `sha256:` and 64 hex digits. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Undefined where it is no gzip stream, or comes to more than it says. */
function unpack(stored: Uint8Array, size: number): Promise<Uint8Array | undefined> {
  return new Promise((resolve) => {
    gunzip(stored, { maxOutputLength: Math.max(1, size) }, (error, bytes) =>
      resolve(error === null ? bytes : undefined),
    );
  });
}

function unreadable(reason: string, message: string): Extract<ReadBlob, { kind: 'unreadable' }> {
  return { kind: 'unreadable', reason, message };
}
