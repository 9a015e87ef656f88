// SPDX-License-Identifier: Apache-2.0
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { RELEASED_FOLDER } from '../policy-packs/packs.ts';
import { billOfMaterials } from './bill.ts';
import { makeChart } from './chart.ts';
import { imageContent, makeImage } from './image.ts';
import type { Part } from './layout.ts';
import { makePack } from './pack.ts';
import { materialsOf, provenanceOf } from './provenance.ts';
import { STATEMENTS } from './publish.ts';
import type { Source } from './source.ts';

/** What is to be made. */
export interface MakeOptions {
  readonly root: string;
  readonly source: Source;
  /** Where it is to be pushed to: registry and path. It is in the chart, which names the image. */
  readonly to: string;
  /** Who answers for where it is built. */
  readonly builder: string;
  /** Is emptied first. */
  readonly folder: string;
  /** Packs by name; all that are shipped where nothing is said. */
  readonly packs?: readonly string[];
  /** Told of each step. */
  readonly tell: (text: string) => void;
}

/** An artifact that was made. */
export interface MadeArtifact {
  readonly kind: 'image' | 'chart' | 'pack';
  readonly repository: string;
  readonly tag: string;
  /** The folder that it is in, as an OCI image layout. */
  readonly layout: string;
  readonly manifest: Part;
  /** What is stated of it: files with predicates, by type as cosign takes it. */
  readonly statements: readonly { readonly type: string; readonly path: string }[];
}

/** Makes all of a release in a folder; nothing is pushed. */
export async function makeRelease(options: MakeOptions): Promise<readonly MadeArtifact[]> {
  const { root, source, to, folder, tell } = options;
  const startedAt = new Date();
  await rm(folder, { recursive: true, force: true });
  const scratch = join(folder, 'scratch');
  await mkdir(scratch, { recursive: true });
  const content = await imageContent(root);
  const provenance = { type: STATEMENTS.provenance, path: join(folder, 'provenance.json') };
  const sbom = { type: STATEMENTS.sbom, path: join(folder, 'sbom.cdx.json') };
  const placed = (kind: MadeArtifact['kind'], path: string) => ({
    kind,
    repository: `${to}/${path}`,
    layout: join(folder, 'layouts', path),
    statements: kind === 'image' ? [sbom, provenance] : [provenance],
  });
  const told = <T extends MadeArtifact>(made: T): T => {
    tell(`made ${made.repository}:${made.tag} ${made.manifest.digest}`);
    return made;
  };
  const ofImage = placed('image', 'nexusos');
  const image = await makeImage({ root, source, content, folder: ofImage.layout, scratch });
  const made: MadeArtifact[] = [told({ ...ofImage, tag: source.version, manifest: image })];
  for (const name of ['nexusos', 'nexusos-policy-packs']) {
    const place = placed('chart', `charts/${name}`);
    const pin = name === 'nexusos' ? { repository: ofImage.repository, digest: image.digest } : undefined;
    const chart = { chart: join(root, 'charts', name), folder: place.layout, version: source.version };
    const manifest = await makeChart({ ...chart, ...(pin && { image: pin }) });
    made.push(told({ ...place, tag: source.version, manifest }));
  }
  for (const name of await packNames(options)) {
    const place = placed('pack', `packs/${name}`);
    const path = join(root, RELEASED_FOLDER, `${name}.yaml`);
    const { manifest, version } = await makePack({ path, folder: place.layout, opa: content.opa });
    made.push(told({ ...place, tag: version, manifest }));
  }
  const lock = await readFile(join(root, 'package-lock.json'), 'utf8');
  await writeFile(sbom.path, await billOfMaterials({ lock, source, content, image: image.digest }));
  const materials = await materialsOf(root, content.libraries);
  const stated = provenanceOf({ ...options, materials, startedAt, finishedAt: new Date() });
  await writeFile(provenance.path, JSON.stringify(stated, undefined, 2));
  await rm(scratch, { recursive: true, force: true });
  return made;
}

async function packNames({ root, packs }: MakeOptions): Promise<readonly string[]> {
  if (packs !== undefined) return packs;
  const files = await readdir(join(root, RELEASED_FOLDER));
  return files.filter((one) => one.endsWith('.yaml')).map((one) => basename(one, '.yaml'));
}
