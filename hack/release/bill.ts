// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { Enums, Models, Serialize, Spec, SPDX } from '@cyclonedx/cyclonedx-library';
import { findGo } from '../tools/go.ts';
import { runProgram } from '../tools/run-program.ts';
import {
  type Component,
  goComponents,
  libraryComponents,
  type LockedPackages,
  nodeComponents,
  npmComponents,
  rootNeeds,
} from './components.ts';
import type { ImageContent } from './image.ts';
import { ReleaseError, type Source } from './source.ts';

/** What a bill is of. */
export interface BillOptions {
  /** The text of package-lock.json. */
  readonly lock: string;
  readonly source: Source;
  readonly content: ImageContent;
  /** Digest of the image. */
  readonly image: string;
}

/** The bill of materials of the image, in CycloneDX 1.6. The same image has the same bill. */
export async function billOfMaterials({ lock, source, content, image }: BillOptions): Promise<string> {
  const { packages } = JSON.parse(lock) as { readonly packages: LockedPackages };
  const compiler = goComponents(await goSays(content.opa));
  const node = nodeComponents(process.versions);
  const libraries = libraryComponents(content.libraries);
  const components = [...npmComponents(packages), ...compiler, ...node, ...libraries];
  const needs = [
    ...rootNeeds(packages),
    ...[...compiler, ...node.slice(0, 1), ...libraries].map(({ ref }) => ref),
  ];
  const bom = new Models.Bom({ serialNumber: `urn:uuid:${uuidOf(image)}` });
  bom.metadata.timestamp = source.time;
  bom.metadata.component = modelOf({
    ref: `pkg:oci/nexusos@${encodeURIComponent(image)}`,
    kind: 'container',
    name: 'nexusos',
    version: source.version,
    license: 'Apache-2.0',
    hashes: { 'SHA-256': image.replace('sha256:', '') },
    needs,
  });
  const models = new Map(components.map((one) => [one.ref, modelOf(one)]));
  for (const { ref, needs: wanted } of [{ ref: undefined, needs }, ...components]) {
    const from = ref === undefined ? bom.metadata.component : models.get(ref);
    for (const other of wanted) {
      const model = models.get(other);
      if (model !== undefined) from?.dependencies.add(model.bomRef);
    }
  }
  for (const model of models.values()) bom.components.add(model);
  const factory = new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6);
  return new Serialize.JsonSerializer(factory).serialize(bom, { sortLists: true, space: 2 });
}

const TYPES = {
  container: Enums.ComponentType.Container,
  library: Enums.ComponentType.Library,
  platform: Enums.ComponentType.Platform,
  file: Enums.ComponentType.File,
} as const;

type Told = Omit<Component, 'kind'> & { readonly kind: keyof typeof TYPES };

function modelOf({ ref, kind, name, version, purl, license, hashes }: Told): Models.Component {
  const model = new Models.Component(TYPES[kind], name, {
    bomRef: ref,
    ...(version !== '' && { version }),
    ...(purl !== undefined && { purl }),
  });
  for (const [algorithm, value] of Object.entries(hashes))
    model.hashes.set(algorithm as Enums.HashAlgorithm, value);
  if (license !== undefined) model.licenses.add(licenseOf(license));
  return model;
}

function licenseOf(text: string): Models.License {
  if (SPDX.isSupportedSpdxId(text)) return new Models.SpdxLicense(text);
  return / (?:OR|AND|WITH) /.test(text) ? new Models.LicenseExpression(text) : new Models.NamedLicense(text);
}

async function goSays(program: string): Promise<string> {
  await findGo('1.21.0');
  const { code, stdout, stderr } = await runProgram('go', { args: ['version', '-m', program] });
  if (code === 0) return stdout;
  throw new ReleaseError(`go version -m: ${stderr.trim()}`);
}

/** A number that a bill has to have, of the image and not of chance. */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  const variant = '89ab'[Number.parseInt(hex[16] ?? '0', 16) % 4];
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}
