// SPDX-License-Identifier: Apache-2.0
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { packLayerOf } from '#operator/core/policy-pack/artifact';
import { RegistryClient } from '#operator/oci/client';
import { BUNDLE_LIMITS, readBundle } from '#operator/rego/bundle';
import {
  argumentAt,
  type Call,
  type Command,
  CommandError,
  EXIT,
  flagValue,
  type Outcome,
} from '../cli/command.ts';
import { type OpenRegistry, openRegistry, REGISTRY_FLAGS, registryError } from './registry.ts';

/** `nexusctl pack pull REFERENCE`. */
export const PULL: Command = {
  path: ['pack', 'pull'],
  summary: 'fetches the bundle of a pack from a registry, as a cluster would',
  about:
    'Every byte is held against the digest, and the bundle is read as a cluster reads it: what is refused here is refused there. A tag is resolved first; the digest is told.',
  args: [{ name: 'REFERENCE', what: 'registry and repository, with a tag or a digest' }],
  flags: [{ name: 'out', value: 'FILE', what: 'the bundle', default: 'bundle.tar.gz' }, ...REGISTRY_FLAGS],
  examples: ['pack pull ghcr.io/acme/packs/image-tags:1.0.0 --out image-tags.tar.gz'],
  run: pull,
};

async function pull(call: Call): Promise<Outcome> {
  const open = await openRegistry(call, argumentAt(call, 0));
  const { digest, bytes } = await fetchBundle(open);
  const read = await readBundle(bytes);
  if (read.kind === 'refused') throw new CommandError(EXIT.no, `${read.reason}: ${read.message}`);
  const out = resolve(call.cwd, flagValue(call, 'out') ?? '');
  await writeFile(out, bytes);
  const told = { bundle: out, bytes: bytes.length, digest, files: [...read.bundle.files.keys()].toSorted() };
  return {
    code: EXIT.ok,
    value: told,
    before: Object.entries(told).map(([name, value]) => `${name}: ${String(value)}`),
  };
}

async function fetchBundle({ reference, options, keychain }: OpenRegistry) {
  const client = new RegistryClient(options);
  try {
    const asking = { keychain };
    const resolved = await client.resolve(reference, asking);
    if (resolved.kind !== 'ok') throw registryError(resolved);
    const { digest } = resolved.value;
    const manifest = await client.manifest(reference, digest, asking);
    if (manifest.kind !== 'ok') throw registryError(manifest);
    const found = packLayerOf(manifest.value, BUNDLE_LIMITS.bytes);
    if (found.kind === 'fault') throw new CommandError(EXIT.no, found.fault.message);
    const bytes = await client.blob(reference, found.layer, { ...asking, maxBytes: BUNDLE_LIMITS.bytes });
    if (bytes.kind !== 'ok') throw registryError(bytes);
    return { digest, bytes: bytes.value };
  } finally {
    await client.close();
  }
}
