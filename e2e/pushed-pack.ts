// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { PLATFORM_NAMESPACE } from '#hack/system/chart';
import { nexusctl } from './nexusctl.ts';

/** A PolicyPack whose source is an artifact. */
export interface PackManifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: { readonly source: { readonly oci: { readonly image: string; readonly digest: string } } };
}

/** Pushes what the folder `from` holds, with nexusctl; the manifest of a pack of the platform that names it, with `spec` in place of what it says. */
export async function pushedPack(
  { folder, from, reference }: { readonly folder: string; readonly from: string; readonly reference: string },
  spec: object,
): Promise<PackManifest> {
  const path = join(folder, 'pushed.yaml');
  const ran = await nexusctl(folder, ['pack', 'push', from, reference, '--plain-http', '--manifest', path]);
  if (ran.code !== 0) throw new Error(ran.stderr);
  const manifest = parse(await readFile(path, 'utf8')) as PackManifest;
  const metadata = { ...manifest.metadata, namespace: PLATFORM_NAMESPACE };
  return { ...manifest, metadata, spec: { ...manifest.spec, ...spec } };
}
