// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TextFile } from './source-rules.ts';

/**
 * Paths of the repository at `root` that git has or would take: what a commit of everything would hold. Sorted;
 * files that are deleted and not yet committed are left out.
 */
export function repositoryFiles(root: string): readonly string[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const paths = listed.split('\0').filter((path) => path !== '' && existsSync(join(root, path)));
  return [...new Set(paths)].toSorted();
}

/** The files of `paths` whose names end in one of `endings`, with their text. */
export function readTexts(
  root: string,
  paths: readonly string[],
  endings: readonly string[],
): readonly TextFile[] {
  return paths
    .filter((path) => endings.some((ending) => path.endsWith(ending)))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}
