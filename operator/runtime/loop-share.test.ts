// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
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

for (const workers of [2, 16, 100]) {
  test(`${workers} that wait do no more in a turn than one would, and all of them come to work`, async (t) => {
    const clock = { ms: 0 };
    const share = new LoopShare(() => clock.ms, 4);
    const turns: number[] = [0];
    let isDone = false;
    const turn = (): void => {
      turns.push(0);
      if (!isDone) setImmediate(turn);
    };
    setImmediate(turn);
    const passes = Array.from({ length: workers }, () => 0);
    const work = async (_: unknown, worker: number): Promise<void> => {
      while ((passes[worker] ?? 0) < 20) {
        await share.rest();
        // What is taken from a queue, and what a pass reads, comes by microtasks.
        for (let step = 0; step < 5; step += 1) await Promise.resolve();
        clock.ms += 1;
        passes[worker] = (passes[worker] ?? 0) + 1;
        turns[turns.length - 1] = (turns.at(-1) ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: workers }, work));
    isDone = true;
    t.true(passes.every((made) => made === 20));
    t.true(Math.max(...turns) <= 5, `${Math.max(...turns)} passes of a millisecond in a turn of 4`);
  });
}

for (const [answersMs, most] of [
  [0, 4],
  [2, 4],
  [4, 2],
  [8, 1],
] as const) {
  test(`after ${answersMs} ms of answers ${most} of those who wait for 1 ms each go on in a turn of 6`, async (t) => {
    const clock = { ms: 0 };
    const share = new LoopShare(() => clock.ms, 4, { activeMs: () => clock.ms, mostMs: 6 });
    const turns: number[] = [];
    let isDone = false;
    const answer = (): void => {
      turns.push(0);
      clock.ms += answersMs;
      if (!isDone) setImmediate(answer);
    };
    setImmediate(answer);
    const work = async (): Promise<void> => {
      await share.rest();
      clock.ms += 1;
      turns[turns.length - 1] = (turns.at(-1) ?? 0) + 1;
    };
    await Promise.all(Array.from({ length: 60 }, work));
    isDone = true;
    // The first and the last are no whole turns.
    t.deepEqual(new Set(turns.slice(1, -1)), new Set([most]), turns.join(' '));
  });
}

test('who waits for something else meanwhile keeps nobody', async (t) => {
  const clock = { ms: 0 };
  const share = new LoopShare(() => clock.ms, 4);
  const order: string[] = [];
  const work = async (name: string, waits: Promise<unknown>): Promise<void> => {
    clock.ms += 4;
    await share.rest();
    order.push(`${name} begins`);
    await waits;
    order.push(`${name} ends`);
  };
  const { promise, resolve } = Promise.withResolvers<void>();
  const first = work('first', promise);
  await work('begun', Promise.resolve());
  await work('second', Promise.resolve());
  resolve();
  await first;
  t.deepEqual(order.at(-1), 'first ends');
  t.true(order.indexOf('second ends') < order.indexOf('first ends'));
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

test('others have their turn between pieces of work, and what comes of it is told', async (t) => {
  const clock = { ms: 0 };
  const share = new LoopShare(() => clock.ms, 4);
  let turns = 0;
  let isDone = false;
  const turn = (): void => {
    turns += 1;
    if (!isDone) setImmediate(turn);
  };
  setImmediate(turn);
  const work = function* () {
    for (let piece = 0; piece < 40; piece += 1) {
      clock.ms += 1;
      yield;
    }
    return 'made';
  };
  t.is(await share.through(work()), 'made');
  isDone = true;
  t.true(turns >= 9, `${turns} turns of others while 40 ms were worked, 4 of which go on at once`);
});

function* breaks() {
  yield;
  throw new Error('broken');
}

test('what a piece throws is told to who has it done', async (t) => {
  await t.throwsAsync(new LoopShare().through(breaks()), { message: 'broken' });
});

test('who comes while others wait goes on after one of each group', async (t) => {
  const clock = { ms: 0 };
  const share = new LoopShare(() => clock.ms, 4);
  const order: string[] = [];
  const work = async (group: string): Promise<void> => {
    await share.rest(group);
    order.push(group);
    clock.ms += 1;
  };
  const loud = Array.from({ length: 20 }, () => work('loud'));
  await Promise.all([...loud, work('other'), work('small')]);
  t.deepEqual(order.slice(0, 5), ['loud', 'loud', 'other', 'small', 'loud']);
  t.is(order.length, 22);
});

/** So many pieces of so many milliseconds each. */
function* work(clock: { ms: number }, pieces: number, ms: number) {
  for (let piece = 0; piece < pieces; piece += 1) {
    clock.ms += ms;
    yield;
  }
}

interface Crowd {
  readonly clock: { ms: number };
  readonly groups: number;
  readonly ms: number;
}

/** Of each of `groups` somebody always has a pass of `ms` to do, as long as the test lasts. Counts them, and the milliseconds of each turn. */
function crowd(t: ExecutionContext, share: LoopShare, { clock, groups, ms }: Crowd) {
  const seen = { passes: 0, turns: [] as number[] };
  const over = new AbortController();
  let turnedAt = clock.ms;
  const turn = (): void => {
    seen.turns.push(clock.ms - turnedAt);
    turnedAt = clock.ms;
    if (!over.signal.aborted) setImmediate(turn);
  };
  setImmediate(turn);
  const pass = async (group: string): Promise<void> => {
    while (!over.signal.aborted) {
      await share.rest(group);
      clock.ms += ms;
      seen.passes += 1;
    }
  };
  const all = Array.from({ length: groups }, (_, group) => pass(`other-${group}`));
  t.teardown(async () => {
    over.abort();
    await Promise.all(all);
  });
  return seen;
}

test('work in pieces waits for others when a share is used up, and not after each piece', async (t) => {
  const clock = { ms: 0 };
  const share = new LoopShare(() => clock.ms, 4);
  const seen = crowd(t, share, { clock, groups: 15, ms: 1 / 16 });
  // As those of 5,000 Runs: 390 pieces, of 49 ms together. Each round of the others takes a quarter of a share.
  await share.through(work(clock, 390, 1 / 8), 'long');
  t.true(seen.passes <= 30 * 15, `${seen.passes} passes of 15 others, where 390 rests are ${390 * 15}`);
  t.true(clock.ms < 500, `${clock.ms} ms: it was late`);
  t.true(Math.max(...seen.turns) <= 5, `${Math.max(...seen.turns)} ms in a turn of 4`);
});

test('work in pieces that is late ends soon, however many others there are, and keeps them half of all turns', async (t) => {
  const clock = { ms: 0 };
  const share = new LoopShare(() => clock.ms, 4);
  const seen = crowd(t, share, { clock, groups: 300, ms: 4 });
  await share.through(work(clock, 400, 1 / 4), 'long');
  // 100 ms of work, and as much of others beside it, after the 500 until it is late, and one round of all who wait.
  t.true(clock.ms <= 300 * 4 + 2 * 100 + 50, `${clock.ms} ms for 100`);
  t.true(Math.max(...seen.turns) <= 8, `${Math.max(...seen.turns)} ms in a turn of 4`);
  t.true(seen.passes >= 300 + 20, `${seen.passes} passes of others`);
});

test('of those who are late the oldest is done first', async (t) => {
  const clock = { ms: 0 };
  const share = new LoopShare(() => clock.ms, 4);
  const order: string[] = [];
  const long = async (name: string): Promise<void> => {
    await share.through(work(clock, 1000, 1), name);
    order.push(`${name} at ${clock.ms > 1900 ? 'last' : 'half'}`);
  };
  await Promise.all([long('first'), long('second')]);
  t.deepEqual(order, ['first at half', 'second at last']);
});
