// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { dieWithParent } from '../tools/die-with-parent.ts';
import { sweepTemporaryFolders } from '../tools/sweep-temporary.ts';
import type { ReleaseOptions } from './options.ts';
import { git } from './source.ts';

/**
 * Does something in a copy of a repository that has the files of a commit and nothing else: what is signed is what
 * the commit pins, and not what happens to lie around here, in node_modules or under names that Git ignores.
 *
 * The copy is among the temporary files: within the repository, Node would find packages of that.
 */
export async function inCopy<T>(
  { root, commit }: { readonly root: string; readonly commit: string },
  work: (copy: string) => Promise<T>,
): Promise<T> {
  // Who was killed has left one.
  await sweepTemporaryFolders();
  const folder = await mkdtemp(join(tmpdir(), `nexusos-source-${process.pid}-`));
  try {
    const copy = join(folder, 'repository');
    await git(root, ['clone', '--quiet', '--no-checkout', '--', root, copy]);
    await git(copy, ['checkout', '--quiet', '--detach', commit]);
    return await work(copy);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Makes the release in a copy, with packages that are installed there anew: npm compares each with its digest in the lock file. What it ended with. */
export async function releaseInCopy(copy: string, words: readonly string[]): Promise<number> {
  const args = [join(copy, 'hack/bootstrap.mjs'), 'hack/release/make-here.ts', ...words];
  const command = dieWithParent({ program: process.execPath, args });
  const child = spawn(command.program, command.args, { cwd: copy, stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

/**
 * The same command line, for somewhere else: files are named from the root, and what nobody has said stays unsaid.
 *
 * absoluteWords(options, '/here') -> ['--key=/here/cosign.key', …]
 */
export function absoluteWords(options: ReleaseOptions, root: string): readonly string[] {
  const { to, repository, key, signingConfig, builder, out, isPlainHttp } = options;
  return [
    `--to=${to}`,
    `--source=${repository}`,
    `--builder=${builder}`,
    `--out=${resolve(root, out)}`,
    ...(key === undefined ? [] : [`--key=${isAddress(key) ? key : resolve(root, key)}`]),
    ...(signingConfig === undefined ? [] : [`--signing-config=${resolve(root, signingConfig)}`]),
    ...(isPlainHttp ? ['--plain-http'] : []),
  ];
}

/** env://NAME, awskms://…, pkcs11:…: what is no file. */
function isAddress(key: string): boolean {
  return /^[a-z0-9]+:/.test(key);
}
