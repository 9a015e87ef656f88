// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ServerClock } from './clock.ts';

const NOON_MS = Date.parse('2026-11-22T12:00:00Z');
const HOUR_MS = 3_600_000;

interface Moment {
  /** What has passed in truth since noon. */
  readonly afterMs: number;
  /** How far the clock of the machine is ahead. */
  readonly aheadMs: number;
  /** The answer that comes then, so much after the truth. */
  readonly answerLateMs?: number;
}

interface Case {
  readonly moments: readonly Moment[];
  /** How far from the truth the time of the last moment is at most. */
  readonly withinMs: number;
  readonly isApart: boolean;
}

/** So many answers, one after the other: the first one is given, and the rest follow every so often. */
function answers(count: number, everyMs: number, first: Moment): Moment[] {
  return Array.from({ length: count }, (_, index) => ({
    ...first,
    afterMs: first.afterMs + index * everyMs,
  }));
}

const CASES: Readonly<Record<string, Case>> = {
  'before the first answer it is that of the machine': {
    moments: [{ afterMs: 0, aheadMs: HOUR_MS }],
    withinMs: HOUR_MS,
    isApart: false,
  },
  'of a machine that agrees, it is that of the machine': {
    moments: [{ afterMs: 100, aheadMs: 700, answerLateMs: 0 }],
    withinMs: 700,
    isApart: false,
  },
  'of a machine that is ahead': {
    moments: [
      ...answers(3, 10, { afterMs: 0, aheadMs: HOUR_MS, answerLateMs: 0 }),
      { afterMs: 90_250, aheadMs: HOUR_MS },
    ],
    withinMs: 1000,
    isApart: true,
  },
  'of a machine that is behind': {
    moments: [
      ...answers(3, 10, { afterMs: 0, aheadMs: -HOUR_MS, answerLateMs: 0 }),
      { afterMs: 250, aheadMs: -HOUR_MS },
    ],
    withinMs: 1000,
    isApart: true,
  },
  'of one whose clock jumps between two answers': {
    moments: [
      { afterMs: 0, aheadMs: 0, answerLateMs: 0 },
      { afterMs: 30_000, aheadMs: HOUR_MS },
    ],
    withinMs: 1000,
    isApart: true,
  },
  'and is put right again': {
    moments: [
      ...answers(3, 10, { afterMs: 0, aheadMs: HOUR_MS, answerLateMs: 0 }),
      { afterMs: 30_000, aheadMs: 0 },
    ],
    withinMs: 0,
    isApart: false,
  },
  'also where the API server is set to another time itself': {
    moments: [
      { afterMs: 0, aheadMs: 0, answerLateMs: -HOUR_MS },
      { afterMs: 1000, aheadMs: 0, answerLateMs: 0 },
    ],
    withinMs: 0,
    isApart: false,
  },
  'one stray answer changes nothing': {
    moments: [
      { afterMs: 0, aheadMs: 0, answerLateMs: 0 },
      { afterMs: 1000, aheadMs: 0, answerLateMs: HOUR_MS },
    ],
    withinMs: 0,
    isApart: false,
  },
  'nor where it is the first': {
    moments: [{ afterMs: 0, aheadMs: 0, answerLateMs: HOUR_MS }],
    withinMs: 0,
    isApart: false,
  },
  'nor many, if all come at once': {
    moments: [
      { afterMs: 0, aheadMs: 0, answerLateMs: 0 },
      ...answers(500, 19, { afterMs: 100, aheadMs: 0, answerLateMs: HOUR_MS }),
    ],
    withinMs: 0,
    isApart: false,
  },
  'nor few, however long they take': {
    moments: [
      { afterMs: 0, aheadMs: 0, answerLateMs: 0 },
      ...answers(4, 60_000, { afterMs: 100, aheadMs: 0, answerLateMs: HOUR_MS }),
    ],
    withinMs: 0,
    isApart: false,
  },
  'nor many that do not agree with each other': {
    moments: [
      { afterMs: 0, aheadMs: 0, answerLateMs: 0 },
      ...Array.from({ length: 40 }, (_, index) => ({
        afterMs: 1000 * index,
        aheadMs: 0,
        answerLateMs: (1 + (index % 2)) * HOUR_MS,
      })),
    ],
    withinMs: 0,
    isApart: false,
  },
  'that of the API server wins over the machine when many answers say so': {
    moments: [
      { afterMs: 0, aheadMs: HOUR_MS, answerLateMs: HOUR_MS },
      ...answers(500, 21, { afterMs: 1000, aheadMs: HOUR_MS, answerLateMs: 0 }),
    ],
    withinMs: 1000,
    isApart: true,
  },
};

for (const [title, { moments, withinMs, isApart }] of Object.entries(CASES)) {
  test(`the time: ${title}`, (t) => {
    let at: Moment = { afterMs: 0, aheadMs: 0 };
    const clock = new ServerClock({
      wallMs: () => NOON_MS + at.afterMs + at.aheadMs,
      elapsedMs: () => 77 + at.afterMs,
    });
    for (const moment of moments) {
      at = moment;
      const { afterMs, answerLateMs } = moment;
      if (answerLateMs !== undefined) clock.observe(new Date(NOON_MS + afterMs + answerLateMs).toUTCString());
    }
    const offMs = Math.abs(clock.now().getTime() - NOON_MS - at.afterMs);
    t.true(offMs <= withinMs, `${offMs} ms from the truth`);
    t.is(clock.isApart, isApart);
  });
}

test('the time: goes on evenly while answers come, rounded as they are', (t) => {
  let afterMs = 0;
  const clock = new ServerClock({ wallMs: () => NOON_MS + HOUR_MS + afterMs, elapsedMs: () => afterMs });
  for (let first = 0; first < 3; first += 1) clock.observe(new Date(NOON_MS).toUTCString());
  let last = 0;
  for (afterMs = 0; afterMs < 20_000; afterMs += 333) {
    clock.observe(new Date(NOON_MS + afterMs).toUTCString());
    const now = clock.now().getTime();
    t.true(now > last);
    last = now;
  }
});

test('the time: two API servers that disagree do not make it swing', (t) => {
  let afterMs = 0;
  const clock = new ServerClock({ wallMs: () => NOON_MS + afterMs, elapsedMs: () => afterMs });
  for (afterMs = 0; afterMs < 120_000; afterMs += 500) {
    // Four answers of the wrong one for each of the right one.
    const lateMs = (afterMs / 500) % 5 === 0 ? 0 : HOUR_MS;
    clock.observe(new Date(NOON_MS + afterMs + lateMs).toUTCString());
    t.is(clock.now().getTime(), NOON_MS + afterMs);
  }
});

test('the time: an answer that tells none, or nonsense, changes nothing', (t) => {
  const clock = new ServerClock({ wallMs: () => NOON_MS, elapsedMs: () => 0 });
  for (const date of [undefined, '', 'soon']) clock.observe(date);
  t.is(clock.now().getTime(), NOON_MS);
});
