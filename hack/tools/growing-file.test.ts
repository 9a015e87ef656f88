// SPDX-License-Identifier: Apache-2.0
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { GrowingFile } from './growing-file.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

test('it goes on where it stopped, by whole lines and whole characters', async (t) => {
  const path = join(await temporaryFolder(t, 'growing'), 'log');
  await writeFile(path, '');
  const file = new GrowingFile(path);
  t.deepEqual(await file.readLines(), []);
  await appendFile(path, 'one\ntw');
  t.deepEqual(await file.readLines(), ['one']);
  const [first, ...others] = Buffer.from('ö\n');
  await appendFile(path, Buffer.from([first!]));
  t.deepEqual(await file.readLines(), []);
  await appendFile(path, Buffer.from(others));
  t.deepEqual(await file.readLines(), ['twö']);
});

test('one that does not grow is an error', async (t) => {
  const path = join(await temporaryFolder(t, 'growing'), 'log');
  await writeFile(path, 'one\ntwo\n');
  const file = new GrowingFile(path);
  t.deepEqual(await file.readLines(), ['one', 'two']);
  await writeFile(path, 'one\n');
  await t.throwsAsync(file.readLines(), { message: /has become shorter/ });
});

test('one that is not there is an error', async (t) => {
  const path = join(await temporaryFolder(t, 'growing'), 'none');
  await t.throwsAsync(new GrowingFile(path).readLines(), { code: 'ENOENT' });
});
