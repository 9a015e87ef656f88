// SPDX-License-Identifier: Apache-2.0
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { RELEASED_FOLDER } from '../policy-packs/packs.ts';
import { billOfMaterials } from './bill.ts';
import { makeChart } from './chart.ts';
import { emptyFolder } from './folder.ts';
import { type ImageContent, imageContent, makeImage } from './image.ts';
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
  /** Is emptied first, if it is that of a release. */
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
  const { root, folder } = options;
  const startedAt = new Date();
  await emptyFolder(root, folder);
  const scratch = join(folder, 'scratch');
  await mkdir(scratch, { recursive: true });
  const content = await imageContent(root);
  const making = { ...options, content, scratch };
  const image = await madeImage(making);
  const made = [image, ...(await madeCharts(making, image)), ...(await madePacks(making))];
  await writeStatements(making, image, startedAt);
  await rm(scratch, { recursive: true, force: true });
  return made;
}

interface Making extends MakeOptions {
  readonly content: ImageContent;
  readonly scratch: string;
}

/** Files with what is stated. */
function statementsIn(folder: string) {
  return { provenance: join(folder, 'provenance.json'), sbom: join(folder, 'sbom.cdx.json') };
}

/** Where something is made, and what is stated of it. */
function placed({ to, folder }: MakeOptions, kind: MadeArtifact['kind'], path: string) {
  const files = statementsIn(folder);
  const provenance = { type: STATEMENTS.provenance, path: files.provenance };
  const sbom = { type: STATEMENTS.sbom, path: files.sbom };
  const statements = kind === 'image' ? [sbom, provenance] : [provenance];
  return { kind, repository: `${to}/${path}`, layout: join(folder, 'layouts', path), statements };
}

function told({ tell }: MakeOptions, made: MadeArtifact): MadeArtifact {
  tell(`made ${made.repository}:${made.tag} ${made.manifest.digest}`);
  return made;
}

async function madeImage(making: Making): Promise<MadeArtifact> {
  const place = placed(making, 'image', 'nexusos');
  const { root, source, content, scratch } = making;
  const manifest = await makeImage({ root, source, content, folder: place.layout, scratch });
  return told(making, { ...place, tag: source.version, manifest });
}

async function madeCharts(making: Making, image: MadeArtifact): Promise<readonly MadeArtifact[]> {
  const { root, source } = making;
  const { version } = source;
  const pin = { image: { repository: image.repository, digest: image.manifest.digest } };
  const made: MadeArtifact[] = [];
  for (const name of ['nexusos', 'nexusos-policy-packs']) {
    const place = placed(making, 'chart', `charts/${name}`);
    const chart = { chart: join(root, 'charts', name), folder: place.layout, version };
    const manifest = await makeChart({ ...chart, ...(name === 'nexusos' && pin) });
    made.push(told(making, { ...place, tag: version, manifest }));
  }
  return made;
}

async function madePacks(making: Making): Promise<readonly MadeArtifact[]> {
  const made: MadeArtifact[] = [];
  for (const name of await packNames(making)) {
    const place = placed(making, 'pack', `packs/${name}`);
    const path = join(making.root, RELEASED_FOLDER, `${name}.yaml`);
    const { manifest, version } = await makePack({ path, folder: place.layout, opa: making.content.opa });
    made.push(told(making, { ...place, tag: version, manifest }));
  }
  return made;
}

async function writeStatements(making: Making, image: MadeArtifact, startedAt: Date): Promise<void> {
  const { root, source, content, folder } = making;
  const { sbom, provenance } = statementsIn(folder);
  const lock = await readFile(join(root, 'package-lock.json'), 'utf8');
  await writeFile(sbom, await billOfMaterials({ lock, source, content, image: image.manifest.digest }));
  const materials = await materialsOf(root, content.libraries);
  const stated = provenanceOf({ ...making, materials, startedAt, finishedAt: new Date() });
  await writeFile(provenance, JSON.stringify(stated, undefined, 2));
}

async function packNames({ root, packs }: MakeOptions): Promise<readonly string[]> {
  if (packs !== undefined) return packs;
  const files = await readdir(join(root, RELEASED_FOLDER));
  return files.filter((one) => one.endsWith('.yaml')).map((one) => basename(one, '.yaml'));
}
