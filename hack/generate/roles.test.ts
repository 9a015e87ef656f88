// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { LEASE_NAME } from '#operator/config';
import { controllersFor } from '#operator/controllers/index';
import { certificateRules } from '#operator/controllers/webhook-certificates';
import { PULL_SECRET_WRITER, tenantClusterRoles } from '#operator/core/tenant/roles';
import type { PolicyRule } from '#operator/runtime/controller';
import { currentOperatorRules, roleFiles } from './roles.ts';
import { allows } from './rules.ts';
import { webhookRules } from './webhooks.ts';

const SETTINGS = {
  platformNamespace: 'platform',
  pullSecretNamespace: 'pull-secrets',
  operatorServiceAccount: 'operator',
  reservedRanges: [],
};

test('no role has a wildcard', (t) => {
  const files = roleFiles();
  t.is(files.length, 3);
  for (const { path, text } of files) t.notRegex(text, /^\s*(- |\w+: ).*\*/m, path);
});

/** The one object that is watched, where it is one. */
function watchedName(watch: object): string | undefined {
  const selector = 'fieldSelector' in watch ? String(watch.fieldSelector) : '';
  return /^metadata\.name=([^,=]+)$/.exec(selector)?.[1];
}

test('everything that is watched may be listed and watched, in the namespace where it is', (t) => {
  const { cluster, platform, pullSecrets } = currentOperatorRules();
  const where = new Map([
    [undefined, cluster],
    [SETTINGS.platformNamespace, platform],
    [SETTINGS.pullSecretNamespace, pullSecrets],
  ]);
  const watched = controllersFor(SETTINGS).controllers.flatMap(({ resource, watches }) => [
    { resource, namespace: undefined },
    ...watches,
  ]);
  t.true(watched.length > 0);
  for (const one of watched) {
    const { resource, namespace } = one;
    const name = watchedName(one);
    const [group = ''] = resource.apiVersion.includes('/') ? resource.apiVersion.split('/') : [''];
    const rules = where.get(namespace) ?? [];
    t.true(where.has(namespace), `${resource.plural} in ${namespace}`);
    for (const verb of ['list', 'watch']) {
      const named = rules
        .filter(({ resourceNames = [] }) => name !== undefined && resourceNames.includes(name))
        .filter(({ resources, verbs }) => resources.includes(resource.plural) && verbs.includes(verb));
      const what = { group, resource: resource.plural, verb };
      t.true(named.length > 0 || allows(rules, what), `${verb} ${resource.plural} ${name ?? ''}`);
    }
  }
});

test('Secrets can be listed where pull secrets are shared from only, and one of its own is written', (t) => {
  const { cluster, platform, pullSecrets } = currentOperatorRules();
  const elsewhere = [...cluster, ...platform].filter((rule) => rule.resources.includes('secrets'));
  t.deepEqual(
    elsewhere.toSorted((a, b) => a.verbs.length - b.verbs.length),
    [
      {
        apiGroups: [''],
        resources: ['secrets'],
        resourceNames: ['nexusos-verdict-signing'],
        verbs: ['create', 'get', 'list', 'patch', 'watch'],
      },
    ],
    'the key of verdicts; public keys that policies name, the chart names',
  );
  t.deepEqual(pullSecrets, [{ apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'watch'] }]);
});

test('the admission process reads what it judges by, and writes what it says of itself alone', (t) => {
  const { cluster, platform } = webhookRules();
  t.true(cluster.every(({ verbs }) => verbs.every((verb) => ['get', 'list', 'watch'].includes(verb))));
  t.false(cluster.some(({ resources }) => resources.includes('secrets')));
  const written = platform.filter(
    ({ verbs }) => !verbs.every((verb) => ['get', 'list', 'watch'].includes(verb)),
  );
  const resources = written.flatMap((rule) => rule.resources).toSorted();
  t.deepEqual(resources, ['leases', 'policyreplicas', 'policyreplicas/status']);
  const secrets = platform.filter((rule) => rule.resources.includes('secrets'));
  t.true(secrets.length === 1 && secrets[0]?.resourceNames?.length === 1);
});

test('the operator keeps certificates by name alone', (t) => {
  const { cluster, platform } = certificateRules('tls');
  for (const { resourceNames } of [...cluster, ...platform]) t.is(resourceNames?.length, 1);
});

test('pods are made, deleted and let go; what becomes of them nodes say', (t) => {
  const { cluster } = currentOperatorRules();
  for (const verb of ['create', 'delete', 'patch'])
    t.true(allows(cluster, { group: '', resource: 'pods', verb }));
  for (const resource of ['pods/status', 'pods/binding', 'pods/exec', 'pods/ephemeralcontainers'])
    for (const verb of ['create', 'update', 'patch']) t.false(allows(cluster, { group: '', resource, verb }));
  // Jobs are looked at where PolicyPacks judge what exists, and no more than that.
  const ofBatch = cluster.filter(({ apiGroups }) => apiGroups.includes('batch'));
  t.deepEqual([...new Set(ofBatch.flatMap(({ verbs }) => verbs))], ['list']);
});

test('the operator approves no Run', (t) => {
  const { cluster, platform, pullSecrets } = currentOperatorRules();
  t.false([...cluster, ...platform, ...pullSecrets].some(({ verbs }) => verbs.includes('approve')));
  t.false(allows(cluster, { group: 'nexusos.dev', resource: 'runs', verb: 'update' }));
});

test('only Leases of the lead and of shards can be renewed, and no finalizers of owners', (t) => {
  const { cluster, platform } = currentOperatorRules();
  const leases = platform.filter(({ resources }) => resources.includes('leases'));
  t.deepEqual(leases, [
    {
      apiGroups: ['coordination.k8s.io'],
      resources: ['leases'],
      resourceNames: [
        LEASE_NAME,
        ...Array.from({ length: 32 }, (_, i) => `${LEASE_NAME}-shard-${i}`),
      ].toSorted(),
      verbs: ['get', 'update'],
    },
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create', 'get', 'list', 'watch'] },
  ]);
  // Of those of verdicts on images another test tells.
  const others = platform.filter(
    (rule) =>
      !leases.includes(rule) &&
      rule.resourceNames?.every((one) => one.startsWith('nexusos-verdict-')) !== true,
  );
  const writing = others.filter(({ verbs }) =>
    verbs.some((verb) => !['get', 'list', 'watch'].includes(verb)),
  );
  t.deepEqual(
    writing,
    [
      {
        apiGroups: ['nexusos.dev'],
        resources: ['policyreplicas'],
        verbs: ['delete', 'get', 'list', 'watch'],
      },
    ],
    'and what processes leave behind is removed',
  );
  const resources = cluster.flatMap((rule) => rule.resources);
  t.deepEqual(
    resources.filter((one) => one.endsWith('/finalizers')),
    [],
  );
});

test('the operator hands out the roles of tenants and no others', (t) => {
  const { cluster } = currentOperatorRules();
  const binding = cluster.filter((rule) => rule.verbs.includes('bind'));
  t.deepEqual(
    binding.map((rule) => rule.resourceNames),
    [
      [
        'nexusos:pull-secret-writer',
        'nexusos:run-caller',
        'nexusos:tenant-admin',
        'nexusos:tenant-operator',
        'nexusos:tenant-viewer',
      ],
    ],
  );
  t.false(cluster.some((rule) => rule.verbs.includes('escalate') || rule.verbs.includes('impersonate')));
});

test('owners of tenants reach no quota, no status and no border of theirs', (t) => {
  const forbidden: readonly (readonly [string, string])[] = [
    ['', 'resourcequotas'],
    ['', 'limitranges'],
    ['', 'namespaces'],
    ['nexusos.dev', 'tenants'],
    ['nexusos.dev', 'quotaledgers'],
    ['nexusos.dev', 'usagerecords'],
    ['nexusos.dev', 'runs/status'],
    ['nexusos.dev', 'agents/status'],
  ];
  for (const role of tenantClusterRoles()) {
    if (role.metadata.name === PULL_SECRET_WRITER) continue;
    for (const [group, resource] of forbidden) {
      for (const verb of ['create', 'update', 'patch', 'delete', 'deletecollection']) {
        const rules = role['rules'] as readonly PolicyRule[];
        t.false(allows(rules, { group, resource, verb }), `${role.metadata.name}: ${verb} ${resource}`);
      }
    }
  }
});
