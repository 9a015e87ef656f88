// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { FairWork } from './fair-work.ts';

interface Played {
  readonly subject: string;
  readonly name: string;
}

/** FairWork whose jobs end when they are told to. */
function played(limits: { readonly atOnce: number; readonly waitingPerSubject: number }) {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const told: string[] = [];
  const turns = new FairWork<Played>(({ name }) => {
    begun.push(name);
    return new Promise((resolve) => ends.set(name, resolve));
  }, limits);
  const add = (subject: string, name: string) => {
    const job = { subject, name };
    return { job, taken: turns.add(job, { key: name, onRoom: (key) => told.push(key) }) };
  };
  const end = async (name: string) => {
    ends.get(name)?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { turns, begun, told, add, end };
}

test('however much one subject adds, others wait for one of it at most', async (t) => {
  const { begun, add, end } = played({ atOnce: 1, waitingPerSubject: 100 });
  for (let i = 0; i < 100; i += 1) add('loud', `loud-${i}`);
  add('calm', 'calm-0');
  add('still', 'still-0');
  t.deepEqual(begun, ['loud-0']);
  await end('loud-0');
  await end('loud-1');
  await end('calm-0');
  t.deepEqual(begun, ['loud-0', 'loud-1', 'calm-0', 'still-0']);
});

test('a subject has one under way, also where there is room for two', async (t) => {
  const { begun, add, end } = played({ atOnce: 2, waitingPerSubject: 100 });
  add('loud', 'loud-0');
  add('loud', 'loud-1');
  t.deepEqual(begun, ['loud-0']);
  add('calm', 'calm-0');
  t.deepEqual(begun, ['loud-0', 'calm-0'], 'the second place is for others');
  await end('calm-0');
  t.deepEqual(begun, ['loud-0', 'calm-0']);
  await end('loud-0');
  t.deepEqual(begun, ['loud-0', 'calm-0', 'loud-1']);
});

test('what is too much is not kept, and told when there is room, also where others gave up', async (t) => {
  const { turns, begun, told, add, end } = played({ atOnce: 1, waitingPerSubject: 2 });
  const taken = ['a', 'b', 'c', 'd', 'e'].map((name) => add('loud', name));
  t.deepEqual(
    taken.map((one) => one.taken),
    [true, true, true, false, false],
  );
  t.true(add('calm', 'f').taken, 'what one has waiting is nothing to others');
  await end('a');
  t.deepEqual(begun, ['a', 'b']);
  t.deepEqual(told, [], 'c still waits');
  turns.drop(taken[2]!.job);
  await end('');
  t.deepEqual(told.toSorted(), ['d', 'e']);
  t.true(add('loud', 'd').taken);
  await end('b');
  await end('f');
  t.deepEqual(begun, ['a', 'b', 'f', 'd'], 'c was given up');
});

test('closing lets what is under way end, and begins nothing', async (t) => {
  const { turns, begun, add, end } = played({ atOnce: 1, waitingPerSubject: 10 });
  add('a', 'a');
  add('b', 'b');
  const closed = turns.close();
  await end('a');
  await closed;
  add('c', 'c');
  t.deepEqual(begun, ['a']);
});
