// SPDX-License-Identifier: Apache-2.0
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Header } from 'tar-stream';
import { tar as tarStream } from './archive.ts';
import { isTestFile } from './rego-tests.ts';
import { FLOOR_FILE } from '../core/policy-floor/source.ts';
import { BundleError, type Manifest, readManifest } from './manifest.ts';

/** An OPA bundle as it was read: what of it counts, and what it says of itself. */
export interface Bundle {
  /** Modules, tests, data documents and the floor by path, without a slash before. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly manifest: Manifest;
  /** Its module, where it brings one. */
  readonly wasm: Uint8Array | undefined;
}

/** A bundle, or what is wrong with it. */
export type BundleRead =
  | { readonly kind: 'ok'; readonly bundle: Bundle }
  | {
      readonly kind: 'refused';
      readonly reason: 'SourceTooLarge' | 'InvalidSource';
      readonly message: string;
    };

/** How large a bundle may be, and become. */
export const BUNDLE_LIMITS = {
  bytes: 4 * 1024 * 1024,
  unpackedBytes: 20 * 1024 * 1024,
  entries: 2048,
  pathLength: 255,
} as const;

const unzip = promisify(gunzip);
const COUNTS = /(?:^|\/)data\.(?:json|yaml|yml)$|\.rego$/;
const MODULE = 'policy.wasm';
const MANIFEST = '.manifest';

/**
 * Reads a bundle that anybody may have made, in memory and never onto a disk: it can neither name a file of ours, nor become larger than
 * the limits say. What OPA leaves out of a bundle is left out here; what is no plain file is refused.
 */
export async function readBundle(bytes: Uint8Array): Promise<BundleRead> {
  if (bytes.length > BUNDLE_LIMITS.bytes) return tooLarge(`${bytes.length} bytes`, `${BUNDLE_LIMITS.bytes}`);
  const unpacked = await unpack(bytes);
  if ('kind' in unpacked) return unpacked;
  try {
    return bundleOf(await entriesOf(unpacked));
  } catch (error) {
    if (error instanceof BundleError) return invalid(error.message);
    // Whatever a reader of archives throws, it is about the archive.
    return invalid(`the archive cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function unpack(bytes: Uint8Array): Promise<Buffer | Extract<BundleRead, { kind: 'refused' }>> {
  try {
    return await unzip(bytes, { maxOutputLength: BUNDLE_LIMITS.unpackedBytes });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE')
      return tooLarge('more unpacked', `${BUNDLE_LIMITS.unpackedBytes} bytes`);
    return invalid(`the file is no tar.gz: ${message}`);
  }
}

/** Everything that counts, by its path. */
async function entriesOf(tar: Buffer): Promise<ReadonlyMap<string, Buffer>> {
  const found = new Map<string, Buffer>();
  const { extract } = await tarStream();
  const reader = extract();
  reader.end(tar);
  let entries = 0;
  for await (const entry of reader) {
    entries += 1;
    if (entries > BUNDLE_LIMITS.entries)
      throw new BundleError(`the archive has more than ${BUNDLE_LIMITS.entries} entries`);
    const path = pathOf(entry.header);
    if (path === undefined || !isKept(path)) {
      entry.resume();
      continue;
    }
    if (found.has(path)) throw new BundleError(`the archive has ${quoted(path)} twice`);
    found.set(path, await contentOf(entry));
  }
  return found;
}

function isKept(path: string): boolean {
  return path === MANIFEST || path === MODULE || path === FLOOR_FILE || COUNTS.test(path);
}

async function contentOf(entry: Readable | AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of entry) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The path of a file as it counts; undefined for a folder. OPA itself writes a slash before it. */
function pathOf({ name, type }: Header): string | undefined {
  if (type === 'directory') return undefined;
  if (type !== 'file' && type !== 'contiguous-file')
    throw new BundleError(`${quoted(name)} is a ${type}; plain files alone are taken`);
  const path = name.replace(/^(?:\.\/|\/)/, '');
  const parts = path.split('/');
  const isOdd =
    parts.some((part) => part === '' || part === '.' || part === '..') || /[\\\p{Cc}]/u.test(path);
  if (isOdd || path.length > BUNDLE_LIMITS.pathLength)
    throw new BundleError(`${quoted(name)} is no path of a file within the archive`);
  return path;
}

function bundleOf(entries: ReadonlyMap<string, Buffer>): BundleRead {
  const manifest = readManifest(entries.get(MANIFEST));
  const wasm = entries.get(MODULE);
  const files = new Map([...entries].filter(([path]) => path !== MANIFEST && path !== MODULE));
  const hasModules = [...files.keys()].some((path) => path.endsWith('.rego') && !isTestFile(path));
  if (wasm === undefined && !hasModules)
    return invalid('the archive has neither policy.wasm nor a file that ends with .rego');
  return { kind: 'ok', bundle: { files, manifest, wasm } };
}

function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 100));
}

function invalid(message: string): Extract<BundleRead, { kind: 'refused' }> {
  return { kind: 'refused', reason: 'InvalidSource', message };
}

function tooLarge(found: string, limit: string): Extract<BundleRead, { kind: 'refused' }> {
  return {
    kind: 'refused',
    reason: 'SourceTooLarge',
    message: `found ${found}; at most ${limit} are allowed`,
  };
}
