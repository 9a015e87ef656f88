// SPDX-License-Identifier: Apache-2.0
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { readRecord, sweepRecords } from './records.ts';
import { temporaryFolder } from '../tools/testing/temporary-folder.ts';

test('what cannot be removed keeps nobody from starting a cluster, and is tried again', async (t) => {
  const folder = await temporaryFolder(t, 'records');
  process.env['NEXUSOS_CLUSTER_RECORDS'] = folder;
  const file = join(folder, 'no-folder');
  await writeFile(file, '');
  const supervisor = { pid: process.pid, startedAt: 'another boot/1' };
  // What lies below a file cannot be removed.
  const record = { id: 'x', dataDir: join(file, 'data'), removeData: true, supervisor, components: {} };
  await writeFile(join(folder, 'x.json'), JSON.stringify(record));

  await t.notThrowsAsync(sweepRecords());
  t.deepEqual(await readRecord('x'), record, 'it is not forgotten');
  await rm(file);
  await mkdir(record.dataDir, { recursive: true });
  await sweepRecords();
  t.is(await readRecord('x'), undefined);
  await t.throwsAsync(rm(record.dataDir), { code: 'ENOENT' }, 'its data went, too');
});
