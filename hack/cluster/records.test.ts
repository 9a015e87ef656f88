// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { dieWithParent } from '../tools/die-with-parent.ts';
import { temporaryFolder } from '../tools/testing/temporary-folder.ts';
import { choosePlace } from './prepare.ts';
import { readRecord, recordPathOf, sweepRecords } from './records.ts';

test.serial('what cannot be removed keeps nobody from starting a cluster, and is tried again', async (t) => {
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

test.serial(
  'the folder of a cluster whose maker was killed before its supervisor began is swept',
  async (t) => {
    const folder = await temporaryFolder(t, 'records');
    process.env['NEXUSOS_CLUSTER_RECORDS'] = folder;
    const program = join(import.meta.dirname, 'testing', 'place-maker.ts');
    const maker = dieWithParent({ program: process.execPath, args: [program] });
    const child = spawn(maker.program, maker.args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const { id, dataDir } = JSON.parse(String(line)) as { id: string; dataDir: string };
    await sweepRecords();
    t.true(existsSync(dataDir), 'its maker lives');

    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    // As one that was killed while it wrote leaves it.
    await writeFile(`${recordPathOf(id)}.unfinished`, '{');
    await sweepRecords();
    t.false(existsSync(dataDir));
    t.deepEqual(await readdir(folder), []);
  },
);

test.serial(
  'a folder that somebody has chosen is not written down before a supervisor works in it',
  async (t) => {
    const folder = await temporaryFolder(t, 'records');
    process.env['NEXUSOS_CLUSTER_RECORDS'] = join(folder, 'records');
    const { id } = await choosePlace({ dataDir: join(folder, 'd') });
    t.is(await readRecord(id), undefined);
  },
);

test.serial(
  'what a writer that was killed had not finished goes, and what may still be written stays',
  async (t) => {
    const folder = await temporaryFolder(t, 'records');
    process.env['NEXUSOS_CLUSTER_RECORDS'] = folder;
    for (const name of ['old', 'new']) await writeFile(`${recordPathOf(name)}.unfinished`, '{');
    const longAgo = new Date(Date.now() - 3_600_000);
    await utimes(`${recordPathOf('old')}.unfinished`, longAgo, longAgo);
    await sweepRecords();
    t.deepEqual(await readdir(folder), ['new.json.unfinished']);
  },
);
