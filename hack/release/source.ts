// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '../tools/run-program.ts';

/** What a release is made of: a commit of a repository. */
export interface Source {
  /** As https://host/path. */
  readonly repository: string;
  readonly commit: string;
  /** When it was committed: the time of all that is made of it. */
  readonly time: Date;
  readonly version: string;
}

/** A problem that whoever makes a release can mend, in words for people. */
export class ReleaseError extends Error {}

/** The commit that is checked out. Throws where there is none, or where what is built would not be it. */
export async function readSource(root: string, repository: string): Promise<Source> {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const commit = await git(root, ['rev-parse', 'HEAD']);
  const seconds = Number(await git(root, ['show', '--no-patch', '--format=%ct', 'HEAD']));
  const changed = await git(root, ['status', '--porcelain']);
  if (changed !== '')
    throw new ReleaseError(
      `there are changes that no commit has, and a release is of a commit:\n${changed.split('\n').slice(0, 10).join('\n')}`,
    );
  return { repository, commit, time: new Date(seconds * 1000), version };
}

/** What Git says. Throws with its words where it fails. */
export async function git(root: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram('git', { args: ['-C', root, ...args] }).catch(() => {
    throw new ReleaseError('git was not found: a release is of a commit');
  });
  if (code !== 0) throw new ReleaseError(`git ${args.join(' ')}: ${stderr.trim()}`);
  return stdout.trim();
}
