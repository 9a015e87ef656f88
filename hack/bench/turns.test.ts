// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { keepsBar } from './report.ts';
import { medianRate, ratioFigures, timeFigures, timeTurn, type Turn } from './turns.ts';

function turns(...rates: readonly number[]): readonly Turn[] {
  return rates.map((rate) => ({ rate, spent: new Map([['operator', 100 / rate]]) }));
}

test('each turn is held to the floor right before it, not to that of a faster minute', (t) => {
  const floor = turns(100, 200, 50);
  const [median, lowest, highest] = ratioFigures('ours / floor', {
    floor,
    ours: turns(80, 150, 30),
    atLeast: 0.7,
  });
  t.is(median?.value, 0.75);
  t.true(keepsBar(median!));
  t.is(lowest?.value, 0.6);
  t.is(highest?.value, 0.8);
});

test('a turn without a floor keeps no bar', (t) => {
  const [median] = ratioFigures('ours / floor', { floor: [], ours: turns(80), atLeast: 0.7 });
  t.false(keepsBar(median!));
});

test('rates and times are the medians of the turns', (t) => {
  t.is(medianRate(turns(50, 200, 100)), 100);
  t.deepEqual(timeFigures('Run', turns(50, 200, 100)), [
    { name: 'processor time of the operator per Run', value: 1, unit: 'ms' },
  ]);
});

test('a turn counts what its programs take', async (t) => {
  const turn = await timeTurn({ this: process.pid }, 10, async () => {
    // Some processor time, so that a clock of a hundredth of a second sees it.
    const endMs = performance.now() + 100;
    while (performance.now() < endMs);
    return 2;
  });
  t.is(turn.rate, 5);
  t.true((turn.spent.get('this') ?? 0) > 0);
});
