// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { defined } from '../object.ts';
import { isWorthWriting } from './queue-place.ts';
import { ago, makeRun, NOW } from './testing/make.ts';

interface Case {
  /** Place and age of what is written, in seconds; undefined when nothing is. */
  readonly written?: {
    readonly position: number;
    readonly seconds: number;
    readonly reason?: string;
    readonly message?: string;
    /** How long it had waited when that was written, in seconds; 20 by default. */
    readonly waited?: number;
  };
  readonly position: number;
  readonly current?: string;
  readonly want: boolean;
}

const cases: Record<string, Case> = {
  'a first place is written': { position: 900, want: true },
  'a place that has not changed is not written again': {
    written: { position: 3, seconds: 99 },
    position: 3,
    want: false,
  },
  'a place near the head is exact': { written: { position: 3, seconds: 31 }, position: 2, want: true },
  'but not at every step': { written: { position: 3, seconds: 29 }, position: 2, want: false },
  'it stands for as long as the Run had waited': {
    written: { position: 3, seconds: 99, waited: 100 },
    position: 2,
    want: false,
  },
  'and no longer': { written: { position: 3, seconds: 101, waited: 100 }, position: 2, want: true },
  'but never for more than five minutes': {
    written: { position: 3, seconds: 301, waited: 9000 },
    position: 2,
    want: true,
  },
  'a place far back stands while it changes little': {
    written: { position: 1000, seconds: 99 },
    position: 501,
    want: false,
  },
  'and is written again when it changed much': {
    written: { position: 1000, seconds: 99 },
    position: 500,
    want: true,
  },
  'but not more often than every half minute': {
    written: { position: 1000, seconds: 20 },
    position: 500,
    want: false,
  },
  'words of a time that is over are written anew': {
    written: { position: 3, seconds: 31, message: 'until noon' },
    position: 3,
    current: 'until one',
    want: true,
  },
  'but not at once': {
    written: { position: 3, seconds: 29, message: 'until noon' },
    position: 3,
    current: 'until one',
    want: false,
  },
  'and not while they are right': {
    written: { position: 3, seconds: 99, message: 'wait until noon, or longer' },
    position: 3,
    current: 'until noon',
    want: false,
  },
  'another reason is told': {
    written: { position: 3, seconds: 6, reason: 'Pending' },
    position: 3,
    want: true,
  },
};

for (const [name, { written, position, current, want }] of Object.entries(cases)) {
  test(name, (t) => {
    const run = makeRun(
      {},
      written && {
        phase: 'Queued',
        queue: {
          position: written.position,
          reason: written.reason ?? 'ConcurrencyExceeded',
          message: written.message ?? '',
          since: ago(written.seconds + (written.waited ?? 20)),
          updatedAt: ago(written.seconds),
        },
      },
    );
    t.is(
      isWorthWriting(
        run,
        { position, reason: 'ConcurrencyExceeded', message: '', ...defined({ current }) },
        NOW,
      ),
      want,
    );
  });
}
