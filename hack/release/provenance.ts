// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOfBytes } from '#operator/core/oci/digest';
import type { Library } from './libraries.ts';
import type { Source } from './source.ts';

/** The predicate type of what is stated here. */
export const PROVENANCE_TYPE = 'https://slsa.dev/provenance/v1';
/** How it was built: what `externalParameters` mean. docs/how-to/verify-nexusos.md says it in words. */
export const BUILD_TYPE = 'https://nexusos.dev/build/release/v1';

/** Something that went into a build, and is not from its source. */
export interface Material {
  readonly uri: string;
  readonly digest: Readonly<Record<string, string>>;
}

/** What is known of a build. */
export interface BuildFacts {
  readonly source: Source;
  /** Who answers for where it was built. */
  readonly builder: string;
  readonly materials: readonly Material[];
  readonly startedAt: Date;
  readonly finishedAt: Date;
}

/** What SLSA asks to be told of how something was built. */
export function provenanceOf({ source, builder, materials, startedAt, finishedAt }: BuildFacts): object {
  const { repository, commit, version } = source;
  const uri = `git+${repository}`;
  const digest = { gitCommit: commit };
  return {
    buildDefinition: {
      buildType: BUILD_TYPE,
      externalParameters: { source: { uri, digest }, version },
      internalParameters: { platform: `${process.platform}/${process.arch}` },
      resolvedDependencies: [{ uri, digest }, ...materials],
    },
    runDetails: {
      builder: { id: builder },
      metadata: { startedOn: startedAt.toISOString(), finishedOn: finishedAt.toISOString() },
    },
  };
}

/** What pins all that is fetched: of npm, of Go for the compiler of Rego. */
const PINS = ['package-lock.json', 'hack/tools/opa/go.mod', 'hack/tools/opa/go.sum'];

/** What goes into a build beside the source: what the pins pin, and the files of this machine. */
export async function materialsOf(root: string, libraries: readonly Library[]): Promise<readonly Material[]> {
  const pins = PINS.map(async (path) =>
    materialOf(`file:${path}`, digestOfBytes(await readFile(join(root, path)))),
  );
  const node = { uri: `pkg:generic/node@${process.versions.node}`, digest: {} };
  const files = libraries.map(({ path, digest }) => materialOf(`file:/${path}`, digest));
  return [...(await Promise.all(pins)), node, ...files];
}

function materialOf(uri: string, digest: string): Material {
  return { uri, digest: { sha256: digest.replace('sha256:', '') } };
}
