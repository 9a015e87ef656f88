// SPDX-License-Identifier: Apache-2.0
import { Writable } from 'node:stream';
import test from 'ava';
import { type BuildStep, showBuild } from './progress.ts';

const step = (state: BuildStep['state'], seconds: number, note?: string): BuildStep => ({
  program: 'etcd',
  position: 2,
  total: 6,
  elapsedMs: seconds * 1000,
  state,
  ...(note !== undefined && { note }),
});

function show(isTTY: boolean, steps: readonly BuildStep[]): string {
  let shown = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      shown += String(chunk);
      done();
    },
  });
  const observer = showBuild(Object.assign(stream, { isTTY }) as unknown as NodeJS.WriteStream);
  for (const each of steps) {
    observer(each);
  }
  return shown;
}

test('elsewhere: a line at the start, one now and then, and one at the end', (t) => {
  const building = Array.from({ length: 42 }, (_, second) => step('building', second));
  t.deepEqual(show(false, [...building, step('built', 42)]).split('\n'), [
    '[2/6] etcd: building 0 s',
    '[2/6] etcd: building 20 s',
    '[2/6] etcd: building 40 s',
    '[2/6] etcd: built 42 s',
    '',
  ]);
});

test('on a terminal: one line that is rewritten, and stays when the program is built', (t) => {
  const shown = show(true, [step('waiting', 0, 'process 7 builds'), step('building', 1), step('built', 2)]);
  t.is(shown.split('\n').length, 2);
  t.true(shown.startsWith('\r\u001B[K[2/6] etcd: waiting 0 s (process 7 builds)\r'));
  t.true(shown.endsWith('[2/6] etcd: built 2 s\n'));
});
