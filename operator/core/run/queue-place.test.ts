// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { isWorthWriting } from './queue-place.ts';
import { ago, makeRun, NOW } from './testing/make.ts';

interface Case {
  /** Place and age of what is written, in seconds; undefined when nothing is. */
  readonly written?: { readonly position: number; readonly seconds: number; readonly reason?: string };
  readonly position: number;
  readonly want: boolean;
}

const cases: Record<string, Case> = {
  'a first place is written': { position: 900, want: true },
  'a place that has not changed is not written again': {
    written: { position: 3, seconds: 99 },
    position: 3,
    want: false,
  },
  'a place near the head is exact': { written: { position: 3, seconds: 6 }, position: 2, want: true },
  'but not at every step': { written: { position: 3, seconds: 2 }, position: 2, want: false },
  'a place far back stands while it changes little': {
    written: { position: 1000, seconds: 99 },
    position: 900,
    want: false,
  },
  'and is written again when it changed much': {
    written: { position: 1000, seconds: 99 },
    position: 700,
    want: true,
  },
  'but not more often than every half minute': {
    written: { position: 1000, seconds: 20 },
    position: 700,
    want: false,
  },
  'another reason is told': {
    written: { position: 3, seconds: 6, reason: 'Pending' },
    position: 3,
    want: true,
  },
};

for (const [name, { written, position, want }] of Object.entries(cases)) {
  test(name, (t) => {
    const run = makeRun(
      {},
      written && {
        phase: 'Queued',
        queue: {
          position: written.position,
          reason: written.reason ?? 'ConcurrencyExceeded',
          message: '',
          since: ago(120),
          updatedAt: ago(written.seconds),
        },
      },
    );
    t.is(isWorthWriting(run, { position, reason: 'ConcurrencyExceeded', message: '' }, NOW), want);
  });
}
