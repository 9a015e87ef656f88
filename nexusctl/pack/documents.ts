// SPDX-License-Identifier: Apache-2.0
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join, relative } from 'node:path';
import { isObject } from '#operator/rego/gatekeeper/json';
import type { SourceDocument } from '#operator/rego/gatekeeper/template';
import { CommandError, EXIT } from '../cli/command.ts';
import { readYaml } from './yaml.ts';

const MANIFESTS = ['.yaml', '.yml', '.json'];
const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** All files below a folder, sorted, as paths relative to it. Links are not followed. */
export async function filesBelow(folder: string): Promise<readonly string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    throw new CommandError(EXIT.usage, `${folder} cannot be read as a folder: ${codeOf(error)}`);
  });
  return found
    .filter((one) => one.isFile())
    .map((one) => relative(folder, join(one.parentPath, one.name)))
    .toSorted();
}

/** Documents of a YAML or JSON file; lists of Kubernetes are taken apart. */
export async function readDocuments(path: string, shown: string = path): Promise<readonly SourceDocument[]> {
  const read = readYaml(await readText(path, shown));
  if (read.kind === 'refused') throw new CommandError(EXIT.usage, `${shown}: ${read.message}`);
  return read.values.filter(isObject).flatMap((value) => {
    const items = String(value['kind']).endsWith('List') ? value['items'] : undefined;
    const objects = Array.isArray(items) ? items.filter(isObject) : [value];
    return objects.map((one) => ({ file: shown, value: one }));
  });
}

/** Documents of all YAML and JSON files at `path`: a folder, or one file. */
export async function documentsAt(path: string): Promise<readonly SourceDocument[]> {
  const found = await stat(path).catch((error: unknown) => {
    throw new CommandError(EXIT.usage, `${path} cannot be read: ${codeOf(error)}`);
  });
  if (found.isFile()) return readDocuments(path);
  const files = (await filesBelow(path)).filter((file) => MANIFESTS.includes(extname(file)));
  return (await Promise.all(files.map((file) => readDocuments(join(path, file), file)))).flat();
}

/** The text of a file that somebody named. */
export async function readText(path: string, shown: string = path): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES)
      throw new CommandError(EXIT.usage, `${shown} has ${size} bytes; at most ${MAX_FILE_BYTES} are read`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(EXIT.usage, `${shown} cannot be read: ${codeOf(error)}`);
  }
}

const CODES: Readonly<Record<string, string>> = {
  ENOENT: 'it is not there',
  EISDIR: 'it is a folder, and one file is wanted',
  EACCES: 'you may not read it',
};

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return CODES[code] ?? code;
}
