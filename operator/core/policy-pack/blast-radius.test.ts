// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { BlastCount, type JudgedObject } from './blast-radius.ts';

const NOW = new Date('2027-03-01T12:00:00Z');
const PAIR = { revision: 'v2', against: 'v1' };
const ALL = { complete: true };

function pod(name: string, fields: Partial<JudgedObject> = {}): JudgedObject {
  return {
    kind: 'Pod',
    namespace: 'a',
    name,
    active: 'Allowed',
    candidate: 'Denied',
    message: 'no',
    ...fields,
  };
}

function reportOf(objects: readonly JudgedObject[], now = NOW) {
  const count = new BlastCount();
  for (const one of objects) count.add(one);
  return count.report(PAIR, ALL, now);
}

test('a report counts what two revisions judge differently, by kind and namespace, most first', (t) => {
  const report = reportOf([
    pod('one'),
    pod('two', { namespace: 'b' }),
    pod('three', { namespace: 'b' }),
    pod('same', { candidate: 'Allowed' }),
    pod('bad', { active: 'Denied' }),
    pod('free', { active: 'Denied', candidate: 'Allowed' }),
    pod('node', { kind: 'Volume', namespace: undefined }),
  ]);
  const { digest: _, at, examples, ...rest } = report;
  t.deepEqual(rest, {
    ...PAIR,
    scanned: 7,
    complete: true,
    newlyDenied: 4,
    newlyAllowed: 1,
    bothDenied: 1,
    byKind: [
      { name: 'Pod', newlyDenied: 3, newlyAllowed: 1 },
      { name: 'Volume', newlyDenied: 1, newlyAllowed: 0 },
    ],
    byNamespace: [
      { name: 'a', newlyDenied: 1, newlyAllowed: 1 },
      { name: 'b', newlyDenied: 2, newlyAllowed: 0 },
    ],
  });
  t.is(at, '2027-03-01T12:00:00Z');
  t.deepEqual(
    examples?.map(({ name, newly }) => `${name} ${newly}`),
    ['one Denied', 'three Denied', 'two Denied', 'node Denied', 'free Allowed'],
  );
});

test('what somebody acknowledges is what was found: the digest does not depend on order or time, and does on each verdict', (t) => {
  const objects = Array.from({ length: 60 }, (_, i) => pod(`p${i}`, { namespace: `n${i % 7}` }));
  const { digest } = reportOf(objects);
  fc.assert(
    fc.property(fc.shuffledSubarray(objects, { minLength: 60 }), (shuffled) => {
      t.is(reportOf(shuffled, new Date(0)).digest, digest);
    }),
    { numRuns: 50 },
  );
  t.not(reportOf(objects.with(3, pod('p3', { namespace: 'n3', candidate: 'Allowed' }))).digest, digest);
  t.not(reportOf(objects.slice(1)).digest, digest);
});

test('a report stays small, whatever there is: the rest is counted', (t) => {
  const objects = Array.from({ length: 2000 }, (_, i) =>
    pod(`p${i}`, { kind: `K${i % 30}`, namespace: `n${i}`, message: 'x'.repeat(5000) }),
  );
  const report = reportOf(objects);
  t.is(report.newlyDenied, 2000);
  t.is(report.byNamespace?.length, 20);
  t.is(report.byNamespace?.at(-1)?.name, 'others (1981)');
  for (const buckets of [report.byNamespace, report.byKind]) {
    t.is(
      buckets?.reduce((sum, one) => sum + one.newlyDenied, 0),
      2000,
    );
  }
  t.is(report.examples?.length, 20);
  t.true(JSON.stringify(report).length < 20_000);
});
