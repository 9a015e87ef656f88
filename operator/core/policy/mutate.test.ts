// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { planDefaults, planRedactions, REDACTED, type WantedDefault } from './mutate.ts';

const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', env: [{ name: 'KEY', value: 'secret' }] }] },
};
const want = (path: string, value: unknown, by = 'nexusos/a'): WantedDefault => ({
  path,
  value,
  by,
  trust: 'Platform',
});
const tenants = (path: string, value: unknown, by = 'acme-dev/a'): WantedDefault => ({
  ...want(path, value, by),
  trust: 'Tenant',
});

interface Case {
  readonly wanted: readonly WantedDefault[];
  readonly patch: readonly [path: string, value: unknown][];
  readonly passedOver?: readonly RegExp[];
}

const CASES: Readonly<Record<string, Case>> = {
  'where there is nothing': {
    wanted: [want('/spec/priority', 5)],
    patch: [['/spec/priority', 5]],
  },
  'where there is something, it stays': { wanted: [want('/metadata/labels/app', 'other')], patch: [] },
  'parents that are not there are made once': {
    wanted: [want('/spec/a/b/c', 1), want('/spec/a/b/d', 2)],
    patch: [
      ['/spec/a', {}],
      ['/spec/a/b', {}],
      ['/spec/a/b/c', 1],
      ['/spec/a/b/d', 2],
    ],
  },
  'an element of a list that is there': {
    wanted: [want('/spec/containers/0/imagePullPolicy', 'Always')],
    patch: [['/spec/containers/0/imagePullPolicy', 'Always']],
  },
  'an element that is not': {
    wanted: [want('/spec/containers/1/image', 'x')],
    patch: [],
    passedOver: [/nothing that it could be put in/],
  },
  'the end of a list': {
    wanted: [want('/spec/containers/-', {})],
    patch: [],
    passedOver: [/nothing that it could be put in/],
  },
  'a part that every object seems to have': {
    wanted: [want('/metadata/labels/constructor', 'x')],
    patch: [['/metadata/labels/constructor', 'x']],
  },
  'two that want the same': {
    wanted: [want('/spec/a', 1), want('/spec/a', 1, 'nexusos/b')],
    patch: [['/spec/a', 1]],
  },
  'two that want different things: neither': {
    wanted: [want('/spec/a', 1), want('/spec/a', 2, 'nexusos/b')],
    patch: [],
    passedOver: [/nexusos\/b wants something else/, /nexusos\/a wants something else/],
  },
  'one within the other: neither': {
    wanted: [want('/spec/a', {}), want('/spec/a/b', 2, 'nexusos/b')],
    patch: [],
    passedOver: [/nexusos\/b/, /nexusos\/a/],
  },
  'names that begin alike are different places': {
    wanted: [want('/spec/a', 1), want('/spec/ab', 2, 'nexusos/b')],
    patch: [
      ['/spec/a', 1],
      ['/spec/ab', 2],
    ],
  },
  'the platform goes before a tenant': {
    wanted: [tenants('/metadata/labels/team', 'x'), want('/metadata/labels/team', 'y')],
    patch: [['/metadata/labels/team', 'y']],
    passedOver: [/nexusos\/a wants something else/],
  },
  'what an object is': {
    wanted: [
      want('/metadata/namespace', 'kube-system'),
      want('/metadata/ownerReferences', []),
      want('/status/x', 1),
    ],
    patch: [],
    passedOver: [/what the object is/, /what the object is/, /what the object is/],
  },
  'marks of ours, and of Kubernetes': {
    wanted: [
      want('/metadata/labels/nexusos.dev~1tenant', 'x'),
      want('/metadata/annotations/x.nexusos.dev~1y', 'x'),
      want('/metadata/labels/pod-security.kubernetes.io~1enforce', 'privileged'),
    ],
    patch: [],
    passedOver: [/marks/, /marks/, /marks/],
  },
  'what looks like such a mark': {
    wanted: [want('/metadata/labels/notnexusos.dev~1x', 'x')],
    patch: [['/metadata/labels/notnexusos.dev~1x', 'x']],
  },
  'what a tenant may': {
    wanted: [
      tenants('/metadata/labels/team', 'x'),
      tenants('/spec/containers/0/resources/requests/cpu', '1'),
      tenants('/spec/containers/0/imagePullPolicy', 'Always'),
    ],
    patch: [
      ['/metadata/labels/team', 'x'],
      ['/spec/containers/0/imagePullPolicy', 'Always'],
      ['/spec/containers/0/resources', {}],
      ['/spec/containers/0/resources/requests', {}],
      ['/spec/containers/0/resources/requests/cpu', '1'],
    ],
  },
  'what a tenant may not': {
    wanted: [
      tenants('/spec/hostNetwork', true),
      tenants('/spec/serviceAccountName', 'admin'),
      tenants('/spec/containers/0/securityContext', { privileged: true }),
      tenants('/spec/containers/0/command', ['sh']),
      tenants('/metadata/labels', { 'nexusos.dev/tenant': 'x' }),
    ],
    patch: [],
    passedOver: [/of a tenant/, /of a tenant/, /of a tenant/, /of a tenant/, /of a tenant/],
  },
};

for (const [name, { wanted, patch, passedOver = [] }] of Object.entries(CASES)) {
  test(`defaults: ${name}`, (t) => {
    const planned = planDefaults(POD, wanted);
    t.deepEqual(
      planned.patch.map(({ path, value }) => [path, value]),
      patch.map(([path, value]) => [path, value]),
    );
    t.true(planned.patch.every(({ op }) => op === 'add'));
    t.is(planned.passedOver.length, passedOver.length);
    for (const [index, pattern] of passedOver.entries())
      t.regex(planned.passedOver[index]?.why ?? '', pattern);
  });
}

test('no order of packs makes a difference', (t) => {
  const wanted = [
    want('/spec/a', 1),
    want('/spec/a', 2, 'nexusos/b'),
    want('/spec/c', 3),
    tenants('/spec/c', 4),
  ];
  t.deepEqual(planDefaults(POD, wanted).patch, planDefaults(POD, wanted.toReversed()).patch);
});

const platform = (...paths: readonly string[]) => paths.map((path) => ({ path, trust: 'Platform' as const }));

test('redaction takes out whole texts, and nothing that the object is', (t) => {
  const paths = ['/spec/containers/0/env/0/value', '/metadata/name', '/spec/containers', '/spec/none', ''];
  t.deepEqual(planRedactions(POD, platform(...paths, ...paths)), [
    { op: 'replace', path: '/spec/containers/0/env/0/value', value: REDACTED },
  ]);
});

test('with what is redacted goes the copy of it that kubectl keeps, and else it stays', (t) => {
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{"spec":{}}', note: 'x' };
  const applied = { ...POD, metadata: { ...(POD['metadata'] as object), annotations } };
  t.deepEqual(planRedactions(applied, platform('/spec/containers/0/env/0/value')), [
    { op: 'replace', path: '/spec/containers/0/env/0/value', value: REDACTED },
    { op: 'remove', path: '/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration' },
  ]);
  t.deepEqual(planRedactions(applied, platform('/spec/none')), []);
});

test('what only the copy that kubectl keeps still has goes with it', (t) => {
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{"env":"secret"}' };
  const applied = { ...POD, metadata: { ...(POD['metadata'] as object), annotations } };
  const path = '/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration';
  for (const trust of ['Platform', 'Tenant'] as const)
    t.deepEqual(planRedactions(applied, [{ path, trust }]), [{ op: 'remove', path }]);
  t.deepEqual(planRedactions(POD, platform(path)), []);
});

const OF_TENANT: Readonly<Record<string, boolean>> = {
  '/data/notes': true,
  '/metadata/annotations/note': true,
  '/spec/template/metadata/annotations/note': true,
  '/spec/containers/0/env/0/value': true,
  '/spec/containers/0/env/1/value': false,
  '/spec/containers/0/env/0/name': false,
  '/spec/containers/0/image': false,
  '/spec/containers/0/command/0': false,
  '/spec/serviceAccountName': false,
  '/spec/nodeName': false,
  '/metadata/labels/app': false,
  '/metadata/annotations/nexusos.dev~1run': false,
  '/metadata/annotations/leaderworkerset.sigs.k8s.io~1x': false,
  '/metadata/annotations/lb.x-k8s.io~1x': false,
  '/metadata/annotations/x-k8s.io~1x': false,
};

for (const [path, want] of Object.entries(OF_TENANT)) {
  test(`a pack of a tenant ${want ? 'may' : 'may not'} take out ${path}`, (t) => {
    const object = {
      data: { notes: 's' },
      metadata: {
        labels: { app: 's' },
        annotations: {
          note: 's',
          'nexusos.dev/run': 's',
          'leaderworkerset.sigs.k8s.io/x': 's',
          'lb.x-k8s.io/x': 's',
          'x-k8s.io/x': 's',
        },
      },
      spec: {
        serviceAccountName: 's',
        nodeName: 's',
        template: { metadata: { annotations: { note: 's' } } },
        containers: [
          {
            image: 's',
            command: ['s'],
            env: [
              { name: 'TOKEN', value: 's' },
              { name: 'NEXUSOS_RUN', value: 's' },
            ],
          },
        ],
      },
    };
    t.is(planRedactions(object, [{ path, trust: 'Tenant' }]).length, want ? 1 : 0);
    const isOfOthers = /nexusos|k8s/.test(path);
    t.is(planRedactions(object, platform(path)).length, isOfOthers ? 0 : 1);
  });
}
