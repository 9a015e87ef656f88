// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { Turns } from './turns.ts';

const round = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Has somebody take so many turns; who had one is written down. */
function play() {
  const turns = new Turns();
  const had: string[] = [];
  const take = (subject: string, count = 1): void => {
    for (let i = 0; i < count; i += 1) {
      const turn = turns.take(subject);
      if (turn === undefined) had.push(subject);
      else void turn.then(() => had.push(subject));
    }
  };
  return { turns, had, take };
}

test('who is alone does not wait', async (t) => {
  const { turns } = play();
  for (let i = 0; i < 3; i += 1) {
    t.is(turns.take('a'), undefined);
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
