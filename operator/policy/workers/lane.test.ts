// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { LaneJob } from './lane.ts';
import { ANSWER, job, played, STOPPED } from './testing/played-lane.ts';
import type { RunOutcome } from './worker-handle.ts';

const QUESTION = { entrypoint: 'p/x', nowNs: 0n, input: new Uint8Array() };

test('a question is made when a worker is free for it, and not for what is never begun', async (t) => {
  const { lane, end } = played(1);
  let made = 0;
  const ask = () => {
    made += 1;
    return QUESTION;
  };
  const all = Array.from({ length: 12 }, (_, index) => lane.submit({ ...job('a', `${index}`), ask }));
  t.is((await all[11])?.kind, 'crowded');
  t.is(made, 1);
  await end('0');
  t.is(made, 2);
  await lane.close();
  t.is((await all[10])?.kind, 'crowded');
  t.is(made, 2);
});

const tooLong = () => {
  throw new Error('too long');
};

test('what cannot be asked is told, and those behind it are', async (t) => {
  const { lane, end, keys } = played(1);
  const first = lane.submit(job('a', 'first'));
  const broken = [
    lane.submit({ ...job('a', 'b1'), ask: tooLong }),
    lane.submit({ ...job('a', 'b2'), ask: tooLong }),
  ];
  const last = lane.submit(job('a', 'last'));
  await end('first');
  for (const one of await Promise.all(broken))
    t.like(one, { kind: 'failed', reason: 'Overloaded', message: 'its input could not be made: too long' });
  for (let i = 0; i < 3; i += 1) await new Promise((resolve) => setImmediate(resolve));
  t.deepEqual(keys(), ['last']);
  await end('last');
  t.deepEqual([await first, await last], [ANSWER, ANSWER]);
});

test('what every worker has to load takes one of them at a time, and others go on', async (t) => {
  const { lane, end, keys } = played(2);
  const loaded = lane.everywhere(job('slow', 'load'));
  t.deepEqual(keys(), ['load']);
  const asked = lane.submit(job('calm', 'ask'));
  t.deepEqual(keys(), ['load', 'ask'], 'the other worker is free');
  await end('ask');
  t.is((await asked).kind, 'answer');
  t.deepEqual(keys(), ['load']);
  await end('load');
  t.deepEqual(keys(), ['load'], 'the second one');
  await end('load');
  t.deepEqual(await loaded, [ANSWER, ANSWER]);
});

test('the next worker loads when the one before has given its memory back', async (t) => {
  const { lane, end, keys, gives } = played(2);
  void lane.everywhere(job('slow', 'load'));
  const collected = gives('load');
  await end('load', { ...ANSWER, collected: collected.promise });
  t.deepEqual(keys(), [], 'else none would be free');
  await collected.give();
  t.deepEqual(keys(), ['load']);
});

test('what one worker could not load is not tried in the next', async (t) => {
  const { lane, end, keys } = played(3);
  const loaded = lane.everywhere(job('slow', 'load'));
  await end('load', STOPPED);
  t.deepEqual(await loaded, [STOPPED]);
  t.deepEqual(keys(), []);
});

test('a lane that is closed has nothing loaded', async (t) => {
  const { lane } = played(2);
  await lane.close();
  t.like((await lane.everywhere(job('slow', 'load')))[0], { kind: 'stopped', reason: 'Lost' });
});

test('what is tried runs one at a time, never on the last idle worker, and what decides goes first', async (t) => {
  const { lane, end, keys } = played(3);
  const all = [
    lane.submit(job('a', 'tried', 'cohort')),
    lane.submit(job('b', 'tried too', 'cohort')),
    lane.submit(job('c', 'decides')),
  ];
  t.deepEqual(keys(), ['tried', 'decides'], 'one of the trial, though a worker is idle');
  await end('tried');
  t.deepEqual(keys(), ['decides', 'tried too']);
  all.push(lane.submit(job('a', 'tried again', 'cohort')), lane.submit(job('a', 'decides too')));
  t.deepEqual(keys(), ['decides', 'tried too', 'decides too'], 'the last one is for what decides');
  await end('tried too');
  t.deepEqual(keys(), ['decides', 'decides too'], 'and again it is the last');
  await end('decides');
  t.deepEqual(keys(), ['decides too', 'tried again']);
  await end('decides too');
  await end('tried again');
  t.deepEqual(await Promise.all(all), [ANSWER, ANSWER, ANSWER, ANSWER, ANSWER]);
});

test('who waits for an answer of what is tried goes before what is judged in shadow', async (t) => {
  const { lane, end, keys, patience } = played(2);
  const first = lane.submit(job('a', 'first', 'shadow'));
  const others = [lane.submit(job('a', 'shadow', 'shadow')), lane.submit(job('b', 'cohort', 'cohort'))];
  t.deepEqual([keys(), patience()], [['first'], [2]]);
  await end('first');
  t.deepEqual([keys(), patience()], [['cohort'], [1]]);
  await end('cohort');
  t.deepEqual(keys(), ['shadow']);
  await end('shadow');
  t.deepEqual(await Promise.all([first, ...others]), [ANSWER, ANSWER, ANSWER]);
});

test('what was ended for a trial is replaced before anything of a trial begins', async (t) => {
  const { lane, end, keys, startsSlowly, starts } = played(3);
  startsSlowly();
  const tried = [lane.submit(job('a', 'tried', 'cohort')), lane.submit(job('b', 'next', 'cohort'))];
  await end('tried', STOPPED);
  t.deepEqual(keys(), [], 'two are idle, and one is being started');
  const decides = lane.submit(job('a', 'decides'));
  t.deepEqual(keys(), ['decides']);
  starts();
  t.deepEqual(keys(), ['decides', 'next']);
  await end('decides');
  await end('next');
  t.deepEqual(await Promise.all([...tried, decides]), [STOPPED, ANSWER, ANSWER]);
});

test('workers that were ended for what is tried make nobody wait who is judged by it', async (t) => {
  const { lane, end, keys } = played(2);
  for (const key of ['one', 'two', 'three']) {
    const tried = lane.submit(job('a', key, 'cohort'));
    await end(key, STOPPED);
    t.deepEqual(await tried, STOPPED);
  }
  const all = [lane.submit(job('b', 'another')), lane.submit(job('a', 'decides'))];
  t.deepEqual(keys(), ['another', 'decides'], 'the last idle worker is for who is no suspect');
  await end('another');
  await end('decides');
  t.deepEqual(await Promise.all(all), [ANSWER, ANSWER]);
});

/** All of what `job` gives. */
const TIMEOUT: RunOutcome = {
  kind: 'failed',
  reason: 'Timeout',
  message: 'late',
  micros: 1_000_000,
  hadMs: 1,
};
/** Half of what `job` gives. */
const LONG: RunOutcome = { ...ANSWER, micros: 500_000 };

for (const [title, outcome] of Object.entries({ 'are stopped': TIMEOUT, 'take long': LONG })) {
  test(`those whose rules ${title} have one worker for all of them`, async (t) => {
    const { lane, end, keys } = played(3);
    for (const subject of ['a', 'a', 'b', 'b']) {
      const asked = lane.submit(job(subject, 'slow'));
      await end('slow', outcome);
      await asked;
    }
    const all = [lane.submit(job('a', 'a')), lane.submit(job('b', 'b'))];
    t.deepEqual(keys(), ['a'], 'two workers are idle');
    all.push(lane.submit(job('c', 'c')), lane.submit(job('d', 'd')));
    t.deepEqual(keys(), ['a', 'c', 'd']);
    await end('a');
    // The last idle worker is for others than who was stopped.
    t.deepEqual(keys(), outcome === LONG ? ['c', 'd', 'b'] : ['c', 'd']);
    await end('c');
    t.deepEqual(keys(), ['d', 'b']);
    await end('b');
    await end('d');
    t.deepEqual(await Promise.all(all), [ANSWER, ANSWER, ANSWER, ANSWER]);
  });
}

test('who keeps its deadline is served, though others always wait', async (t) => {
  const { lane, end, keys } = played(2);
  for (const key of ['one', 'two']) {
    const asked = lane.submit(job('a', key));
    await end(key, LONG);
    await asked;
  }
  const all = ['b', 'c', 'd', 'e'].map((subject) => lane.submit(job(subject, subject)));
  all.push(lane.submit(job('a', 'a')), lane.submit(job('f', 'f')), lane.submit(job('g', 'g')));
  t.deepEqual(keys(), ['b', 'c']);
  await end('b');
  await end('c');
  t.deepEqual(keys(), ['d', 'e']);
  await end('e');
  t.deepEqual(keys(), ['d', 'a'], 'when it is its turn, and no other is idle');
  for (const key of ['d', 'f', 'g', 'a']) await end(key, key === 'a' ? LONG : ANSWER);
  t.is((await Promise.all(all)).length, 7);
});

const NO_FAULT: Readonly<Record<string, readonly [RunOutcome, Partial<LaneJob>]>> = {
  'what nobody is judged by': [LONG, { ownDeadlineMs: undefined }],
  'what was stopped in the time that was left': [
    { ...TIMEOUT, micros: 2000 },
    { deadlineMs: 2, ownDeadlineMs: 1000 },
  ],
  'what took long of the time that was left': [ANSWER, { deadlineMs: 0.001, ownDeadlineMs: 1000 }],
  'what took long to make its instance': [{ ...LONG, loadMicros: 400_000 }, {}],
  'what was stopped since its instance took long': [{ ...TIMEOUT, loadMicros: 700_000 }, {}],
};

for (const [title, [outcome, changes]] of Object.entries(NO_FAULT)) {
  test(`nobody is suspect for ${title}`, async (t) => {
    const { lane, end, keys } = played(2);
    for (const key of ['one', 'two', 'three']) {
      const asked = lane.submit({ ...job('a', key), ...changes });
      await end(key, outcome);
      await asked;
    }
    const all = [lane.submit(job('a', 'first')), lane.submit(job('b', 'last'))];
    // A suspect would have only the last worker, which the other has then.
    all.push(lane.submit(job('c', 'c')), lane.submit(job('a', 'a')));
    t.deepEqual(keys(), ['first', 'last']);
    await end('first');
    t.deepEqual(keys(), ['last', 'c']);
    await end('c');
    t.deepEqual(keys(), ['last', 'a']);
    await end('last');
    await end('a');
    t.deepEqual(await Promise.all(all), [ANSWER, ANSWER, ANSWER, ANSWER]);
  });
}

test('what every worker loads makes nobody suspect, however long it takes', async (t) => {
  const { lane, end, keys } = played(2);
  const loaded = lane.everywhere({ ...job('a', 'load'), ownDeadlineMs: undefined });
  await end('load', LONG);
  await end('load', LONG);
  await loaded;
  const all = [lane.submit(job('b', 'b')), lane.submit(job('c', 'c')), lane.submit(job('a', 'a'))];
  await end('b');
  t.deepEqual(keys(), ['c', 'a'], 'any worker is for it');
  await end('a');
  await end('c');
  t.is((await Promise.all(all)).length, 3);
});

test('a single worker is for all', async (t) => {
  const { lane, end, keys } = played(1);
  for (const key of ['one', 'two', 'three']) {
    const asked = lane.submit(job('a', key));
    t.deepEqual(keys(), [key]);
    await end(key, TIMEOUT);
    await asked;
  }
});

test('a single worker does what is tried when nothing else waits, and is waited for no longer than else', async (t) => {
  const { lane, end, keys, patience } = played(1);
  const all = [
    lane.submit(job('a', 'first')),
    lane.submit(job('b', 'tried', 'shadow')),
    lane.submit(job('c', 'decides')),
  ];
  await end('first');
  t.deepEqual(keys(), ['decides']);
  await end('decides');
  t.deepEqual([keys(), patience()], [['tried'], [0]]);
  await end('tried');
  t.deepEqual(await Promise.all(all), [ANSWER, ANSWER, ANSWER]);
});

test('what is tried is loaded behind what decides, and where others are idle', async (t) => {
  const { lane, end, keys } = played(2);
  const busy = lane.submit(job('a', 'busy'));
  const tried = lane.everywhere(job('', 'tried', 'shadow'));
  t.deepEqual(keys(), ['busy'], 'the other is the last that is idle');
  const decides = lane.everywhere(job('', 'decides'));
  await end('busy');
  t.deepEqual(keys(), ['decides']);
  await end('decides');
  await end('decides');
  t.deepEqual(keys(), ['tried']);
  await end('tried');
  await end('tried');
  t.deepEqual([await busy, await tried, await decides], [ANSWER, [ANSWER, ANSWER], [ANSWER, ANSWER]]);
});

test('who is answered has its worker until its memory is given back, and no other meanwhile', async (t) => {
  const { lane, end, keys, gives } = played(2);
  const outcomes: string[] = [];
  for (const key of ['a1', 'a2']) void lane.submit(job('a', key)).then(({ kind }) => outcomes.push(kind));
  t.deepEqual(keys(), ['a1']);
  const collected = gives('a1');
  await end('a1', { ...ANSWER, collected: collected.promise });
  t.deepEqual(outcomes, ['answer'], 'it is told at once');
  t.deepEqual(keys(), [], 'there is another worker, but that is for others');
  void lane.submit(job('b', 'b1'));
  t.deepEqual(keys(), ['b1']);
  await collected.give();
  t.deepEqual(keys(), ['b1', 'a2']);
});
