// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { Turns } from './turns.ts';

const UNDISTURBED = new AbortController().signal;
const round = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Has somebody take so many turns; who had one is written down. */
function play() {
  const turns = new Turns();
  const had: string[] = [];
  const take = (subject: string, count = 1): void => {
    for (let i = 0; i < count; i += 1) {
      const turn = turns.take(subject, UNDISTURBED);
      if (turn === undefined) had.push(subject);
      else void turn.then(() => had.push(subject));
    }
  };
  return { turns, had, take };
}

test('who is alone does not wait', async (t) => {
  const { turns } = play();
  for (let i = 0; i < 3; i += 1) {
    t.is(turns.take('a', UNDISTURBED), undefined);
    await round();
  }
});

test('one has its turn in each round, and whoever comes later goes before the rest of one who asks for much', async (t) => {
  const { had, take } = play();
  take('loud', 5);
  t.deepEqual(had, ['loud'], 'one at once');
  await round();
  t.deepEqual(had, ['loud', 'loud']);
  take('calm');
  take('quiet');
  for (let i = 0; i < 5; i += 1) await round();
  t.deepEqual(had.slice(2), ['loud', 'calm', 'quiet', 'loud', 'loud']);
  await round();
  take('quiet');
  t.is(had.at(-1), 'quiet', 'and nobody waits when all is done');
});

test('whose time is over leaves the line at once, and takes no turn', async (t) => {
  const { turns, had, take } = play();
  take('loud');
  const over = new AbortController();
  const left = Array.from({ length: 500 }, () => turns.take('loud', over.signal));
  take('loud');
  t.is(turns.waiting, 501);
  over.abort();
  t.is(turns.waiting, 1);
  for (const one of left) await one;
  t.deepEqual(had, ['loud']);
  await round();
  t.deepEqual(had, ['loud', 'loud'], 'the next round is of who is left');
  await round();
  t.is(turns.take('loud', UNDISTURBED), undefined);
  t.is(turns.take('loud', over.signal), undefined, 'nobody waits for what is over');
  t.is(turns.waiting, 0);
});
