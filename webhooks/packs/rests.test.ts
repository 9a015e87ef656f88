// SPDX-License-Identifier: Apache-2.0
import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { Rests } from './rests.ts';

/** Time that passes when the test says so. */
class PlayedTime {
  nowMs = 0;
  readonly sleeps: number[] = [];
  readonly #sleepers: { readonly atMs: number; readonly wake: () => void }[] = [];

  readonly now = (): number => this.nowMs;
  readonly sleep = (ms: number): Promise<void> => {
    this.sleeps.push(ms);
    return new Promise((wake) => this.#sleepers.push({ atMs: this.nowMs + ms, wake }));
  };

  async passes(ms: number): Promise<void> {
    this.nowMs += ms;
    for (const { atMs, wake } of this.#sleepers) if (atMs <= this.nowMs) wake();
    await turn();
  }
}

for (const [tookMs, restMs] of [
  [0, 50],
  [2, 50],
  [100, 2000],
  [1500, 30_000],
  [10_000, 30_000],
] as const)
  test(`what took ${tookMs} ms is followed by a rest of ${restMs} ms`, async (t) => {
    const time = new PlayedTime();
    const rests = new Rests(time);
    const did: string[] = [];
    const first = rests.take('a', () => {
      did.push('first');
      time.nowMs += tookMs;
      return Promise.resolve('done');
    });
    await time.passes(49);
    t.deepEqual(did, [], 'changes come together');
    await time.passes(1);
    t.is(await first, 'done');
    const second = rests.take('a', () => Promise.resolve(did.push('second')));
    await turn();
    t.deepEqual(time.sleeps, [50, restMs]);
    await time.passes(restMs - 1);
    t.deepEqual(did, ['first']);
    await time.passes(1);
    t.is(await second, 2);
  });

test('one does not wait for the rest of another, and what fails is rested from as well', async (t) => {
  const time = new PlayedTime();
  const rests = new Rests(time);
  const failed = rests.take('a', () => {
    time.nowMs += 1000;
    return Promise.reject(new Error('no'));
  });
  const refused = t.throwsAsync(failed, { message: 'no' });
  await time.passes(50);
  await refused;
  const other = rests.take('b', () => Promise.resolve('b'));
  const again = rests.take('a', () => Promise.resolve('a'));
  await time.passes(50);
  t.is(await other, 'b');
  t.deepEqual(time.sleeps.slice(0, 3), [50, 20_000, 50]);
  await time.passes(20_000);
  t.is(await again, 'a');
});
