// SPDX-License-Identifier: Apache-2.0
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '../tools/run-program.ts';
import type { MadeArtifact } from './make.ts';
import { PROVENANCE_TYPE } from './provenance.ts';
import { ReleaseError } from './source.ts';
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

/**
 * Pushes one artifact by its digest, signs it, attaches what is stated of it, and tags it last: a tag never names what is
 * not signed. Done again, the tag stays, and signatures are added. Throws where the tag names something else.
 */
export async function publish(artifact: MadeArtifact, publishing: Publishing): Promise<void> {
  await checkTag(artifact, publishing);
  const { tools } = publishing;
  const { repository, tag, layout, manifest, statements } = artifact;
  const image = `${repository}@${manifest.digest}`;
  const insecure = insecureArgs(publishing);
  await run(tools.crane, ['push', ...insecure, layout, image]);
  const by = await signingArgs(publishing);
  await run(tools.cosign, ['sign', '--yes', ...by, image]);
  for (const { type, path } of statements)
    await run(tools.cosign, ['attest', '--yes', ...by, '--type', type, '--predicate', path, image]);
  // Signing takes its time, and others may release, too.
  if (!(await checkTag(artifact, publishing))) await run(tools.crane, ['tag', ...insecure, image, tag]);
}

/** Whether the tag is there already. Throws where it names something else: who has pulled by a tag may count on what it is. */
export async function checkTag(
  { kind, repository, tag, manifest }: MadeArtifact,
  { tools, ...rest }: Pick<Publishing, 'tools' | 'isPlainHttp'>,
): Promise<boolean> {
  const args = ['digest', ...insecureArgs(rest), `${repository}:${tag}`];
  const { code, stdout, stderr } = await runProgram(tools.crane, { args });
  if (code !== 0 && !IS_NOT_THERE.test(stderr))
    throw new ReleaseError(`crane digest failed:\n${stderr.trim()}`);
  if (code !== 0) return false;
  const found = stdout.trim();
  if (found === manifest.digest) return true;
  const where = kind === 'pack' ? 'spec.version of the pack' : 'version in package.json';
  throw new ReleaseError(
    `${repository}:${tag} is there already and is ${found}, not ${manifest.digest}: tags are not moved. Wanted is another ${where}`,
  );
}

/** What registries say of a tag, or a whole repository, that there is not. */
const IS_NOT_THERE = /MANIFEST_UNKNOWN|NAME_UNKNOWN|NOT_FOUND|status code 404/;

function insecureArgs({ isPlainHttp }: Pick<Publishing, 'isPlainHttp'>): readonly string[] {
  return isPlainHttp ? ['--insecure'] : [];
}

async function signingArgs({ signing, isPlainHttp, scratch }: Publishing): Promise<readonly string[]> {
  const { key, signingConfig = join(scratch, 'nobody.json') } = signing;
  if (signing.signingConfig === undefined) await writeFile(signingConfig, JSON.stringify(NOBODY));
  const http = isPlainHttp ? ['--allow-http-registry', '--allow-insecure-registry'] : [];
  return ['--key', key, '--signing-config', signingConfig, ...http];
}

/** Names of predicate types that cosign knows, or the types themselves. */
export const STATEMENTS = { sbom: 'cyclonedx', provenance: PROVENANCE_TYPE } as const;
