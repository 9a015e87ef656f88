// SPDX-License-Identifier: Apache-2.0
import { PACK_ARTIFACT_TYPE, PACK_LAYER_TYPES } from '#operator/core/policy-pack/artifact';
import { bundleOf } from '#nexusctl/pack/build';
import { openCompiler } from '#nexusctl/pack/compiler';
import { readPack } from '#nexusctl/pack/folder';
import { openPack } from '#nexusctl/pack/verdict';
import { Layout, type Part } from './layout.ts';

/** A pack that was made, and the version that it says of itself. */
export interface MadePack {
  readonly manifest: Part;
  readonly version: string;
}

/** Makes the artifact of a pack, of its manifest with the source in it: byte by byte what `nexusctl pack push` pushes. */
export async function makePack({
  path,
  folder,
  opa,
}: {
  readonly path: string;
  readonly folder: string;
  readonly opa: string;
}): Promise<MadePack> {
  const compiler = await openCompiler({ args: [], flags: { opa }, env: {}, cwd: process.cwd() });
  const pack = await readPack(path);
  const bytes = await bundleOf(await openPack(pack, compiler), { withTests: true });
  const { version } = pack.spec;
  const layout = new Layout(folder);
  const config = await layout.addEmpty();
  const layer = await layout.add(PACK_LAYER_TYPES[0] ?? '', bytes);
  const manifest = await layout.finish(version, {
    artifactType: PACK_ARTIFACT_TYPE,
    config,
    layers: [layer],
    annotations: {
      'org.opencontainers.image.title': pack.name,
      'org.opencontainers.image.version': version,
    },
  });
  return { manifest, version };
}
