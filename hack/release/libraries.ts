// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process';
import { readFile, realpath } from 'node:fs/promises';
import { promisify } from 'node:util';
import { digestOfBytes } from '#operator/core/oci/digest';
import { runProgram } from '../tools/run-program.ts';
import { ReleaseError } from './source.ts';

const execute = promisify(execFile);

/** A library of this machine that a program needs. */
export interface Library {
  /** Where programs look for it, from the root. */
  readonly path: string;
  /** The file itself. */
  readonly from: string;
  readonly digest: string;
  /** The package of the machine that it is from; undefined where nobody says. */
  readonly package?: DebianPackage;
}

/** A package of Debian, or of what is made of it. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
}

/**
 * Libraries that a program is started with, the loader among them, as that itself tells them. Throws where one is missing.
 *
 * libraryPaths('libm.so.6 => /lib/libm.so.6 (0x1)\n/lib64/ld-linux.so.2 (0x2)') -> ['/lib/libm.so.6', '/lib64/ld-linux.so.2']
 */
export function libraryPaths(said: string): readonly string[] {
  const missing = [...said.matchAll(/^\s*(\S+) => not found/gm)].map(([, name]) => name);
  if (missing.length > 0)
    throw new ReleaseError(`this machine lacks libraries of Node: ${missing.join(', ')}`);
  const found = [...said.matchAll(/^\s*(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)$/gm)].map(([, path = '']) => path);
  return [...new Set(found)].toSorted();
}

/** Libraries that `program` needs. Programs that need none are told by the loader to be static. */
export async function librariesOf(program: string): Promise<readonly Library[]> {
  // By itself: what would end it with this process is a program, too, and would tell of its own.
  const { stdout } = await execute(program, { env: { LD_TRACE_LOADED_OBJECTS: '1' } });
  const paths = libraryPaths(stdout);
  if (paths.length === 0)
    throw new ReleaseError(`${program} does not say which libraries it needs: is this Linux with glibc?`);
  return Promise.all(paths.map(libraryAt));
}

async function libraryAt(path: string): Promise<Library> {
  const from = await realpath(path);
  const owner = await packageOf([path, from, `/usr${path}`]);
  const digest = digestOfBytes(await readFile(from));
  return { path: path.slice(1), from, digest, ...(owner !== undefined && { package: owner }) };
}

/** By which name a package has it depends on when /lib became a link. */
async function packageOf(paths: readonly string[]): Promise<DebianPackage | undefined> {
  for (const path of paths) {
    const found = await dpkg(['--search', path]);
    const name = /^([^:,\s]+)/.exec(found)?.[1];
    if (name === undefined) continue;
    const said = await dpkg(['--show', '--showformat', '${Package} ${Version} ${Architecture}\\n', name]);
    const [own = '', version = '', architecture = ''] = (said.split('\n')[0] ?? '').split(' ');
    if (version !== '') return { name: own, version, architecture };
  }
  return undefined;
}

async function dpkg(args: readonly string[]): Promise<string> {
  const ran = await runProgram('dpkg-query', { args }).catch(() => undefined);
  return ran?.code === 0 ? ran.stdout : '';
}
