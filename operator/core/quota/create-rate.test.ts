// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { NOW } from '../run/testing/make.ts';
import { CreateRate, type RateLimit } from './create-rate.ts';

const LIMIT: RateLimit = { perSecond: 2, burst: 3 };
const start = NOW.getTime();

/** Starts as many as `wanted` at `atMs` (from the start), as a process does that has only what was kept. */
function startAt(limit: RateLimit, kept: number | undefined, [atMs, wanted]: readonly [number, number]) {
  const rate = new CreateRate(limit, { dueMicros: kept, now: new Date(start + atMs) });
  let started = 0;
  while (started < wanted && rate.isOpen) {
    rate.take();
    started += 1;
  }
  return { started, kept: rate.dueMicros, openMs: rate.openMs(0) - start };
}

/** How many start at each of `times`. */
function startsAt(limit: RateLimit, times: readonly (readonly [number, number])[]): readonly number[] {
  let kept: number | undefined;
  return times.map((one) => {
    const next = startAt(limit, kept, one);
    ({ kept } = next);
    return next.started;
  });
}

const CASES: Readonly<
  Record<string, { readonly times: readonly (readonly [number, number])[]; readonly want: readonly number[] }>
> = {
  'a burst starts at once, and then one for each step': {
    times: [
      [0, 9],
      [499, 9],
      [500, 9],
      [999, 9],
      [1000, 9],
    ],
    want: [3, 0, 1, 0, 1],
  },
  'what was not used is there later, and never more than a burst': {
    times: [
      [0, 1],
      [1000, 9],
      [60_000, 9],
    ],
    want: [1, 3, 3],
  },
  'a clock that was set back keeps nobody waiting for longer than a step': {
    times: [
      [3_600_000, 3],
      [0, 9],
      [500, 9],
    ],
    want: [3, 0, 1],
  },
};

for (const [sentence, { times, want }] of Object.entries(CASES)) {
  test(sentence, (t) => t.deepEqual(startsAt(LIMIT, times), want));
}

test('it tells when each of those who wait may start', (t) => {
  const rate = new CreateRate(LIMIT, { dueMicros: undefined, now: NOW });
  for (let i = 0; i < 3; i += 1) rate.take();
  t.deepEqual(
    [0, 1, 2].map((ahead) => rate.openMs(ahead) - start),
    [500, 1000, 1500],
  );
});

test('a rate that does not divide a second is never exceeded', (t) => {
  const times = Array.from({ length: 7001 }, (_, i) => [i, 1] as const);
  const started = startsAt({ perSecond: 7, burst: 1 }, times).reduce((sum, one) => sum + one, 0);
  t.true(started >= 49 && started <= 50, `${started} in 7.001 s`);
});

const steps = fc.array(fc.tuple(fc.nat(3000), fc.nat(20)), { minLength: 2, maxLength: 60 });
const limits = fc.record({
  perSecond: fc.integer({ min: 1, max: 2000 }),
  burst: fc.integer({ min: 1, max: 50 }),
});

test('in no stretch of time start more than burst and rate allow, and nobody waits for nothing', (t) => {
  fc.assert(
    fc.property(limits, steps, (limit, gaps) => {
      let atMs = 0;
      let kept: number | undefined;
      const starts: number[] = [];
      for (const [gap, wanted] of gaps) {
        atMs += gap;
        const next = startAt(limit, kept, [atMs, wanted]);
        ({ kept } = next);
        for (let i = 0; i < next.started; i += 1) starts.push(atMs);
        // Who is refused may start when he was told, and not before.
        if (next.started < wanted) {
          const early = startAt(limit, kept, [next.openMs - 1, 1]);
          const due = startAt(limit, kept, [next.openMs, 1]);
          if (next.openMs <= atMs || early.started !== 0 || due.started !== 1) return false;
        }
      }
      return starts.every((from, i) =>
        starts
          .slice(i)
          .every((to, j) => j + 1 <= limit.burst + ((to - from) / 1000) * limit.perSecond + 1e-6),
      );
    }),
    { numRuns: 500 },
  );
  t.pass();
});
