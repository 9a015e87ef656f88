// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { EvaluationFailure } from '../verdict.ts';
import { SURE_SHARE_OF_LOADS, ThreadTime } from './clock.ts';

const STOPPED = 'it was stopped after 10 ms or more, of which it had a processor for 4 at least';

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
  'the deadline has passed, and it has had what is sure': { wallMs: 1010, processorMs: 54, want: STOPPED },
  'the deadline has passed, and it has not had what is sure': { wallMs: 5000, processorMs: 53.9, want: true },
  'it has had what is sure, and there is time': { wallMs: 1009.9, processorMs: 59, want: true },
  'it has had all of it': { wallMs: 1010, processorMs: 60, want: STOPPED },
  'all has long since passed': { wallMs: 9000, processorMs: 900, want: STOPPED },
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

test('of what is loaded more is sure', (t) => {
  const clocks = { wallMs: 1000, processorMs: 50 };
  const time = new ThreadTime({ wallMs: () => clocks.wallMs, processorMs: () => clocks.processorMs });
  time.begin(10, SURE_SHARE_OF_LOADS);
  Object.assign(clocks, { wallMs: 5000, processorMs: 56.9 });
  t.notThrows(time.expectTime);
  clocks.processorMs = 57;
  t.throws(time.expectTime, { message: /^it was stopped after 10 ms or more, .* for 7 at least$/ });
});
