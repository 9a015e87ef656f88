// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import test from 'ava';
import { rest } from './thread-rest.ts';

/** How often this thread has given its processor away by itself. */
function waits(): number {
  const status = readFileSync('/proc/thread-self/status', 'utf8');
  return Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1]);
}

test('a rest gives the processor away, each time', (t) => {
  const before = waits();
  for (let count = 0; count < 100; count += 1) rest();
  // A few may have come too late to be a wait.
  t.true(waits() - before >= 50, `of 100 rests ${waits() - before} were one`);
});
