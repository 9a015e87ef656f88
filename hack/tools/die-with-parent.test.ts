// SPDX-License-Identifier: Apache-2.0
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { dieWithParent } from './die-with-parent.ts';
import { identityOf, isAlive } from './process-identity.ts';

test('arguments reach the program unchanged, and its exit code comes back', (t) => {
  const odd = ['a b', '$HOME', '"quoted"', '', '--pdeathsig'];
  const script = 'console.log(JSON.stringify(process.argv.slice(1))); process.exit(7)';
  const command = dieWithParent({ program: process.execPath, args: ['-e', script, '--', ...odd] });
  const { stdout, status } = spawnSync(command.program, command.args, { encoding: 'utf8' });
  t.deepEqual(JSON.parse(stdout), odd);
  t.is(status, 7);
});

test('the program is killed with its parent, however that ends', async (t) => {
  const module = JSON.stringify(import.meta.resolve('./die-with-parent.ts'));
  const parentScript = `
    const { dieWithParent } = await import(${module});
    const { spawn } = await import('node:child_process');
    const command = dieWithParent({ program: 'sleep', args: ['300'] });
    const child = spawn(command.program, command.args, { stdio: 'ignore' });
    console.log(child.pid);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', parentScript], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: parent.stdout });
  const pid = Number(await new Promise<string>((resolve) => lines.once('line', resolve)));
  const child = identityOf(pid);
  t.truthy(child);
  parent.kill('SIGKILL');
  const deadline = performance.now() + 60_000;
  while (isAlive(child!) && performance.now() < deadline) {
    await delay(10);
  }
  t.false(isAlive(child!));
});
