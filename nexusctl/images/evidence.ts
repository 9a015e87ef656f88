// SPDX-License-Identifier: Apache-2.0
import { stat } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { formatReference, type Reference } from '#operator/core/oci/reference';
import type { Keychain } from '#operator/core/oci/credentials';
import type { NotKnown } from '#operator/core/supply-chain/judgement';
import { RegistryClient } from '#operator/oci/client';
import type { EvidenceSource, Gathered } from '#operator/supply-chain/evidence';
import { notKnown, registryEvidence } from '#operator/supply-chain/registry-evidence';
import { sha256 } from '#operator/supply-chain/signed-item';
import { type Call, CommandError, EXIT, flagValue } from '../cli/command.ts';
import { filesBelow, readText } from '../pack/documents.ts';
import { openRegistry } from '../pack/registry.ts';

/** An image that is to be verified, and where what is attached to it comes from. */
export interface OpenImage {
  readonly reference: Reference;
  readonly digest: string;
  readonly source: EvidenceSource;
  /** Without it nobody can tell which images are in it. */
  readonly hasManifest: boolean;
  close(): Promise<void>;
}

/** An image with what is attached to it in files: nothing is asked of anybody. */
export async function openOffline(call: Call, reference: Reference, path: string): Promise<OpenImage> {
  const { digest } = reference;
  if (digest === undefined) {
    const message = `${formatReference(reference)} has no digest: without a registry nobody can tell what a tag is; write NAME@sha256:…`;
    throw new CommandError(EXIT.usage, message);
  }
  const bundles = await bundlesAt(resolve(call.cwd, path));
  const manifests = await manifestsOf(call, digest);
  const evidence = bundles.map(({ file, text }) => {
    return { form: 'bundle' as const, origin: file, bytes: Buffer.from(text), annotations: {} };
  });
  return {
    reference,
    digest,
    source: { gather: (asked) => Promise.resolve(gatheredOf(asked, { digest, manifests, evidence })) },
    hasManifest: manifests.size > 0,
    close: () => Promise.resolve(),
  };
}

/** What the files have of an image: its own manifest may do without, where only signatures of its digest are looked at. */
function gatheredOf(
  asked: string,
  {
    digest,
    manifests,
    evidence,
  }: {
    readonly digest: string;
    readonly manifests: ReadonlyMap<string, Buffer>;
    readonly evidence: Gathered['evidence'];
  },
): Gathered | NotKnown {
  const subject = manifests.get(asked) ?? (asked === digest ? Buffer.from('{}') : undefined);
  if (subject !== undefined) return { subject, evidence };
  const message = `the manifest of ${asked} is not among the files: have all of the index in a folder, and name it by --manifest`;
  return { kind: 'unknown', reason: 'EvidenceIncomplete', message };
}

/** Manifests by their digests: they are needed for what is signed as it stands, and for what is in an index. */
async function manifestsOf(call: Call, digest: string): Promise<ReadonlyMap<string, Buffer>> {
  const path = flagValue(call, 'manifest');
  if (path === undefined) return new Map();
  const files = await filesAt(resolve(call.cwd, path));
  const read = await Promise.all(files.map(async (file) => Buffer.from(await readText(file))));
  const manifests = new Map(read.map((bytes) => [`sha256:${sha256(bytes)}`, bytes]));
  if (manifests.has(digest)) return manifests;
  const found = [...manifests.keys()].join(', ') || 'no files';
  throw new CommandError(EXIT.no, `${path} is not the manifest: found ${found}; wanted is ${digest}`);
}

const BUNDLES = ['.json', '.jsonl', '.bundle', '.sigstore'];

/** A file, or all in a folder. */
async function filesAt(path: string): Promise<readonly string[]> {
  const found = await stat(path).catch(() => {
    throw new CommandError(EXIT.usage, `${path} cannot be read: it is not there`);
  });
  return found.isFile() ? [path] : (await filesBelow(path)).map((file) => join(path, file));
}

/** Sigstore bundles of a file, one in a line or one in all, or of all such files in a folder. */
async function bundlesAt(path: string): Promise<readonly { readonly file: string; readonly text: string }[]> {
  const files = (await filesAt(path)).filter((file) => file === path || BUNDLES.includes(extname(file)));
  const read = await Promise.all(
    files.map(async (file) => {
      const text = await readText(file);
      return linesOf(text).map((line) => ({ file, text: line }));
    }),
  );
  return read.flat();
}

/** A file whose lines are documents of their own is several. */
function linesOf(text: string): readonly string[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const isSeveral = lines.length > 1 && lines.every((line) => /^\s*\{.*\}\s*$/.test(line));
  return isSeveral ? lines : [text];
}

/** Whether it could not be told what an image is. */
export function isNotKnown(found: object): found is NotKnown {
  return 'kind' in found && found.kind === 'unknown';
}

/**
 * An image of a registry: a tag is resolved once, and from then on it is the digest that counts. Why that cannot be told is a value. With `keychain` it is
 * asked as whoever that is of, else as whoever runs this.
 */
export async function openOnline(
  call: Call,
  text: string,
  keychain?: Keychain,
): Promise<OpenImage | NotKnown> {
  const opened = await openRegistry(call, text);
  const { reference, options } = opened;
  const asking = { keychain: keychain ?? opened.keychain };
  const registry = new RegistryClient(options);
  const close = (): Promise<void> => registry.close();
  const resolved = await registry.resolve(reference, asking);
  if (resolved.kind !== 'ok') {
    await close();
    return notKnown(resolved, 'ImageNotFound');
  }
  const source = registryEvidence({ registry, repository: reference, ...asking });
  return { reference, digest: resolved.value.digest, source, hasManifest: true, close };
}
