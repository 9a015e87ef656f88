// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { Budgets } from './budgets.ts';
import { FairJobs } from './fair-jobs.ts';

const LIMITS = { maxWaiting: 10, maxWaitingPerSubject: 5, maxRunningPerSubject: 1 };
const job = (subject: string, number: number) => ({ subject, number });

test('subjects take turns, however much one of them asks for', (t) => {
  const jobs = new FairJobs<ReturnType<typeof job>>({ ...LIMITS, maxRunningPerSubject: 9 });
  for (const number of [1, 2, 3]) jobs.add(job('a', number));
  for (const number of [1, 2]) jobs.add(job('b', number));
  const taken = Array.from({ length: 6 }, () => jobs.take()).map(
    (one) => one && `${one.subject}${one.number}`,
  );
  t.deepEqual(taken, ['a1', 'b1', 'a2', 'b2', 'a3', undefined]);
});

test('a subject has no more under way than it may, and others are taken past it', (t) => {
  const jobs = new FairJobs<ReturnType<typeof job>>(LIMITS);
  const [first, second] = [job('a', 1), job('a', 2)];
  for (const one of [first, second, job('b', 1)]) t.true(jobs.add(one));
  t.is(jobs.take(), first);
  t.is(jobs.take()?.subject, 'b');
  t.is(jobs.take(), undefined);
  jobs.done(first);
  t.is(
    jobs.take((subject) => subject !== 'a'),
    undefined,
  );
  t.is(jobs.take(), second);
});

test('what is too much is not taken, and what is taken out makes room', (t) => {
  const jobs = new FairJobs<ReturnType<typeof job>>(LIMITS);
  const mine = [1, 2, 3, 4, 5].map((number) => job('a', number));
  t.deepEqual(
    mine.map((one) => jobs.add(one)),
    [true, true, true, true, true],
  );
  t.false(jobs.add(job('a', 6)), 'of one subject');
  for (const number of [1, 2, 3, 4, 5]) t.true(jobs.add(job('b', number)));
  t.false(jobs.add(job('c', 1)), 'of all');
  t.true(jobs.remove(mine[2] ?? job('a', 0)));
  t.false(jobs.remove(mine[2] ?? job('a', 0)));
  t.true(jobs.add(job('c', 1)));
  t.is(jobs.clear().length, 10);
  t.is(jobs.waiting, 0);
});

test('a budget is charged afterwards, earned by the second, and never more than its burst', (t) => {
  const budgets = new Budgets({ msPerSecond: 100, burstMs: 50 });
  t.is(budgets.waitMs('a', 0), 0);
  budgets.charge('a', { ms: 80, nowMs: 0 });
  t.is(budgets.waitMs('a', 0), 310, 'thirty overdrawn, and one to go on');
  t.is(budgets.waitMs('b', 0), 0);
  t.is(budgets.waitMs('a', 310), 0);
  budgets.charge('a', { ms: 51, nowMs: 1_000_000 });
  t.true(budgets.waitMs('a', 1_000_000) > 0, 'a long silence earns one burst');
});
