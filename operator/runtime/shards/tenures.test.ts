// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { NotLeadingError } from '../leader-election.ts';
import { Tenures } from './tenures.ts';

const lasting = () => 1000;
const over = () => {
  throw new NotLeadingError();
};

test('only what is held can be begun, and what is made for it goes with it', (t) => {
  let made = 0;
  const tenures = new Tenures((name) => `${name} ${(made += 1)}`);
  t.is(tenures.open(1), undefined);
  tenures.begin(1, lasting);
  t.is(tenures.open(1)?.of('run'), 'run 1');
  t.is(tenures.open(1)?.of('run'), 'run 1');
  tenures.end(1);
  t.is(tenures.open(1), undefined);
  tenures.begin(1, lasting);
  t.is(tenures.open(1)?.of('run'), 'run 2', 'another tenure remembers nothing');
});

test('what is given away ends what was begun, and begins nothing more', async (t) => {
  const tenures = new Tenures((name) => name);
  tenures.begin(1, lasting);
  const work = Promise.withResolvers<void>();
  const running = tenures.open(1)?.run(() => work.promise);
  let isDrained: boolean | undefined;
  const draining = tenures.drain(1, 60_000).then((is) => (isDrained = is));
  t.is(tenures.open(1), undefined);
  t.true(tenures.has(1), 'it is held until it is given back');
  await Promise.resolve();
  t.is(isDrained, undefined);
  work.resolve();
  await running;
  await draining;
  t.is(isDrained, true);
});

test('what does not end in time is told', async (t) => {
  const tenures = new Tenures((name) => name);
  tenures.begin(1, lasting);
  void tenures.open(1)?.run(() => new Promise(() => undefined));
  t.false(await tenures.drain(1, 10));
  t.true(await tenures.drain(2, 10), 'of what is not held, nothing is under way');
});

test('what was begun in one tenure is not written in the next one', (t) => {
  const tenures = new Tenures((_, fence) => fence);
  tenures.begin(1, lasting);
  const before = tenures.open(1)?.of('run');
  t.is(before?.(), 1000);
  tenures.end(1);
  tenures.begin(1, lasting);
  t.throws(() => before?.(), { instanceOf: NotLeadingError });
  t.is(tenures.open(1)?.of('run')(), 1000);
});

test('what failed is over as well', async (t) => {
  const tenures = new Tenures((name) => name);
  tenures.begin(1, lasting);
  await t.throwsAsync(tenures.open(1)?.run(() => Promise.reject(new Error('no'))) ?? Promise.resolve(), {
    message: 'no',
  });
  t.true(await tenures.drain(1, 10));
});

test('what belongs to no part may be written as long as any part is held', (t) => {
  const tenures = new Tenures((name) => name);
  t.throws(tenures.anyFence, { instanceOf: NotLeadingError });
  tenures.begin(1, over);
  t.throws(tenures.anyFence, { instanceOf: NotLeadingError });
  tenures.begin('lead', lasting);
  t.is(tenures.anyFence(), 1000);
});
