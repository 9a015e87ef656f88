// SPDX-License-Identifier: Apache-2.0
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

/** A file that has one source elsewhere. `path` is relative to the repository. */
export interface GeneratedFile {
  readonly path: string;
  readonly text: string;
}

/** Folders in which every file is generated: one that nothing generates any more is left over. */
export const GENERATED_FOLDERS = [
  'crds/manifests',
  'charts/nexusos/templates/generated',
  'charts/nexusos-policy-packs/packs',
  'docs/reference',
] as const;

/** How a generated file differs from what is there. */
export interface Difference {
  readonly path: string;
  readonly kind: 'missing' | 'changed' | 'left over';
}

/** Compares `files`, and what else is in the generated folders, with the repository at `root`. */
export async function differences(
  root: string,
  files: readonly GeneratedFile[],
): Promise<readonly Difference[]> {
  const judged = await Promise.all(files.map((file) => judge(root, file)));
  const wanted = new Set(files.map((file) => file.path));
  const present = (await Promise.all(GENERATED_FOLDERS.map((folder) => listFiles(root, folder)))).flat();
  const leftOver = present
    .filter((path) => !wanted.has(path))
    .map((path) => ({ path, kind: 'left over' }) as const);
  return [...judged.flat(), ...leftOver];
}

/** Makes the repository at `root` have exactly `files`; returns what had to change. */
export async function writeFiles(
  root: string,
  files: readonly GeneratedFile[],
): Promise<readonly Difference[]> {
  const found = await differences(root, files);
  const textOf = new Map(files.map((file) => [file.path, file.text]));
  for (const { path } of found) {
    const text = textOf.get(path);
    if (text === undefined) {
      await rm(join(root, path));
      continue;
    }
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return found;
}

async function judge(root: string, file: GeneratedFile): Promise<readonly Difference[]> {
  try {
    const text = await readFile(join(root, file.path), 'utf8');
    return text === file.text ? [] : [{ path: file.path, kind: 'changed' }];
  } catch (error) {
    if (isMissing(error)) return [{ path: file.path, kind: 'missing' }];
    throw error;
  }
}

async function listFiles(root: string, folder: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
    return entries.filter((one) => one.isFile()).map((one) => relative(root, join(one.parentPath, one.name)));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
