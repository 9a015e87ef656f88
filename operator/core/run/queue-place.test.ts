// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { defined } from '../object.ts';
import { isWorthWriting, nextLookInQueueMs, nextLookMs, untilWorthMs } from './queue-place.ts';
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

interface Look {
  /** Age of the place that is written, in seconds; undefined when none is. */
  readonly seconds?: number;
  readonly position: number | undefined;
  readonly wantMs: number;
}

const LOOKS: Readonly<Record<string, Look>> = {
  'a place that nobody has written': { position: 900, wantMs: 5000 },
  'one near the head': { seconds: 2, position: 3, wantMs: 3000 },
  none: { seconds: 2, position: undefined, wantMs: 3000 },
  'one far back': { seconds: 2, position: 300, wantMs: 28_000 },
  'one that was looked at and found good': { seconds: 5, position: 3, wantMs: 5000 },
  'one that has stood for a minute': { seconds: 60, position: 3, wantMs: 15_000 },
  'one that has stood for an hour': { seconds: 3600, position: 3, wantMs: 60_000 },
  'one far back that has stood for a minute': { seconds: 60, position: 300, wantMs: 30_000 },
  'one far back that has stood for an hour': { seconds: 3600, position: 300, wantMs: 60_000 },
  'one of the future, by a clock that went back': { seconds: -60, position: 3, wantMs: 5000 },
};

for (const [name, { seconds, position, wantMs }] of Object.entries(LOOKS)) {
  test(`looked at again: ${name}`, (t) => {
    const queue = {
      reason: 'ConcurrencyExceeded',
      message: '',
      since: ago(7200),
      updatedAt: ago(seconds ?? 0),
    };
    const run = makeRun(
      {},
      seconds === undefined ? undefined : { phase: 'Queued', queue: { ...queue, ...defined({ position }) } },
    );
    t.is(nextLookMs(run, { position, reason: 'ConcurrencyExceeded', message: '' }, NOW), wantMs);
  });
}

interface News {
  readonly at: number | undefined;
  readonly seconds: number;
  readonly position: number | undefined;
  readonly reason?: string;
  readonly wantMs: number;
}

const NEWS: Readonly<Record<string, News>> = {
  'a place that is what it was': { at: 3, seconds: 2, position: 3, wantMs: Infinity },
  'that stays so however long it stands': { at: 3, seconds: 9000, position: 3, wantMs: Infinity },
  'one near the head that has moved': { at: 3, seconds: 10, position: 2, wantMs: 20_000 },
  'one far back that has moved little': { at: 300, seconds: 10, position: 200, wantMs: Infinity },
  'one far back that has come down to half': { at: 300, seconds: 10, position: 150, wantMs: 20_000 },
  'one that is overdue': { at: 3, seconds: 40, position: 2, wantMs: -10_000 },
  'another reason near the head': { at: 3, seconds: 2, position: 3, reason: 'Other', wantMs: 3000 },
  'another reason far back': { at: 300, seconds: 2, position: 300, reason: 'Other', wantMs: 28_000 },
};

for (const [name, { at, seconds, position, reason = 'ConcurrencyExceeded', wantMs }] of Object.entries(
  NEWS,
)) {
  test(`news: ${name}`, (t) => {
    const written = { reason: 'ConcurrencyExceeded', message: '', updatedAt: ago(seconds) };
    const queue = { ...written, since: ago(seconds + 20), ...defined({ position: at }) };
    const run = makeRun({}, { phase: 'Queued', queue });
    const place = { position, reason, message: '' };
    t.is(untilWorthMs(run, place, NOW), wantMs);
    t.is(isWorthWriting(run, place, NOW), wantMs <= 0);
    // What is written by this pass is told, and what is told is looked at by nobody for long.
    t.is(nextLookInQueueMs(run, place, NOW), wantMs > 0 && wantMs < Infinity ? wantMs : 900_000);
  });
}

test('news: what was never written is written now', (t) => {
  t.is(untilWorthMs(makeRun(), { position: 1, reason: 'ConcurrencyExceeded', message: '' }, NOW), 0);
});
