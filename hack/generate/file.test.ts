// SPDX-License-Identifier: Apache-2.0
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { differences, writeFiles } from './file.ts';
import { temporaryFolder } from '../tools/testing/temporary-folder.ts';

test('what is written compares equal; what changed, is missing or left over is named', async (t) => {
  const root = await temporaryFolder(t, 'generate');
  const files = ['a', 'b', 'c'].map((name) => ({
    path: `docs/reference/deep/${name}.md`,
    text: `${name}\n`,
  }));

  t.is((await differences(root, files)).length, 3, 'nothing is there yet');
  await writeFiles(root, files);
  t.deepEqual(await differences(root, files), []);

  await writeFile(join(root, 'docs/reference/deep/a.md'), 'edited');
  await rm(join(root, 'docs/reference/deep/b.md'));
  await writeFile(join(root, 'docs/reference/old.md'), 'old');
  t.deepEqual(await differences(root, files), [
    { path: 'docs/reference/deep/a.md', kind: 'changed' },
    { path: 'docs/reference/deep/b.md', kind: 'missing' },
    { path: 'docs/reference/old.md', kind: 'left over' },
  ]);

  await writeFiles(root, files);
  t.deepEqual(await differences(root, files), []);
  t.is(await readFile(join(root, 'docs/reference/deep/a.md'), 'utf8'), 'a\n');
});
