// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { EvaluationFailure } from '../verdict.ts';
import { ThreadTime } from './clock.ts';

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
    processorMs: 55,
    want: 'it was stopped after 5 ms of a processor, which took 12 ms or more; it may have 10',
  },
  'it is late, and has not had what is sure': { wallMs: 5000, processorMs: 54.9, want: true },
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
