// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import test from 'ava';
import { dieWithParent } from '../die-with-parent.ts';
import { temporaryFolder } from './temporary-folder.ts';

test('it goes with the test', async (t) => {
  const undo: (() => Promise<void>)[] = [];
  const folder = await temporaryFolder({ teardown: (one) => void undo.push(one) }, 'own');
  writeFileSync(join(folder, 'file'), '');
  t.regex(basename(folder), new RegExp(`^nexusos-own-${process.pid}-`));
  await undo[0]?.();
  t.false(existsSync(folder));
});

test('that of a test that was killed goes with the next one, and that of one that runs stays', async (t) => {
  const program = `
    import { temporaryFolder } from '${import.meta.dirname}/temporary-folder.ts';
    console.log(await temporaryFolder({ teardown() {} }, 'killed'));
    setInterval(() => undefined, 1000);`;
  const command = dieWithParent({
    program: process.execPath,
    args: ['--input-type=module', '--eval', program],
  });
  const child = spawn(command.program, command.args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [folder] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  await temporaryFolder(t, 'next');
  t.true(existsSync(folder));

  child.kill('SIGKILL');
  await once(child, 'exit');
  await temporaryFolder(t, 'next');
  t.false(existsSync(folder));
});
