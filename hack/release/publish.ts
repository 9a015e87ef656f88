// SPDX-License-Identifier: Apache-2.0
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MadeArtifact } from './make.ts';
import { PROVENANCE_TYPE } from './provenance.ts';
import { run, type Tools } from './tools.ts';

/** By what is signed, and how. */
export interface Signing {
  /** As cosign takes it: a file, env://NAME, or the address of a key in a KMS. Its password is in COSIGN_PASSWORD. */
  readonly key: string;
  /** Which logs and timestamp authorities are to have it, as cosign takes it; none: none. */
  readonly signingConfig?: string | undefined;
}

/** Where to, by what. */
export interface Publishing {
  readonly tools: Tools;
  readonly signing: Signing;
  /** The registry speaks http. */
  readonly isPlainHttp: boolean;
  /** For files that cosign reads. */
  readonly scratch: string;
}

/** No logs and no timestamps: nothing is told to anybody. */
const NOBODY = {
  mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.2+json',
  caUrls: [],
  oidcUrls: [],
  rekorTlogUrls: [],
  rekorTlogConfig: { selector: 'ANY' },
  tsaUrls: [],
  tsaConfig: { selector: 'ANY' },
};

/** The public half of the key, in PEM. */
export async function publicKeyOf({
  tools,
  signing,
}: Pick<Publishing, 'tools' | 'signing'>): Promise<string> {
  return `${await run(tools.cosign, ['public-key', '--key', signing.key])}\n`;
}

/** Pushes one artifact, signs it, and attaches what is stated of it. Done again, it comes to the same. */
export async function publish(artifact: MadeArtifact, publishing: Publishing): Promise<void> {
  const { tools, isPlainHttp } = publishing;
  const { repository, tag, layout, manifest, statements } = artifact;
  const pushing = isPlainHttp ? ['--insecure'] : [];
  await run(tools.crane, ['push', ...pushing, layout, `${repository}:${tag}`]);
  const image = `${repository}@${manifest.digest}`;
  const by = await signingArgs(publishing);
  await run(tools.cosign, ['sign', '--yes', ...by, image]);
  for (const { type, path } of statements)
    await run(tools.cosign, ['attest', '--yes', ...by, '--type', type, '--predicate', path, image]);
}

async function signingArgs({ signing, isPlainHttp, scratch }: Publishing): Promise<readonly string[]> {
  const { key, signingConfig = join(scratch, 'nobody.json') } = signing;
  if (signing.signingConfig === undefined) await writeFile(signingConfig, JSON.stringify(NOBODY));
  const http = isPlainHttp ? ['--allow-http-registry', '--allow-insecure-registry'] : [];
  return ['--key', key, '--signing-config', signingConfig, ...http];
}

/** Names of predicate types that cosign knows, or the types themselves. */
export const STATEMENTS = { sbom: 'cyclonedx', provenance: PROVENANCE_TYPE } as const;
