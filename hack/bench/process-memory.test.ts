// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { fieldMegabytes, peakMegabytes, residentMegabytes } from './process-memory.ts';

const STATUS = 'Name:\tnode\nVmHWM:\t  500000 kB\nVmRSS:\t  250000 kB\nThreads:\t11\n';

const table: Record<string, { field: string; want: number }> = {
  'what is resident': { field: 'VmRSS', want: 256 },
  'what was resident at most': { field: 'VmHWM', want: 512 },
  'a field that is not there': { field: 'VmSwap', want: Number.NaN },
  'one that is no memory': { field: 'Threads', want: Number.NaN },
};

for (const [name, { field, want }] of Object.entries(table)) {
  test(`fieldMegabytes: ${name}`, (t) => t.is(fieldMegabytes(STATUS, field), want));
}

test('what was let go still counts in the peak', async (t) => {
  const before = await peakMegabytes(process.pid);
  t.true((await residentMegabytes(process.pid)) <= before + 1);
  const block = Buffer.alloc(128 * 1024 * 1024, 1);
  t.is(block.at(-1), 1);
  t.true((await peakMegabytes(process.pid)) >= 134);
});
