// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { MASKED, projector } from './projection.ts';
import type { Review } from './review.ts';
import { FACTS, makeReview, NOW } from './testing/make.ts';

const input = (
  review: Partial<Review>,
  wanted: Partial<Parameters<ReturnType<typeof projector>>[0]> = {},
  facts = FACTS,
) =>
  JSON.parse(
    projector(
      makeReview(review),
      facts,
      NOW,
    )({ shape: 'Review', trust: 'Platform', parameters: '{}', ...wanted }),
  );

test('what a pack finds in its input', (t) => {
  const found = input({}, { parameters: '{"max":3}' });
  t.deepEqual(Object.keys(found).toSorted(), ['namespace', 'parameters', 'review', 'tenant', 'time']);
  t.like(found, {
    parameters: { max: 3 },
    time: '2026-11-20T12:00:00.000Z',
    tenant: {
      name: 'acme',
      plan: 'gold',
      tier: 'Soft',
      residency: { primaryRegion: 'eu-1' },
      entitlements: { tools: ['search'] },
    },
    namespace: { name: 'acme-dev', labels: { stage: 'dev' } },
  });
  t.like(found.review, {
    operation: 'CREATE',
    namespace: 'acme-dev',
    oldObject: null,
    object: { kind: 'Pod' },
  });
});

test('of no tenant, and in no namespace', (t) => {
  const found = input({ namespace: '' }, {}, { tenant: undefined, namespace: undefined });
  t.is(found.tenant, null);
  t.is(found.namespace, null);
  t.false('namespace' in found.review);
});

test('constraints are there where a pack has some', (t) => {
  t.deepEqual(input({}, { constraints: '[{"kind":"K"}]' }).constraints, [{ kind: 'K' }]);
});

test('where a pack has constraints, it is told of the namespace as Gatekeeper tells it', (t) => {
  const namespace = {
    name: 'acme-dev',
    labels: { stage: 'dev' },
    annotations: { owner: 'ann', 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
  };
  const found = input({}, { constraints: '[]' }, { ...FACTS, namespace });
  t.deepEqual(found.namespaceObject, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'acme-dev', labels: { stage: 'dev' }, annotations: { owner: 'ann' } },
  });
  t.is(input({}, { constraints: '[]' }, { ...FACTS, namespace: undefined }).namespaceObject, null);
  t.is(input({}, {}, { ...FACTS, namespace }).namespaceObject, undefined, 'others have input.namespace');
});

test('an AdmissionReview as the API server writes it', (t) => {
  const found = input({}, { shape: 'AdmissionReview' });
  t.deepEqual(Object.keys(found), ['apiVersion', 'kind', 'request']);
  t.is(found.request.object.metadata.name, 'web-1');
});

test('what nobody reads is left out', (t) => {
  const metadata = {
    name: 'a',
    managedFields: [{ manager: 'kubectl' }],
    annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}', note: 'x' },
  };
  const { object, oldObject } = input({ object: { metadata }, oldObject: { metadata } }).review;
  t.deepEqual(object.metadata, { name: 'a', annotations: { note: 'x' } });
  t.deepEqual(oldObject, object);
});

test('who looks for what must not be written sees the copy that kubectl keeps, but not that of a Secret', (t) => {
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{"a":"secret"}', note: 'x' };
  const metadata = { name: 'a', annotations };
  for (const trust of ['Platform', 'Tenant'] as const) {
    const of = (parts: Partial<Review>) => input(parts, { trust, detects: true }).review;
    t.deepEqual(of({ object: { metadata }, oldObject: { metadata } }).object.metadata, metadata);
    t.deepEqual(of({ object: { metadata: { name: 'b' } } }).object.metadata, { name: 'b' });
    const secret = of({ ...SECRET, object: { ...SECRET.object, metadata } }).object.metadata;
    t.deepEqual(secret, trust === 'Platform' ? metadata : { name: 'a', annotations: { note: 'x' } });
  }
  const make = projector(makeReview({ object: { metadata } }), FACTS, NOW);
  const wanted = { shape: 'Review', trust: 'Platform', parameters: '{}' } as const;
  t.true(make({ ...wanted, detects: true }).includes('secret'));
  t.false(make(wanted).includes('secret'), 'inputs of one request do not mix');
});

const SECRET: Partial<Review> = {
  kind: { group: '', version: 'v1', kind: 'Secret' },
  resource: { group: '', version: 'v1', resource: 'secrets' },
  object: { data: { token: 'c2VjcmV0' }, stringData: { key: 'secret' }, type: 'Opaque' },
  oldObject: { data: { token: 'b2xk' } },
};

test("a tenant's pack sees no values of Secrets, and no credentials of users", (t) => {
  const userInfo = {
    username: 'ann',
    groups: [],
    extra: { 'authentication.kubernetes.io/credential-id': ['x'] },
  };
  const own = input({ ...SECRET, userInfo }, { trust: 'Tenant' }).review;
  t.deepEqual(own.object, { data: { token: MASKED }, stringData: { key: MASKED }, type: 'Opaque' });
  t.deepEqual(own.oldObject, { data: { token: MASKED } });
  t.deepEqual(own.userInfo, { username: 'ann', groups: [] });
  const platform = input({ ...SECRET, userInfo }).review;
  t.is(platform.object.data.token, 'c2VjcmV0');
  t.deepEqual(platform.userInfo, userInfo);
});

test('inputs of one request do not mix', (t) => {
  const make = projector(makeReview(SECRET), FACTS, NOW);
  const platform = make({ shape: 'Review', trust: 'Platform', parameters: '{"a":1}' });
  const tenant = make({ shape: 'Review', trust: 'Tenant', parameters: '{"b":2}' });
  t.true(platform.includes('c2VjcmV0'));
  t.false(tenant.includes('c2VjcmV0'));
  t.deepEqual(JSON.parse(tenant).parameters, { b: 2 });
  t.is(make({ shape: 'Review', trust: 'Platform', parameters: '{"a":1}' }), platform);
});
