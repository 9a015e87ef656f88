// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { dieWithParent } from '../tools/die-with-parent.ts';
import { readRecord, sweepRecords } from './records.ts';
import { SupervisorClient } from './supervisor-client.ts';
import { temporaryFolder } from '../tools/testing/temporary-folder.ts';

/** Far more than it takes: the tries to remove the data take half a second. */
const GONE_MS = 120_000;

/** Puts back what is removed from the folder, for as long as there is the folder. Never more than a hundred entries. */
const WRITER = `
  const { mkdirSync } = require('node:fs');
  for (let i = 0; ; i += 1) {
    try {
      mkdirSync(process.argv[1] + '/' + (i % 100));
      if (i === 0) console.log('writing');
    } catch (error) {
      if (error.code === 'ENOENT') break;
    }
  }`;

interface Teardown {
  teardown(undo: () => unknown): void;
}

function startProgram(t: Teardown, args: readonly string[]): ChildProcess {
  const command = dieWithParent({ program: process.execPath, args });
  const child = spawn(command.program, command.args, { stdio: ['pipe', 'pipe', 'ignore'] });
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}

/** A supervisor without components, and somebody who writes to its data folder all the time. */
async function startWatched(t: Teardown) {
  const folder = await temporaryFolder(t, 'supervisor');
  const [dataDir, records] = [join(folder, 'data'), join(folder, 'records')];
  await Promise.all([dataDir, records].map((path) => mkdir(path)));
  process.env['NEXUSOS_CLUSTER_RECORDS'] = records;
  const config = {
    id: 'watched',
    dataDir,
    socketPath: join(folder, 'supervisor.sock'),
    recordPath: join(records, 'watched.json'),
    removeData: true,
  };
  const supervisor = startProgram(t, [join(import.meta.dirname, 'supervisor.ts'), JSON.stringify(config)]);
  const client = await SupervisorClient.connect(config.socketPath, GONE_MS);
  const writer = startProgram(t, ['-e', WRITER, dataDir]);
  await once(writer.stdout!, 'data');
  return { supervisor, client, writer, config };
}

const ENDS: Readonly<Record<string, (supervisor: ChildProcess, client: SupervisorClient) => unknown>> = {
  'its owner is gone': (supervisor) => supervisor.stdin?.end(),
  'a signal asks it': (supervisor) => supervisor.kill('SIGTERM'),
  'a client asks it': (_, client) => client.stop(0),
};

for (const [title, end] of Object.entries(ENDS)) {
  test.serial(`data that others write to does not keep a supervisor alive when ${title}`, async (t) => {
    const { supervisor, client, writer, config } = await startWatched(t);
    // It ends by itself where the data is gone at once.
    const silenced = once(writer, 'exit');
    const ended = once(supervisor, 'exit', { signal: AbortSignal.timeout(GONE_MS) });
    await end(supervisor, client);
    t.deepEqual(await ended, [0, null]);
    t.is(existsSync(config.recordPath), existsSync(config.dataDir), 'data that stays is not forgotten');

    writer.kill('SIGKILL');
    await silenced;
    await sweepRecords();
    t.false(existsSync(config.dataDir));
    t.is(await readRecord(config.id), undefined);
  });
}
