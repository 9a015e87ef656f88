// SPDX-License-Identifier: Apache-2.0
import { mkdir, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import * as z from 'zod';
import { ReleaseError } from './source.ts';

/** In the folder of a release: what is in it. */
export const LIST = 'release.json';

/** What a list has to look like to be one of ours; at the beginning of a release it names nothing yet. */
const list = z.object({ version: z.string(), commit: z.string(), artifacts: z.array(z.unknown()) });

/**
 * Empties the folder of a release, and makes it where there is none. Throws where it holds the repository, or something
 * that no release has made: what is removed here nobody gets back.
 */
export async function emptyFolder(root: string, folder: string): Promise<void> {
  if (holds(await realPath(folder), await realPath(root)))
    throw new ReleaseError(`--out: found ${folder}, which holds the repository; ${WANTED}`);
  const names = await namesIn(folder);
  if (names.length > 0 && !(await isRelease(folder)))
    throw new ReleaseError(
      `--out: found ${folder}, which is not empty, and has no ${LIST} of an earlier release; ${WANTED}`,
    );
  await mkdir(folder, { recursive: true });
  // It stays there all along: who is killed in between may try again.
  if (names.length === 0) await writeFile(join(folder, LIST), NOTHING_YET);
  const others = names.filter((name) => name !== LIST);
  await Promise.all(others.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}

const WANTED = 'wanted is a folder of its own: a new one, an empty one, or that of an earlier release';
const NOTHING_YET = JSON.stringify({ version: '', commit: '', artifacts: [] });

function holds(folder: string, path: string): boolean {
  return !relative(folder, path).split('/').includes('..');
}

/** Without links; of what is not there yet, by the folder that it is to be in. */
async function realPath(path: string): Promise<string> {
  return realpath(path).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' || dirname(path) === path) throw error;
    return join(await realPath(dirname(path)), basename(path));
  });
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    if (error.code === 'ENOTDIR')
      throw new ReleaseError(`--out: found ${folder}, which is a file; ${WANTED}`);
    throw error;
  });
}

async function isRelease(folder: string): Promise<boolean> {
  const text = await readFile(join(folder, LIST), 'utf8').catch(() => '');
  try {
    return list.safeParse(JSON.parse(text)).success;
  } catch {
    return false;
  }
}
