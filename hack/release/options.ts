// SPDX-License-Identifier: Apache-2.0
import { parseArgs } from 'node:util';
import { parseReference } from '#operator/core/oci/reference';
import { ReleaseError } from './source.ts';

/** What `npm run release` says of itself. */
export const USAGE = `npm run release -- --to HOST/PATH --source URL [--key KEY]

Makes image, charts and packs of the commit that is checked out, their bill of materials and provenance, as OCI image layouts
in a folder. With --key they are pushed to HOST/PATH, signed, and verified by nexusctl as users verify them.

  --to HOST/PATH         where releases are, such as registry.example/nexusos
  --source URL           the repository, as https://host/path: provenance names it
  --key KEY              signs and pushes: a file of cosign, env://NAME, or the address of a key in a KMS; password: COSIGN_PASSWORD
  --signing-config FILE  logs and timestamp authorities that signatures are told to, as cosign takes them; else none
  --builder URI          who answers for where it is built: provenance names it
  --out FOLDER           where it is made: a new one, an empty one, or that of an earlier release, which is emptied
  --plain-http           the registry speaks http`;

/** What is asked for. */
export interface ReleaseOptions {
  readonly to: string;
  readonly repository: string;
  readonly key: string | undefined;
  readonly signingConfig: string | undefined;
  readonly builder: string;
  readonly out: string;
  readonly isPlainHttp: boolean;
}

const FLAGS = {
  to: { type: 'string' },
  source: { type: 'string' },
  key: { type: 'string' },
  'signing-config': { type: 'string' },
  builder: { type: 'string', default: 'https://nexusos.dev/build/by-hand' },
  out: { type: 'string', default: '.nexusos/release' },
  'plain-http': { type: 'boolean', default: false },
} as const;

/** Reads the command line. Throws with what would pass. */
export function readOptions(words: readonly string[]): ReleaseOptions {
  const values = read(words);
  const { to, source, key, builder, out } = values;
  if (to === undefined || source === undefined)
    throw new ReleaseError(`--to and --source are needed\n\n${USAGE}`);
  const repository = source.replace(/\.git$/, '');
  checkPlace(to);
  checkRepository(repository);
  if (key?.includes('-----BEGIN') === true)
    throw new ReleaseError(
      '--key: found a key itself, which others see in a command line; wanted is a file or env://NAME',
    );
  const signingConfig = values['signing-config'];
  if (signingConfig !== undefined && key === undefined)
    throw new ReleaseError('--signing-config says how --key signs, and there is none');
  return { to, repository, key, signingConfig, builder, out, isPlainHttp: values['plain-http'] };
}

function checkPlace(to: string): void {
  const read = parseReference(`${to}/nexusos`);
  if (read.kind === 'ok' && read.reference.tag === 'latest' && to.includes('/')) return;
  throw new ReleaseError(
    `--to: found ${to}; wanted is a registry with a path, such as registry.example/nexusos`,
  );
}

function checkRepository(repository: string): void {
  if (/^https:\/\/[^/@\s]+\/[^@\s]+$/.test(repository)) return;
  // Where there is an at sign there may be a password.
  const found = repository.includes('@') ? 'an address with a user in it' : repository;
  throw new ReleaseError(`--source: found ${found}; wanted is https://host/path of the repository`);
}

function read(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options: FLAGS, strict: true }).values;
  } catch (error) {
    // The next line only tells how to pass what begins with a dash.
    const [why = ''] = (error as Error).message.split('. To specify');
    throw new ReleaseError(`${why}\n\n${USAGE}`);
  }
}
