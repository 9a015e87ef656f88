// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { assert, array, constantFrom, property, record, integer, boolean } from 'fast-check';
import { Residents } from './residents.ts';

const tenantOf = (key: string) => (key.startsWith('p') ? undefined : key.slice(0, 1));

/** A place for so many bytes; `keeps('a1', 30)` is 30 bytes of tenant `a`, and of the platform where the name begins with `p`. */
function world(limitBytes: number) {
  const evicted: string[] = [];
  const residents = new Residents(limitBytes, (key) => evicted.push(key));
  const keeps = (key: string, bytes: number, isPinned = false) =>
    residents.keep({ key, bytes, tenant: tenantOf(key), isPinned });
  const uses = (key: string) => residents.touch(key, tenantOf(key));
  return { residents, evicted, keeps, uses };
}

test('what was used longest ago goes first', (t) => {
  const { evicted, keeps, uses, residents } = world(180);
  for (const key of ['a1', 'a2', 'a3']) t.is(keeps(key, 30), undefined);
  uses('a1');
  t.is(keeps('a4', 30), undefined);
  t.deepEqual(evicted, ['a2'], 'half of all is what one tenant has');
  t.is(residents.bytes, 90);
});

test('who has most gives way to who has less; where nobody has more, first what is one’s own, then anything', (t) => {
  const { evicted, keeps } = world(120);
  for (const key of ['a1', 'a2', 'a3', 'b1', 'b2', 'c1']) keeps(key, 20);
  keeps('c2', 20);
  t.deepEqual(evicted, ['a1']);
  keeps('c3', 20);
  t.deepEqual(evicted, ['a1', 'c1'], 'with c3, c would have more than any');
  keeps('d1', 60);
  t.deepEqual(evicted, ['a1', 'c1', 'a2', 'a3', 'b1']);
});

test('the platform comes first', (t) => {
  const { evicted, keeps } = world(100);
  keeps('p1', 50);
  keeps('a1', 25);
  keeps('b1', 20);
  t.regex(
    keeps('a2', 26) ?? '',
    /26 bytes.*room for 25 for packs of a: .*webhooks\.resources\.limits\.memory/,
  );
  t.is(keeps('p2', 40), undefined);
  t.deepEqual(evicted, ['a1', 'b1']);
  t.is(keeps('p3', 30), undefined);
  t.deepEqual(evicted, ['a1', 'b1', 'p1'], 'and among itself by use');
});

test('what can never fit is told so and moves nobody; what cannot be had again stays', (t) => {
  const { evicted, keeps, residents } = world(100);
  keeps('a1', 50, true);
  t.regex(keeps('p1', 101) ?? '', /101 bytes.*room for 100:/);
  t.regex(keeps('p1', 60) ?? '', /60 bytes.*room for 50:/);
  t.deepEqual(evicted, []);
  residents.release('a1');
  t.is(keeps('p1', 60), undefined);
});

test('data do not take the place of the module that they are for', (t) => {
  const { evicted, keeps, residents } = world(100);
  keeps('a1', 30);
  const data = { key: 'a2', tenant: 'a', besides: 'a1' };
  t.regex(residents.keep({ ...data, bytes: 21 }) ?? '', /room for 20 for packs of a/);
  t.is(residents.keep({ ...data, bytes: 20 }), undefined);
  t.deepEqual(evicted, []);
});

test('what the platform uses as well is its own from then on', (t) => {
  const { evicted, keeps, residents } = world(100);
  keeps('a1', 50);
  residents.touch('a1', undefined);
  t.regex(keeps('b1', 26) ?? '', /room for 25/);
  t.deepEqual(evicted, []);
});

test('never more than there is, whatever is kept, used and let go', (t) => {
  const step = record({
    key: constantFrom('a1', 'a2', 'b1', 'b2', 'c1', 'p1', 'p2'),
    bytes: integer({ min: 0, max: 120 }),
    isPinned: boolean(),
    isOver: boolean(),
  });
  assert(
    property(array(step), (steps) => {
      const { residents, keeps, evicted } = world(100);
      const there = new Map<string, number>();
      for (const { key, bytes, isPinned, isOver } of steps) {
        evicted.length = 0;
        if (isOver) residents.release(key);
        const isKept = !isOver && keeps(key, bytes, isPinned) === undefined;
        for (const gone of [key, ...evicted]) there.delete(gone);
        if (isKept) there.set(key, bytes);
        t.is(
          residents.bytes,
          [...there.values()].reduce((sum, one) => sum + one, 0),
        );
        t.true(residents.bytes <= 100);
      }
    }),
  );
});
