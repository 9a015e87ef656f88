// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { LoopShare } from './loop-share.ts';

/** Works in `workers` chains of microtasks, a millisecond a step, until a turn of the loop ends it. Returns the steps that were made by then. */
async function stepsUntilTurn(share: LoopShare, clock: { ms: number }, workers: number): Promise<number> {
  let steps = 0;
  const turned = new AbortController();
  setTimeout(() => turned.abort());
  const work = async (): Promise<void> => {
    while (!turned.signal.aborted && steps < 100_000) {
      await share.rest();
      steps += 1;
      clock.ms += 1;
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  return steps;
}

for (const workers of [1, 16]) {
  test(`a timer has its turn beside ${workers} that always have work`, async (t) => {
    const clock = { ms: 0 };
    const steps = await stepsUntilTurn(new LoopShare(() => clock.ms), clock, workers);
    t.true(steps < 1000, `${steps} steps of a millisecond without a turn`);
  });
}

test('who has worked for a moment only goes on at once', async (t) => {
  const clock = { ms: 0 };
  const share = new LoopShare(() => clock.ms);
  let hasTurned = false;
  setImmediate(() => {
    hasTurned = true;
  });
  for (let step = 0; step < 9; step += 1) {
    await share.rest();
    clock.ms += 1;
  }
  t.false(hasTurned);
  clock.ms += 1;
  await share.rest();
  await share.rest();
  t.true(hasTurned);
});

test('each turn has a share of its own', async (t) => {
  const clock = { ms: 0 };
  const share = new LoopShare(() => clock.ms);
  await share.rest();
  clock.ms += 10;
  await share.rest();
  let hasTurned = false;
  setImmediate(() => {
    hasTurned = true;
  });
  for (let step = 0; step < 5; step += 1) await share.rest();
  t.false(hasTurned);
});

for (const sliceMs of [1, 4, 20]) {
  test(`work goes on for ${sliceMs} ms of a turn where that is its share`, async (t) => {
    const clock = { ms: 0 };
    const share = new LoopShare(() => clock.ms, sliceMs);
    let hasTurned = false;
    setImmediate(() => {
      hasTurned = true;
    });
    await share.rest();
    clock.ms = sliceMs - 1;
    await share.rest();
    t.false(hasTurned);
    clock.ms = sliceMs;
    await share.rest();
    await share.rest();
    t.true(hasTurned);
  });
}
