// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { leastBytes, memoryShares } from './memory-shares.ts';

const MIB = 1024 * 1024;
const THREADS = { workers: 4, spareWorkers: 1 };

for (const [limitMiB, residentMiB, maxMemoryMiB, keptMiB] of [
  [undefined, 96, 64, 512],
  [768, 77, 64, 185],
  [512, 37, 37, 89],
  [400, 19, 19, 47],
  [200, 16, 16, 32],
] as const)
  test(`of ${limitMiB ?? 'any'} MiB`, (t) => {
    const shares = memoryShares({ ...THREADS, limitBytes: limitMiB && limitMiB * MIB });
    const inMiB = [shares.residentBytes, shares.keptBytes].map((bytes) => Math.floor(bytes / MIB));
    t.deepEqual([...inMiB, shares.maxMemoryMiB], [residentMiB, keptMiB, maxMemoryMiB]);
  });

test('all together are never more than there is, from the least on', (t) => {
  for (const workers of [2, 4, 16, 32])
    for (const more of [0, 1, 10, 100, 1000, 4000]) {
      const limitBytes = leastBytes({ workers, spareWorkers: 1 }) + more * MIB;
      const { residentBytes, keptBytes, maxMemoryMiB } = memoryShares({
        workers,
        spareWorkers: 1,
        limitBytes,
      });
      const own = (144 + (workers + 1) * 26) * MIB;
      t.true(own + residentBytes * workers + keptBytes <= limitBytes, `${workers} workers, ${more} MiB more`);
      t.true(maxMemoryMiB * MIB <= residentBytes);
    }
});
