// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { EvaluationFailure } from '../verdict.ts';
import { REST, ThreadTime } from './clock.ts';

/** What both clocks tell after it has begun with ten milliseconds at 1000 and 50; whether there is time, or what is said. */
const CASES: Readonly<
  Record<string, { readonly wallMs: number; readonly processorMs: number; readonly want: true | string }>
> = {
  'nothing has passed': { wallMs: 1000, processorMs: 50, want: true },
  'neither has reached its end': { wallMs: 1009, processorMs: 59, want: true },
  'the wall has, but others had the processor': { wallMs: 5000, processorMs: 51, want: true },
  'the wall tells less than the processor, whose clock goes by ticks': {
    wallMs: 1009,
    processorMs: 64,
    want: true,
  },
  'it is late, and has had what is sure': {
    wallMs: 1012,
    processorMs: 57,
    want: 'it was stopped after 7 ms of a processor, which took 12 ms or more; it may have 10',
  },
  'it is late, and has not had what is sure': { wallMs: 5000, processorMs: 56.9, want: true },
  'it has had what is sure, and is not late': { wallMs: 1011, processorMs: 59, want: true },
  'both have': { wallMs: 1010, processorMs: 60, want: 'it was stopped after 10 ms' },
  'both have long since': { wallMs: 9000, processorMs: 900, want: 'it was stopped after 10 ms' },
};

for (const [title, { want, ...now }] of Object.entries(CASES)) {
  test(`time by two clocks: ${title}`, (t) => {
    const clocks = { wallMs: 1000, processorMs: 50 };
    const time = new ThreadTime({ wallMs: () => clocks.wallMs, processorMs: () => clocks.processorMs });
    t.notThrows(time.expectTime, 'nothing has begun');
    time.begin(10);
    Object.assign(clocks, now);
    if (want === true) return t.notThrows(time.expectTime);
    const error = t.throws(time.expectTime, { instanceOf: EvaluationFailure });
    t.is(error.reason, 'Timeout');
    t.is(error.message, want);
    time.begin(10);
    return t.notThrows(time.expectTime, 'the next one has its own');
  });
}

/** Asks every so often, by the wall, from when it begins with `deadlineMs`; when it has rested, each time for a quarter of a millisecond. */
function restsOf(deadlineMs: number, { stepMs, forMs }: { readonly stepMs: number; readonly forMs: number }) {
  let wallMs = 1000;
  const rests: number[] = [];
  const time = new ThreadTime({ wallMs: () => wallMs, processorMs: () => 0 }, () => {
    rests.push(wallMs - 1000);
    wallMs += 0.25;
  });
  time.begin(deadlineMs);
  for (; wallMs < 1000 + forMs; wallMs += stepMs) time.expectTime();
  return rests;
}

test('what is quick never rests', (t) => {
  t.deepEqual(restsOf(50, { stepMs: 0.125, forMs: 2 }), []);
});

test('what takes long lets others go first, each time that it has run for a while', (t) => {
  t.deepEqual(restsOf(50, { stepMs: 0.125, forMs: 6 }), [2, 3.25, 4.5, 5.75]);
});

test('who asks rarely rests once for all of it', (t) => {
  t.deepEqual(restsOf(50, { stepMs: 8, forMs: 30 }), [8, 16.25, 24.5]);
});

test('beyond its deadline nothing rests: it is to come to its end', (t) => {
  t.deepEqual(restsOf(4, { stepMs: 0.5, forMs: 1000 }), [2, 3.25]);
});

test('each evaluation begins without a rest', (t) => {
  let wallMs = 0;
  let rests = 0;
  const clocks = { wallMs: () => wallMs, processorMs: () => 0 };
  const time = new ThreadTime(clocks, () => {
    rests += 1;
  });
  for (let evaluation = 0; evaluation < 100; evaluation += 1) {
    time.begin(50);
    wallMs += REST.afterMs - 0.5;
    time.expectTime();
  }
  t.is(rests, 0);
});
