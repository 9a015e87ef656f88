// SPDX-License-Identifier: Apache-2.0
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { stringify } from 'yaml';
import { PACK_ARTIFACT_TYPE, PACK_LAYER_TYPES } from '#operator/core/policy-pack/artifact';
import { ArtifactPusher } from '#operator/oci/push';
import {
  argumentAt,
  type Call,
  type Command,
  CommandError,
  EXIT,
  flagValue,
  type Outcome,
} from '../cli/command.ts';
import { bundleOf, withSource } from './build.ts';
import { OPA_FLAG, openCompiler } from './compiler.ts';
import { readPack } from './folder.ts';
import { openRegistry, REGISTRY_FLAGS, registryError } from './registry.ts';
import { openPack } from './verdict.ts';

/** `nexusctl pack push FOLDER REFERENCE`. */
export const PUSH: Command = {
  path: ['pack', 'push'],
  summary: 'makes the bundle of a pack, pushes it to a registry, and tells its digest',
  about:
    'What is pushed is an artifact of one layer, the bundle as `pack build --url` makes it, with its tests: the same source has the same digest, whoever pushes it. opa itself reads it too. With --manifest, a PolicyPack is written that takes it from there by its digest.',
  args: [
    { name: 'FOLDER', what: 'the pack: a folder with manifest.yaml, or a manifest with its source' },
    {
      name: 'REFERENCE',
      what: 'where to: registry, repository and tag, such as ghcr.io/acme/packs/images:1.0.0',
    },
  ],
  flags: [
    { name: 'manifest', value: 'FILE', what: 'writes a PolicyPack as well' },
    ...REGISTRY_FLAGS,
    OPA_FLAG,
  ],
  examples: [
    'pack push image-tags ghcr.io/acme/packs/image-tags:1.0.0',
    'pack push image-tags ghcr.io/acme/packs/image-tags:1.0.0 --manifest image-tags.yaml && kubectl apply -f image-tags.yaml',
  ],
  run: push,
};

async function push(call: Call): Promise<Outcome> {
  const text = argumentAt(call, 1);
  const { reference, options, keychain } = await openRegistry(call, text);
  if (reference.digest !== undefined)
    throw new CommandError(
      EXIT.usage,
      `${text} has a digest; what is pushed has one of its own: name a tag, or nothing`,
    );
  const pack = await readPack(resolve(call.cwd, argumentAt(call, 0)));
  const bytes = await bundleOf(await openPack(pack, await openCompiler(call)), { withTests: true });
  const pusher = new ArtifactPusher(options);
  try {
    const artifact = {
      artifactType: PACK_ARTIFACT_TYPE,
      layers: [{ mediaType: PACK_LAYER_TYPES[0] ?? '', bytes }],
      // No time is in it: the same is the same.
      annotations: {
        'org.opencontainers.image.title': pack.name,
        'org.opencontainers.image.version': pack.spec.version,
      },
    };
    const pushed = await pusher.push(reference, artifact, { keychain });
    if (pushed.kind !== 'ok') throw registryError(pushed);
    const image = `${reference.registry}/${reference.repository}`;
    const { digest } = pushed.value;
    const manifest = flagValue(call, 'manifest');
    if (manifest !== undefined) {
      const content = withSource(pack, { oci: { image, digest } });
      await writeFile(resolve(call.cwd, manifest), stringify(content, { lineWidth: 0 }));
    }
    return outcomeOf({
      image,
      tag: reference.tag,
      digest,
      bytes: bytes.length,
      ...(manifest && { manifest }),
    });
  } finally {
    await pusher.close();
  }
}

function outcomeOf(told: Readonly<Record<string, unknown>>): Outcome {
  const before = Object.entries(told).map(([name, value]) => `${name}: ${String(value)}`);
  return { code: EXIT.ok, value: told, before };
}
