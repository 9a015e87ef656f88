// SPDX-License-Identifier: Apache-2.0
import { setImmediate } from 'node:timers/promises';
import test from 'ava';
import * as fc from 'fast-check';
import { Freshness } from './freshness.ts';

/** A clock that is set by hand, with what is to be done when. */
class HandClock {
  ms = 0;
  #alarms: { readonly atMs: number; readonly does: () => void }[] = [];

  readonly after = (ms: number, does: () => void): (() => void) => {
    const alarm = { atMs: this.ms + ms, does };
    this.#alarms.push(alarm);
    return () => void (this.#alarms = this.#alarms.filter((one) => one !== alarm));
  };

  /** Sets it, and does what was to be done until then. */
  async goTo(ms: number): Promise<void> {
    this.ms = ms;
    for (const { does } of this.#alarms.filter(({ atMs }) => atMs <= ms)) does();
    // Who is answered looks before anything else happens.
    await setImmediate();
  }
}

/** A watch that has proven enough to be worth waiting for: each in 60 ms, or `lagMs`, so that three times that is waited. */
function livelyOne(lagMs = 60) {
  const clock = new HandClock();
  const freshness = new Freshness(() => clock.ms, clock.after);
  freshness.startAnew(0n);
  for (let n = 1n; n <= 4n; n += 1n) {
    freshness.wrote(n, clock.ms - lagMs);
    freshness.told(n);
  }
  return { freshness, clock };
}

/** What is known by now. */
async function stateOf(asked: Promise<boolean>): Promise<boolean | 'open'> {
  return Promise.race([asked, setImmediate('open' as const)]);
}

test('a watch that tells of a write of ours has told all that was written before that was sent', async (t) => {
  const { freshness, clock } = livelyOne();
  const asked = freshness.isProven();
  clock.ms = 5;
  freshness.wrote(12n, 5);
  t.is(await stateOf(asked), 'open', 'not told yet');
  freshness.told(11n);
  t.is(await stateOf(asked), 'open', 'something else was told');
  freshness.told(12n);
  t.true(await asked);
});

test('a write that was sent before somebody asked proves nothing to him', async (t) => {
  const { freshness, clock } = livelyOne();
  clock.ms = 10;
  const asked = freshness.isProven();
  freshness.wrote(12n, 9);
  freshness.told(12n);
  t.is(await stateOf(asked), 'open');
});

test('who has waited for a moment asks the API server, and the next ones do so at once', async (t) => {
  const { freshness, clock } = livelyOne(1);
  const first = freshness.isProven();
  await clock.goTo(5);
  t.is(await stateOf(first), 'open');
  await clock.goTo(6);
  t.false(await first);
  for (let n = 0; n < 8; n += 1) t.is(await stateOf(freshness.isProven()), false);
  const asked = freshness.isProven();
  freshness.wrote(9n, clock.ms);
  freshness.told(9n);
  t.true(await asked, 'it is tried again');
});

test('a write that the watch told of before its answer came counts at once', async (t) => {
  const { freshness } = livelyOne();
  const asked = freshness.isProven();
  freshness.told(15n);
  freshness.wrote(12n, 0);
  t.true(await asked);
});

test('where little is written nobody waits', async (t) => {
  const { freshness, clock } = livelyOne();
  clock.ms = 161;
  t.is(await stateOf(freshness.isProven()), false, 'the last proofs are too old');
  t.is(await stateOf(livelyOne(151).freshness.isProven()), false, 'they came too late');
  const never = new Freshness(() => 0, livelyOne().clock.after);
  t.is(await stateOf(never.isProven()), false);
});

test('what was not told when a watch began anew is not waited for, and what it told before counts no more', async (t) => {
  const { freshness } = livelyOne();
  const asked = freshness.isProven();
  freshness.wrote(12n, 0);
  freshness.startAnew(5n);
  t.is(await stateOf(freshness.isProven()), false);
  freshness.told(14n);
  t.is(await stateOf(asked), 'open');
});

test('a silent watch keeps no more than it has to', async (t) => {
  const { freshness } = livelyOne();
  const asked = freshness.isProven();
  for (let n = 10; n < 5000; n += 1) freshness.wrote(BigInt(n), n);
  freshness.told(3000n);
  t.is(await stateOf(asked), 'open', 'forgotten');
  freshness.told(4500n);
  t.true(await asked);
});

/** Writes of everybody in the order of their versions, with how long after the last one each was made, how long before that it was sent, and so on. */
const history = fc.array(
  fc.record({
    afterMs: fc.nat(20),
    sentBeforeMs: fc.nat(30),
    answeredAfterMs: fc.nat(30),
    toldAfterMs: fc.nat(60),
    askedAfterMs: fc.nat(60),
    isOurs: fc.boolean(),
  }),
  { minLength: 1, maxLength: 30 },
);

test('who is told that he knows everything lacks no write that was answered before he asked', async (t) => {
  let proven = 0;
  const holds = fc.asyncProperty(history, async (steps) => {
    const { freshness, clock } = livelyOne();
    let madeAtMs = 0;
    const writes = steps.map((step, index) => {
      madeAtMs += step.afterMs;
      return { ...step, madeAtMs, answeredAtMs: madeAtMs + step.answeredAfterMs, version: index + 5 };
    });
    let told = 4;
    const wrong: string[] = [];
    const ask = async (askedAtMs: number): Promise<void> => {
      if (!(await freshness.isProven())) return;
      proven += 1;
      const missing = writes.find((one) => one.version > told && one.answeredAtMs < askedAtMs);
      if (missing !== undefined) wrong.push(`asked at ${askedAtMs}, lacks ${missing.version}`);
    };
    const happens = writes.flatMap((write) => [
      { atMs: write.madeAtMs + write.toldAfterMs, does: () => (told = Math.max(told, write.version)) },
      { atMs: write.madeAtMs + write.askedAfterMs, does: () => void ask(clock.ms) },
      {
        atMs: write.answeredAtMs,
        does: () =>
          write.isOurs && freshness.wrote(BigInt(write.version), write.madeAtMs - write.sentBeforeMs),
      },
    ]);
    for (const { atMs, does } of happens.toSorted((a, b) => a.atMs - b.atMs)) {
      await clock.goTo(atMs);
      does();
      // A watch tells in order, and all that went before.
      freshness.told(BigInt(told));
      // Who has his answer looks before anything else is told.
      await setImmediate();
    }
    return wrong.length === 0;
  });
  await fc.assert(holds, { numRuns: 150 });
  t.true(proven > 100, `or nothing was tried: ${proven}`);
});
