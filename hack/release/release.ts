// SPDX-License-Identifier: Apache-2.0
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ensureTools } from '../tools/build.ts';
import { check } from './check.ts';
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
  const { to, builder, isPlainHttp } = options;
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
  const tools = await ensureTools(['crane', 'cosign']);
  const signing = { key: options.key, signingConfig: options.signingConfig };
  const publicKey = await publicKeyOf({ tools, signing });
  const policy = join(folder, 'policy.yaml');
  await writeFile(policy, policyText({ to, publicKey, builder, repository: source.repository }));
  // Before anything is there for others to see.
  for (const one of made) await checkTag(one, { tools, isPlainHttp });
  for (const one of made) {
    await publish(one, { tools, signing, isPlainHttp, scratch: folder });
    tell(`pushed and signed ${one.repository}@${one.manifest.digest}`);
  }
  for (const one of made) await check(one, { policy, isPlainHttp });
  tell(`verified ${made.length} artifacts by ${policy}`);
  return made;
}

function listOf(made: readonly MadeArtifact[], { commit, version }: Source): object {
  const artifacts = made.map(({ kind, repository, tag, manifest }) => {
    return { kind, repository, tag, digest: manifest.digest };
  });
  return { version, commit, artifacts };
}
