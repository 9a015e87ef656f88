// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import test from 'ava';
import { identityOf, isAlive, signalProcess, startTicks } from './process-identity.ts';

const rest = 'S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 2000';

const stats = {
  'a plain name': { stat: `12 (etcd) ${rest}`, want: '98765' },
  'a name with spaces and parentheses': { stat: `12 (a (b) c) ${rest}`, want: '98765' },
  'a zombie is gone': { stat: `12 (etcd) ${rest.replace('S', 'Z')}`, want: undefined },
};

for (const [title, { stat, want }] of Object.entries(stats)) {
  test(title, (t) => {
    t.is(startTicks(stat), want);
  });
}

test('a process is itself until it ends, and a namesake is not it', async (t) => {
  const child = spawn('sleep', ['300']);
  const identity = identityOf(child.pid!)!;
  t.true(isAlive(identity));
  const namesake = { pid: identity.pid, startedAt: 'another boot/1' };
  t.false(isAlive(namesake));
  signalProcess(namesake, 'SIGKILL');
  t.true(isAlive(identity));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  signalProcess(identity, 'SIGKILL');
  await ended;
  t.false(isAlive(identity));
  t.notThrows(() => signalProcess(identity, 'SIGKILL'));
});
