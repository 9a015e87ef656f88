// SPDX-License-Identifier: Apache-2.0
import { lstat, mkdir, mkdtemp, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** What the link is called that leads to the files that count. */
const DATA = '..data';

/**
 * Puts files into a folder as a kubelet puts a Secret into a volume: into a folder of their own, to which a link leads that is replaced at once,
 * while each name leads there by that link. What was there before is removed after that. Resolves with the folder that they are in.
 */
export async function putVolume(
  folder: string,
  files: Readonly<Record<string, string | Buffer>>,
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const before = await readlink(join(folder, DATA)).catch(() => undefined);
  const own = await mkdtemp(join(folder, '..2026_'));
  for (const [name, content] of Object.entries(files)) await writeFile(join(own, name), content);
  await symlink(basename(own), join(folder, '..data_tmp'));
  await rename(join(folder, '..data_tmp'), join(folder, DATA));
  for (const name of Object.keys(files)) {
    const isThere = await lstat(join(folder, name)).then(
      () => true,
      () => false,
    );
    if (!isThere) await symlink(join(DATA, name), join(folder, name));
  }
  if (before !== undefined) await rm(join(folder, before), { recursive: true });
  return own;
}
