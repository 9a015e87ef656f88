// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as z from 'zod';
import type { KubeObject, OwnerReference, Resource } from '../core/object.ts';
import {
  type AnyController,
  isParseFailure,
  keyOf,
  keyString,
  ownedBy,
  parseKey,
  parseWith,
  type Reader,
  turnOf,
} from './controller.ts';

const TENANTS: Resource = { apiVersion: 'g.dev/v1', kind: 'Tenant', plural: 'tenants', namespaced: false };
const RUNS: Resource = { apiVersion: 'g.dev/v1', kind: 'Run', plural: 'runs', namespaced: true };

function owned(...references: Partial<OwnerReference>[]): KubeObject {
  const ownerReferences = references.map((one) => ({
    apiVersion: 'g.dev/v1',
    kind: 'Run',
    name: 'r',
    uid: 'u',
    ...one,
  }));
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'n', ownerReferences } };
}

test('ownedBy names the controlling owner of the kind', (t) => {
  t.deepEqual(ownedBy(RUNS)(owned({ controller: true })), [{ namespace: 'n', name: 'r' }]);
  t.deepEqual(ownedBy(RUNS)(owned({ controller: true, apiVersion: 'g.dev/v2' })), [
    { namespace: 'n', name: 'r' },
  ]);
  t.deepEqual(ownedBy(TENANTS)(owned({ controller: true, kind: 'Tenant' })), [{ name: 'r' }]);
});

test('ownedBy names nobody for another kind, another group, or an owner that does not control', (t) => {
  t.deepEqual(ownedBy(TENANTS)(owned({ controller: true })), []);
  t.deepEqual(ownedBy(RUNS)(owned({ controller: true, apiVersion: 'other.dev/v1' })), []);
  t.deepEqual(ownedBy(RUNS)(owned({})), []);
  t.deepEqual(ownedBy(RUNS)({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' } }), []);
});

test('keys go to text and back', (t) => {
  for (const key of [{ name: 'a' }, { namespace: 'n', name: 'a' }])
    t.deepEqual(parseKey(keyString(key)), key);
});

test('parseWith fills in defaults, keeps metadata, and names the field that does not fit', (t) => {
  const parse = parseWith(z.object({ spec: z.object({ copies: z.int().default(1) }) }));
  const object = { apiVersion: 'g.dev/v1', kind: 'Run', metadata: { name: 'a', uid: 'u' }, spec: {} };
  t.deepEqual(parse(object), { ...object, spec: { copies: 1 } });
  const failed = parse({ ...object, spec: { copies: 'many' } });
  t.true(isParseFailure(failed));
  t.regex(isParseFailure(failed) ? failed.parseFailure : '', /^spec\.copies: /);
});

function cannotTell(): never {
  throw new Error('not parsed');
}

test('an object takes its turn with its tenant, or with its namespace, or alone', (t) => {
  const read = {} as Reader;
  const of = (group: AnyController['group'], object: KubeObject, isThere = true) =>
    turnOf({ group } as AnyController, { key: keyOf(object), object: isThere ? object : undefined }, read);
  const run: KubeObject = { apiVersion: 'g.dev/v1', kind: 'Run', metadata: { name: 'r', namespace: 'n' } };
  const tenant: KubeObject = { apiVersion: 'g.dev/v1', kind: 'Tenant', metadata: { name: 'acme' } };
  t.is(
    of(() => 'acme', run),
    'acme',
  );
  t.is(
    of(() => 'acme', run, false),
    'n',
    'gone, and nobody knows of whom it was',
  );
  t.is(of(undefined, run), 'n');
  t.is(
    of(() => undefined, tenant),
    'acme',
  );
  t.is(of(cannotTell, run), 'n');
});
