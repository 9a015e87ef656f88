// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { bucketOf, isInCohort } from './cohort.ts';

const subject = (namespace: string, labels: Record<string, string> = {}) => ({
  tenant: 'acme',
  namespace: { name: namespace, labels },
});
const MANY = Array.from({ length: 2000 }, (_, index) => subject(`acme-${index}`));
const within = (packUid: string, percent: number) =>
  MANY.filter((one) => isInCohort({ packUid, percent }, one));

test('a share is about that share', (t) => {
  for (const percent of [5, 25, 50, 90]) {
    const share = (within('u1', percent).length / MANY.length) * 100;
    t.true(Math.abs(share - percent) < 4, `${share} of ${percent}`);
  }
  t.is(within('u1', 0).length, 0);
  t.is(within('u1', 100).length, MANY.length);
});

test('who is in stays in while the share grows', (t) => {
  const uid = fc.string({ minLength: 1 });
  fc.assert(
    fc.property(uid, fc.tuple(fc.nat(100), fc.nat(100)), fc.nat(1999), (packUid, percents, index) => {
      const [low, high] = [Math.min(...percents), Math.max(...percents)];
      const one = MANY[index]!;
      return !isInCohort({ packUid, percent: low }, one) || isInCohort({ packUid, percent: high }, one);
    }),
  );
  t.pass();
});

test('the first of one pack are not the first of another', (t) => {
  const first = new Set(within('u1', 10).map((one) => one.namespace.name));
  const both = within('u2', 10).filter((one) => first.has(one.namespace.name));
  t.true(both.length < first.size / 2);
});

test('names that run into each other are told apart', (t) => {
  const a = bucketOf('u', { tenant: 'ab', namespace: { name: 'c', labels: {} } });
  const b = bucketOf('u', { tenant: 'a', namespace: { name: 'bc', labels: {} } });
  t.not(a, b);
});

test('critical namespaces come last', (t) => {
  const critical = { matchLabels: { stage: 'prod' } };
  const prod = subject('acme-prod', { stage: 'prod' });
  t.false(isInCohort({ packUid: 'u1', percent: 99, critical }, prod));
  t.true(isInCohort({ packUid: 'u1', percent: 100, critical }, prod));
});
