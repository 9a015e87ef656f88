// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { readReview } from '#webhooks/review';
import { isAllowed, reviewOf } from './direct-review.ts';

const SERVICE = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'team' } };
const ROUTE = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: 'web', namespace: 'team' },
};

for (const [object, plural, group] of [
  [SERVICE, 'services', ''],
  [ROUTE, 'httproutes', 'gateway.networking.k8s.io'],
] as const) {
  test(`what is asked about a ${object.kind} is read as the API server's question is`, (t) => {
    const read = readReview(Buffer.from(reviewOf({ object, plural, dryRun: true })));
    t.like(read, {
      request: {
        kind: { group, version: 'v1', kind: object.kind },
        resource: { group, version: 'v1', resource: plural },
        name: 'web',
        namespace: 'team',
        operation: 'CREATE',
        dryRun: true,
        object,
      },
    });
  });
}

function answer(allowed: boolean): string {
  return JSON.stringify({ response: { uid: 'u', allowed, status: {} } });
}

test('an answer that allows is told from one that does not', (t) => {
  t.true(isAllowed(answer(true)));
  t.false(isAllowed(answer(false)));
  t.false(isAllowed('no answer at all'));
});
