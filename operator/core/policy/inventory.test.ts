// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { assert, check, property, shuffledSubarray } from 'fast-check';
import type { PolicyInventory } from '#crds/v1alpha1/policy-inventory';
import type { KubeObject, Resource } from '../object.ts';
import {
  hasInventory,
  inventoryFault,
  inventoryText,
  objectTexts,
  areKept,
  kept,
  keptFields,
  projected,
  withInventory,
} from './inventory.ts';

const INGRESSES: Resource = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  plural: 'ingresses',
  namespaced: true,
};
const CLASSES: Resource = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  plural: 'storageclasses',
  namespaced: false,
};

function looking(kinds: PolicyInventory['kinds'], more: Partial<PolicyInventory> = {}): PolicyInventory {
  return { kinds, maxAgeSeconds: 120, ...more };
}
const INGRESS = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' };
const CLASS = { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass' };

test('a kind that is not kept is told with what is, and where more come from', (t) => {
  t.is(
    inventoryFault(looking([INGRESS, { apiVersion: 'v1', kind: 'Secret' }]), [INGRESSES], false),
    'spec.inventory.kinds[1]: found v1 Secret; the kinds that the platform keeps for packs are: networking.k8s.io/v1 Ingress. More by chart value platform.policyInventory',
  );
  t.regex(inventoryFault(looking([INGRESS]), [], false) ?? '', /are: none\. More by/);
  t.is(inventoryFault(looking([INGRESS, CLASS]), [INGRESSES, CLASSES], false), undefined);
});

test('a look-alike of another group, and what no tenant sees, are refused', (t) => {
  t.regex(
    inventoryFault(looking([{ ...INGRESS, apiVersion: 'extensions/v1' }]), [INGRESSES], false) ?? '',
    /found extensions\/v1 Ingress/,
  );
  t.regex(
    inventoryFault(looking([CLASS]), [CLASSES], true) ?? '',
    /which is in no namespace; the pack of a tenant/,
  );
});

function ingress(namespace: string, name: string, more: object = {}): KubeObject {
  const metadata = {
    name,
    namespace,
    resourceVersion: '7',
    labels: { app: name },
    managedFields: [{}],
    annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}', kept: 'yes' },
  };
  return { ...INGRESS, metadata, spec: { rules: [{ host: name }], other: 1 }, ...more };
}

test('of an object there is what is asked for, and who it is', (t) => {
  const object = ingress('a', 'web', { status: { loadBalancer: {} } });
  const identity = { name: 'web', namespace: 'a' };
  const whole = { labels: { app: 'web' }, annotations: { kept: 'yes' } };
  const { spec, status } = object;
  t.deepEqual(projected(object, INGRESSES, undefined), {
    ...INGRESS,
    metadata: { ...identity, ...whole },
    spec,
    status,
  });
  t.deepEqual(
    projected(object, INGRESSES, ['spec.rules', 'metadata.labels.app', 'spec.absent.deep', 'kind.x']),
    {
      ...INGRESS,
      metadata: { ...identity, labels: { app: 'web' } },
      spec: { rules: [{ host: 'web' }] },
    },
  );
  t.deepEqual(
    object,
    ingress('a', 'web', { status: { loadBalancer: {} } }),
    'what a store holds is not changed',
  );
});

function textOf(
  inventory: PolicyInventory,
  objects: readonly KubeObject[],
  own?: ReadonlySet<string>,
): unknown {
  const text = inventoryText({ inventory, own }, [{ resource: INGRESSES, objects }], {
    maxBytes: 10_000,
    textOf: objectTexts(),
  });
  return JSON.parse(text);
}

test('laid out as templates expect it, whose names soever', (t) => {
  const found = textOf(looking([{ ...INGRESS, fields: ['spec.rules'] }]), [
    ingress('b', '__proto__'),
    ingress('constructor', 'x'),
  ]);
  const at = (namespace: string, name: string) => ({
    [INGRESS.apiVersion]: {
      Ingress: JSON.parse(
        `{${JSON.stringify(name)}:{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":${JSON.stringify(name)},"namespace":"${namespace}"},"spec":{"rules":[{"host":${JSON.stringify(name)}}]}}}`,
      ) as unknown,
    },
  });
  t.deepEqual(found, { namespace: { b: at('b', '__proto__'), constructor: at('constructor', 'x') } });
});

test('a tenant sees its own namespaces alone, however the pack names others', (t) => {
  const objects = [ingress('own-a', 'x'), ingress('other', 'y'), ingress('', 'z')];
  const own = new Set(['own-a', 'own-b']);
  const seen = (inventory: PolicyInventory) =>
    Object.keys((textOf(inventory, objects, own) as { namespace?: object }).namespace ?? {});
  t.deepEqual(seen(looking([INGRESS])), ['own-a']);
  t.deepEqual(seen(looking([INGRESS], { namespaces: ['other'] })), []);
  t.deepEqual(Object.keys(textOf(looking([INGRESS]), objects, own) as object), ['namespace']);
});

test('the same objects give the same text, in whichever order they are told', (t) => {
  const all = ['a', 'b', 'c'].flatMap((namespace) => ['x', 'y'].map((name) => ingress(namespace, name)));
  const inventory = looking([INGRESS]);
  const text = (objects: readonly KubeObject[]) =>
    inventoryText({ inventory, own: undefined }, [{ resource: INGRESSES, objects }], {
      maxBytes: 10_000,
      textOf: objectTexts(),
    });
  const { counterexample } = check(
    property(shuffledSubarray(all, { minLength: all.length }), (objects) => text(objects) === text(all)),
  );
  t.is(counterexample, null);
});

test('what is too large is refused, and not cut', (t) => {
  const objects = Array.from({ length: 100 }, (_, index) => ingress('a', `web-${index}`));
  const error = t.throws(() => textOf(looking([INGRESS]), objects));
  t.regex(error?.message ?? '', /more than 10000 bytes: name fewer fields, kinds or namespaces/);
});

function documentOf(text: string, maxBytes: number): string {
  return inventoryText(
    { inventory: looking([{ ...INGRESS, fields: ['spec.text'] }]), own: undefined },
    [{ resource: INGRESSES, objects: [ingress('a', 'x', { spec: { text } })] }],
    { maxBytes, textOf: objectTexts() },
  );
}

for (const [letter, bytes] of [
  ['a', 1],
  ['ä', 2],
  ['語', 3],
  ['😀', 4],
] as const)
  test(`what is counted is bytes of the finished document: ${letter} has ${bytes}`, (t) => {
    const around = documentOf('', 1000).length;
    const [text, most] = [letter.repeat(100), around + 100 * bytes];
    t.is(Buffer.byteLength(documentOf(text, most)), most);
    t.throws(() => documentOf(text, most - 1), { message: /more than \d+ bytes: name fewer/ });
  });

test('beside it, the data of the pack stay as they are', (t) => {
  const encoder = new TextEncoder();
  const both = (data: string | undefined) =>
    new TextDecoder().decode(
      withInventory(data === undefined ? undefined : encoder.encode(data), '{"cluster":{}}'),
    );
  t.is(both(undefined), '{"inventory":{"cluster":{}}}');
  t.is(both('{}'), '{"inventory":{"cluster":{}}}');
  t.is(both(' {"a": 1e400}\n'), '{"a": 1e400,"inventory":{"cluster":{}}}');
  t.true(hasInventory(encoder.encode('{"inventory":{}}')));
  t.false(hasInventory(encoder.encode('{"a":{"inventory":{}}}')));
  t.false(hasInventory(undefined));
});

const PATHS = [
  'spec',
  'spec.rules',
  'spec.rules.host',
  'spec.rules.http.paths',
  'spec.tls.hosts',
  'metadata',
  'metadata.labels',
  'metadata.labels.app',
  'metadata.uid',
  'metadata.resourceVersion',
  'status.__proto__.x',
  'absent.deep',
];

test('what is kept for several readers says to each of them what the whole object says', (t) => {
  const object = JSON.parse(`{
    "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "status": { "__proto__": { "x": 1 }, "y": 2 },
    "metadata": { "name": "web", "namespace": "a", "uid": "u", "resourceVersion": "7", "labels": { "app": "w", "b": "c" } },
    "spec": { "rules": [{ "host": "x", "http": { "paths": [1, { "a": null }] } }, "odd", null], "tls": { "hosts": ["h"] }, "class": "z" }
  }`) as KubeObject;
  const readers = property(shuffledSubarray(PATHS), shuffledSubarray(PATHS), (one, other) => {
    const fields = keptFields([one, other]) ?? [];
    const light = kept(object, INGRESSES, fields);
    t.true(areKept(one, fields) && areKept(other, fields));
    t.like(light.metadata, { name: 'web', namespace: 'a', uid: 'u', resourceVersion: '7' });
    for (const mine of [one, other])
      t.deepEqual(projected(light, INGRESSES, mine), projected(object, INGRESSES, mine));
  });
  assert(readers);
});

test('who reads all, or too much to tell apart, has objects kept whole', (t) => {
  t.is(keptFields([['a'], undefined]), undefined);
  t.deepEqual(keptFields([['b', 'a'], ['a']]), ['a', 'b']);
  t.is(keptFields(Array.from({ length: 65 }, (_, index) => [`f${index}`])), undefined);
  t.true(areKept(undefined, undefined) && areKept(['a'], undefined));
  t.false(areKept(undefined, ['a']));
  t.false(areKept(['a', 'b'], ['a']));
});

test('what nobody names is not kept', (t) => {
  const object = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web', annotations: { secret: 'long' } },
    spec: { rules: [{ host: 'x', http: {} }], tls: [] },
  } as KubeObject;
  t.deepEqual(kept(object, INGRESSES, ['spec.rules.host']) as object, {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web' },
    spec: { rules: [{ host: 'x' }] },
  });
});
