// SPDX-License-Identifier: Apache-2.0
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { temporaryFolder } from '../tools/testing/temporary-folder.ts';
import { emptyFolder, LIST } from './folder.ts';
import { ReleaseError } from './source.ts';

const EARLIER = JSON.stringify({ version: '1.0.0', commit: 'c0ffee', artifacts: [] });

/** A repository within a folder, with folders that somebody may have named. */
async function places(t: ExecutionContext) {
  const parent = await temporaryFolder(t, 'release');
  const root = join(parent, 'repository');
  for (const path of ['.git', 'docs', 'empty', 'earlier/layouts', 'other'])
    await mkdir(join(root, path), { recursive: true });
  await writeFile(join(root, 'docs/page.md'), 'text');
  await writeFile(join(root, 'earlier', LIST), EARLIER);
  await writeFile(join(root, 'earlier/sbom.cdx.json'), '{}');
  await writeFile(join(root, 'other', LIST), '{"version":"1.0.0"}');
  await symlink(root, join(parent, 'link'));
  return { parent, root };
}

const REFUSED: Readonly<Record<string, { readonly path: string; readonly says: RegExp }>> = {
  'the repository': { path: '.', says: /holds the repository; wanted is a folder of its own/ },
  'a folder that the repository is in': { path: '..', says: /holds the repository/ },
  'the repository by another name': { path: '../link', says: /holds the repository/ },
  'a folder with something in it': { path: 'docs', says: /not empty, and has no release\.json/ },
  'a list of something else': { path: 'other', says: /not empty, and has no release\.json/ },
  'a file': { path: 'docs/page.md', says: /which is a file/ },
};

for (const [title, { path, says }] of Object.entries(REFUSED)) {
  test(`not emptied: ${title}`, async (t) => {
    const { parent, root } = await places(t);
    const before = await readdir(parent, { recursive: true });
    const error = await t.throwsAsync(emptyFolder(root, join(root, path)), { instanceOf: ReleaseError });
    t.regex(error?.message ?? '', says);
    t.deepEqual(await readdir(parent, { recursive: true }), before);
  });
}

for (const path of ['new/within', 'empty', 'earlier', '../repository-release']) {
  test(`a release may be made in ${path}, and again where one was cut off`, async (t) => {
    const { root } = await places(t);
    const folder = join(root, path);
    await emptyFolder(root, folder);
    t.deepEqual(await readdir(folder), [LIST]);
    await mkdir(join(folder, 'scratch/dist'), { recursive: true });
    await emptyFolder(root, folder);
    t.deepEqual(await readdir(folder), [LIST]);
    t.true((await readdir(root)).includes('.git'));
  });
}
