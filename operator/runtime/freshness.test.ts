// SPDX-License-Identifier: Apache-2.0
import { setImmediate } from 'node:timers/promises';
import test from 'ava';
import * as fc from 'fast-check';
import { Freshness } from './freshness.ts';
import { HandClock } from './testing/hand-clock.ts';

/** A watch that has proven enough to be worth waiting for: each in 60 ms, or `lagMs`, so that three times that is waited. */
function livelyOne(lagMs = 60, look?: (clock: HandClock) => Promise<bigint>) {
  const clock = new HandClock();
  const freshness = new Freshness({
    now: () => clock.ms,
    after: clock.after,
    ...(look && { look: () => look(clock) }),
  });
  freshness.startAnew(0n);
  for (let n = 1n; n <= 4n; n += 1n) {
    freshness.wrote(n, clock.ms - lagMs);
    freshness.told(n);
  }
  return { freshness, clock };
}

/** One to which much was told a moment ago, and that asks for `answers`, each to be given by hand. */
function askingOne() {
  const clock = new HandClock();
  const answers: PromiseWithResolvers<bigint>[] = [];
  const look = (): Promise<bigint> => {
    const answer = Promise.withResolvers<bigint>();
    answers.push(answer);
    return answer.promise;
  };
  const freshness = new Freshness({ now: () => clock.ms, after: clock.after, look });
  freshness.startAnew(0n);
  for (let n = 1n; n <= 8n; n += 1n) freshness.told(n);
  return { freshness, clock, answers };
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

/** One that the watch has told of version 100 at 10 ms, and of 200 at 30 ms, and that says how often versions went back. */
function rewindableOne(look?: () => Promise<bigint>) {
  const clock = new HandClock();
  const rewound: number[] = [];
  const freshness = new Freshness({
    now: () => clock.ms,
    after: clock.after,
    onRewound: () => rewound.push(clock.ms),
    ...(look && { look }),
  });
  freshness.startAnew(50n);
  for (const [ms, version] of [
    [10, 100n],
    [30, 200n],
  ] as const) {
    clock.ms = ms;
    freshness.told(version);
  }
  return { freshness, clock, rewound };
}

test('a write that is not above what was told before it was sent says that versions went back, and proves nothing', async (t) => {
  const { freshness, clock, rewound } = rewindableOne();
  clock.ms = 40;
  const asked = freshness.isProven();
  freshness.wrote(200n, 40);
  t.is(await stateOf(asked), false);
  t.deepEqual(rewound, [40]);
  for (let n = 1n; n <= 8n; n += 1n) {
    freshness.told(200n + n);
    freshness.wrote(200n + n, 41);
  }
  t.is(await stateOf(freshness.isProven()), false, 'nor does anything else');
  t.deepEqual(rewound, [40], 'told once');
  clock.ms = 50;
  freshness.startAnew(70n);
  for (let n = 71n; n <= 74n; n += 1n) {
    freshness.told(n);
    freshness.wrote(n, 50);
  }
  const again = freshness.isProven();
  freshness.wrote(75n, 51);
  freshness.told(75n);
  t.true(await again, 'after the watch began anew it proves again');
  t.deepEqual(rewound, [40]);
});

test('a write that the watch overtook is above what was told when it was sent', async (t) => {
  const { freshness, clock, rewound } = rewindableOne();
  clock.ms = 40;
  for (const sentAtMs of [0, 5, 20]) freshness.wrote(150n, sentAtMs);
  t.deepEqual(rewound, []);
  freshness.wrote(150n, 31);
  t.deepEqual(rewound, [40]);
});

test('a write from before a watch began anew says nothing of it', async (t) => {
  const { freshness, rewound } = rewindableOne();
  freshness.wrote(40n, -1);
  t.deepEqual(rewound, []);
});

test('an answer that everything is at less than was told says that versions went back', async (t) => {
  const { freshness, clock, rewound } = rewindableOne(() => Promise.resolve(199n));
  for (let n = 201n; n <= 208n; n += 1n) freshness.told(n);
  const asked = [freshness.isProven(), freshness.isProven()];
  await clock.goTo(36);
  t.deepEqual(await Promise.all(asked), [false, false]);
  t.is(rewound.length, 1);
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
  const never = new Freshness({ now: () => 0, after: livelyOne().clock.after });
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

test('one question serves all who ask at once, and what anybody has written since proves it', async (t) => {
  const { freshness, clock, answers } = askingOne();
  const asked = [freshness.isProven(), freshness.isProven(), freshness.isProven()];
  await clock.goTo(5);
  t.is(answers.length, 1);
  answers[0]?.resolve(20n);
  await setImmediate();
  freshness.told(19n);
  for (const one of asked) t.is(await stateOf(one), 'open', 'not told yet');
  freshness.told(21n);
  t.deepEqual(await Promise.all(asked), [true, true, true]);
});

test('an answer that the watch is past already proves it at once', async (t) => {
  const { freshness, clock, answers } = askingOne();
  const asked = [freshness.isProven(), freshness.isProven()];
  await clock.goTo(5);
  answers[0]?.resolve(8n);
  t.deepEqual(await Promise.all(asked), [true, true]);
});

test('an answer below what the watch had told before it was asked for proves nothing: versions went back', async (t) => {
  const { freshness, clock, answers } = askingOne();
  const asked = [freshness.isProven(), freshness.isProven()];
  await clock.goTo(5);
  answers[0]?.resolve(7n);
  t.deepEqual(await Promise.all(asked), [false, false]);
});

test('an answer that the watch went past since it was asked for proves it', async (t) => {
  const { freshness, clock, answers } = askingOne();
  const asked = [freshness.isProven(), freshness.isProven()];
  await clock.goTo(5);
  freshness.told(20n);
  answers[0]?.resolve(12n);
  t.deepEqual(await Promise.all(asked), [true, true]);
});

test('one who asks alone, or where little is told, asks for himself', async (t) => {
  const { freshness, clock, answers } = askingOne();
  const asked = freshness.isProven();
  await clock.goTo(5);
  t.false(await asked);
  await clock.goTo(801);
  t.deepEqual(await Promise.all([freshness.isProven(), freshness.isProven()]), [false, false]);
  t.is(answers.length, 0);
});

test('a question that was put before somebody asked is not his: the next one is', async (t) => {
  const { freshness, clock, answers } = askingOne();
  const first = [freshness.isProven(), freshness.isProven()];
  await clock.goTo(5);
  await clock.goTo(6);
  const second = [freshness.isProven(), freshness.isProven()];
  answers[0]?.resolve(8n);
  t.deepEqual(await Promise.all(first), [true, true]);
  for (const one of second) t.is(await stateOf(one), 'open');
  t.is(answers.length, 2);
  answers[1]?.resolve(9n);
  await setImmediate();
  freshness.told(9n);
  t.deepEqual(await Promise.all(second), [true, true]);
});

test('who gets no answer, or is told nothing for a while after it, asks for himself', async (t) => {
  const { freshness, clock, answers } = askingOne();
  const refused = [freshness.isProven(), freshness.isProven()];
  await clock.goTo(5);
  answers[0]?.reject(new Error('away'));
  t.deepEqual(await Promise.all(refused), [false, false]);
  const silent = [freshness.isProven(), freshness.isProven()];
  await clock.goTo(10);
  answers[1]?.resolve(20n);
  await setImmediate();
  await clock.goTo(109);
  for (const one of silent) t.is(await stateOf(one), 'open');
  await clock.goTo(110);
  t.deepEqual(await Promise.all(silent), [false, false]);
});

test('nobody waits longer than a second for an answer, and nobody at all while it is overdue', async (t) => {
  const { freshness, clock, answers } = askingOne();
  const first = [freshness.isProven(), freshness.isProven()];
  await clock.goTo(5);
  await clock.goTo(600);
  const second = [freshness.isProven(), freshness.isProven()];
  await clock.goTo(999);
  for (const one of [...first, ...second]) t.is(await stateOf(one), 'open');
  await clock.goTo(1000);
  t.deepEqual(await Promise.all(first), [false, false]);
  for (let n = 9n; n <= 16n; n += 1n) freshness.told(n);
  await clock.goTo(1005);
  const late = freshness.isProven();
  t.is(await stateOf(late), false, 'it is overdue');
  await clock.goTo(1600);
  t.deepEqual(await Promise.all(second), [false, false]);
  t.is(answers.length, 1);
});

test('what is waited after an answer that came late counts from when it was asked', async (t) => {
  const { freshness, clock, answers } = askingOne();
  const asked = [freshness.isProven(), freshness.isProven()];
  await clock.goTo(5);
  await clock.goTo(950);
  answers[0]?.resolve(20n);
  await setImmediate();
  for (const one of asked) t.is(await stateOf(one), 'open');
  await clock.goTo(1000);
  t.deepEqual(await Promise.all(asked), [false, false]);
});

test('what is answered to a question from before a watch began anew proves nothing of this one', async (t) => {
  const { freshness, clock, answers } = askingOne();
  const asked = [freshness.isProven(), freshness.isProven()];
  await clock.goTo(5);
  await clock.goTo(6);
  freshness.startAnew(30n);
  answers[0]?.resolve(20n);
  await setImmediate();
  freshness.told(31n);
  for (const one of asked) t.is(await stateOf(one), 'open');
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
    lookTakesMs: fc.nat(20),
    asks: fc.nat(2),
  }),
  { minLength: 1, maxLength: 30 },
);

test('who is told that he knows everything lacks no write that was answered before he asked', async (t) => {
  const count = { proven: 0, looks: 0 };
  const holds = fc.asyncProperty(history, fc.boolean(), async (steps, looks) => {
    // The least that an answer may be: what everything was at when the question was put.
    const look = async (at: HandClock): Promise<bigint> => {
      count.looks += 1;
      const versions = writes.filter((one) => one.madeAtMs <= at.ms).map(({ version }) => version);
      const { promise, resolve } = Promise.withResolvers<bigint>();
      at.after(steps[count.looks % steps.length]?.lookTakesMs ?? 0, () =>
        resolve(BigInt(Math.max(4, ...versions))),
      );
      return promise;
    };
    const { freshness, clock } = livelyOne(60, looks ? look : undefined);
    let madeAtMs = 0;
    const writes = steps.map((step, index) => {
      madeAtMs += step.afterMs;
      return { ...step, madeAtMs, answeredAtMs: madeAtMs + step.answeredAfterMs, version: index + 5 };
    });
    let told = 4;
    const wrong: string[] = [];
    const ask = async (askedAtMs: number): Promise<void> => {
      if (!(await freshness.isProven())) return;
      count.proven += 1;
      const missing = writes.find((one) => one.version > told && one.answeredAtMs < askedAtMs);
      if (missing !== undefined) wrong.push(`asked at ${askedAtMs}, lacks ${missing.version}`);
    };
    const happens = writes.flatMap((write) => [
      { atMs: write.madeAtMs + write.toldAfterMs, does: () => (told = Math.max(told, write.version)) },
      {
        atMs: write.madeAtMs + write.askedAfterMs,
        does: () => {
          for (let n = 0; n <= write.asks; n += 1) void ask(clock.ms);
        },
      },
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
  await fc.assert(holds, { numRuns: 400 });
  t.true(count.proven > 100 && count.looks > 50, `or nothing was tried: ${JSON.stringify(count)}`);
});
