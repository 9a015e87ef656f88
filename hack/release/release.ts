// SPDX-License-Identifier: Apache-2.0
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ensureTools } from '../tools/build.ts';
import { check, verifies } from './check.ts';
import { LIST } from './folder.ts';
import { type MadeArtifact, makeRelease } from './make.ts';
import type { ReleaseOptions } from './options.ts';
import { policyText } from './policy.ts';
import { checkTag, publicKeyOf, publish } from './publish.ts';
import type { Source } from './source.ts';

/** What a release is carried out with. */
export interface Surroundings {
  readonly root: string;
  readonly source: Source;
  readonly packs?: readonly string[];
  readonly tell: (text: string) => void;
}

/** Makes a release, and with a key pushes, signs and verifies it. All that was made. */
export async function release(
  options: ReleaseOptions,
  { root, source, packs, tell }: Surroundings,
): Promise<readonly MadeArtifact[]> {
  const { to, builder } = options;
  const folder = resolve(root, options.out);
  const made = await makeRelease({
    root,
    source,
    to,
    builder,
    folder,
    tell,
    ...(packs !== undefined && { packs }),
  });
  await writeFile(join(folder, LIST), JSON.stringify(listOf(made, source), undefined, 2));
  if (options.key === undefined) return made;
  await publishAll(made, { ...options, key: options.key, folder, source, tell });
  return made;
}

/** Where what was made goes, and by whose key. */
export interface Publication extends ReleaseOptions {
  readonly key: string;
  /** What was made lies in it. */
  readonly folder: string;
  readonly source: Source;
  readonly tell: (text: string) => void;
}

/**
 * Pushes and signs what was made, and verifies all of it; what is there already, and verifies by the key, stays as it is, unless
 * logs are to be told: what verifies may have been signed without.
 */
export async function publishAll(made: readonly MadeArtifact[], publication: Publication): Promise<void> {
  const { to, builder, isPlainHttp, key, signingConfig, folder, source, tell } = publication;
  const tools = await ensureTools(['crane', 'cosign']);
  const signing = { key, signingConfig };
  const publicKey = await publicKeyOf({ tools, signing });
  const policy = join(folder, 'policy.yaml');
  await writeFile(policy, policyText({ to, publicKey, builder, repository: source.repository }));
  const checking = { policy, isPlainHttp };
  const publishing = { tools, signing, isPlainHttp, scratch: folder };
  // Before anything is there for others to see.
  const there = new Set<MadeArtifact>();
  for (const one of made) if (await checkTag(one, publishing)) there.add(one);
  for (const one of made) {
    const name = `${one.repository}@${one.manifest.digest}`;
    // What is tagged was signed before, though maybe by another key.
    if (signingConfig === undefined && there.has(one) && (await verifies(one, checking))) {
      tell(`is there already, and verifies: ${name}`);
      continue;
    }
    await publish(one, publishing);
    tell(`pushed and signed ${name}`);
  }
  for (const one of made) await check(one, checking);
  tell(`verified ${made.length} artifacts by ${policy}`);
}

function listOf(made: readonly MadeArtifact[], { commit, version }: Source): object {
  const artifacts = made.map(({ kind, repository, tag, manifest }) => {
    return { kind, repository, tag, digest: manifest.digest };
  });
  return { version, commit, artifacts };
}
