// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { isDeeperThan, MAX_DEPTH, readReview } from './review.ts';

const REQUEST = {
  uid: 'u1',
  kind: { group: '', version: 'v1', kind: 'Pod' },
  resource: { group: '', version: 'v1', resource: 'pods' },
  operation: 'CREATE',
  userInfo: { username: 'ann', groups: ['dev'], extra: { key: ['v'] } },
  object: { kind: 'Pod' },
  oldObject: null,
  dryRun: true,
  newFieldOfLaterVersions: {},
};

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i += 1) value = { a: value };
  return value;
}

test('a request as the API server sends it', (t) => {
  const read = readReview(REQUEST);
  t.is(read.kind, 'ok');
  if (read.kind !== 'ok') return;
  t.like(read.review, {
    uid: 'u1',
    subResource: '',
    name: '',
    namespace: '',
    operation: 'CREATE',
    dryRun: true,
  });
  t.deepEqual(read.review.object, { kind: 'Pod' });
  t.false('oldObject' in read.review);
  t.deepEqual(read.review.userInfo.groups, ['dev']);
});

const REFUSED: Readonly<Record<string, { given: unknown; field: string; found: RegExp }>> = {
  'no request': { given: undefined, field: 'request', found: /nothing/ },
  'a list instead': { given: [], field: 'request', found: /a list/ },
  'an operation that does not exist': {
    given: { ...REQUEST, operation: 'PATCH' },
    field: 'request.operation',
    found: /PATCH/,
  },
  'no uid': { given: { ...REQUEST, uid: '' }, field: 'request.uid', found: /""/ },
  'a name that is a number': { given: { ...REQUEST, name: 3 }, field: 'request.name', found: /number/ },
  'a kind without kind': {
    given: { ...REQUEST, kind: { group: '', version: 'v1' } },
    field: 'request.kind.kind',
    found: /nothing/,
  },
  'groups that are no texts': {
    given: { ...REQUEST, userInfo: { username: 'ann', groups: [1] } },
    field: 'request.userInfo.groups',
    found: /list/,
  },
  'an object that is a text': { given: { ...REQUEST, object: 'x' }, field: 'request.object', found: /"x"/ },
  'an object that nests too deep': {
    given: { ...REQUEST, object: nested(MAX_DEPTH + 1) },
    field: 'request.object',
    found: /nesting/,
  },
};

for (const [name, { given, field, found }] of Object.entries(REFUSED)) {
  test(`refused: ${name}`, (t) => {
    const read = readReview(given);
    t.is(read.kind, 'refused');
    if (read.kind !== 'refused') return;
    t.is(read.field, field);
    t.regex(read.found, found);
    t.not(read.wanted, '');
  });
}

test('depth is that of objects and lists in each other, however deep', (t) => {
  t.false(isDeeperThan(nested(3), 3));
  t.true(isDeeperThan(nested(4), 3));
  t.true(isDeeperThan([[[1]]], 2));
  t.true(isDeeperThan(nested(200_000), MAX_DEPTH));
});
