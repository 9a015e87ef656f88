// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import type { AttachedCluster } from '#hack/cluster/attached-cluster';
import { startCluster } from '#hack/cluster/cluster';
import { installChart, PLATFORM_NAMESPACE } from '#hack/system/chart';
import { type OperatorProcess, startOperator } from '#hack/system/operator-process';
import { eventually } from '#hack/tools/eventually';
import { PlayedReplica } from '../policy-player.ts';
import { type ReadCondition, tenantManifest, User } from '../user.ts';

interface Pack {
  readonly metadata: { readonly resourceVersion: string };
  readonly status?: {
    readonly phase?: string;
    readonly activeRevision?: string;
    readonly candidateRevision?: string;
    readonly source?: { readonly tests?: number; readonly coveragePercent?: number };
    readonly history?: readonly { readonly revision: string; readonly outcome: string }[];
  };
}

interface Place {
  readonly cluster: AttachedCluster;
  readonly admin: User;
  /** Admin of the tenant. */
  readonly owner: User;
}

const test = anyTest.serial as TestFn<Place>;
const NAMESPACE = 'packer-main';
const API = '/apis/nexusos.dev/v1alpha1';
const ENDS: (() => Promise<unknown>)[] = [];
let operator: OperatorProcess;

test.before(async (t) => {
  // Of its own: what replicas there are concerns every pack of a cluster.
  const cluster = await startCluster();
  ENDS.push(() => cluster.stop());
  await installChart(cluster);
  operator = await startOperator(cluster);
  ENDS.unshift(() => operator.stop());
  const admin = new User(cluster);
  const owners = [{ kind: 'User', name: 'packer-boss', role: 'admin' }];
  await admin.applies(tenantManifest('packer', { owners }));
  await admin.awaitsReady('tenant/packer');
  const owner = new User(cluster, await cluster.kubeconfigFor({ user: 'packer-boss' }));
  t.context = { cluster, admin, owner };
});
test.after.always(async () => {
  for (const end of ENDS) await end();
});

const NO_LATEST = `package images

deny contains finding if {
  some container in input.review.object.spec.containers
  endswith(container.image, ":latest")
  finding := sprintf("name a version of %s", [container.image])
}
`;
const TESTS = `package images_test

import data.images

test_latest if {
  count(images.deny) == 1 with input as {"review": {"object": {"spec": {"containers": [{"image": "a:latest"}]}}}}
}
`;

function pack(name: string, spec: object = {}, namespace = NAMESPACE) {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'PolicyPack',
    metadata: { name, namespace },
    spec: {
      version: '1.0.0',
      source: { inline: { modules: { 'images.rego': NO_LATEST, 'images_test.rego': TESTS } } },
      rollout: { shadowSeconds: 0 },
      ...spec,
    },
  };
}

function inline(rego: string): object {
  return { source: { inline: { modules: { 'a.rego': rego } } } };
}

/** The condition, when it says `reason` of the present spec. */
function says(
  user: User,
  { type, reason, name }: { readonly type: string; readonly reason: string; readonly name: string },
): Promise<ReadCondition> {
  return eventually(`${name} is ${type}: ${reason}`, async () => {
    const found = await user.condition(type, '-n', NAMESPACE, `policypack/${name}`);
    if (found?.reason !== reason) throw new Error(JSON.stringify(found));
    return found;
  });
}

async function seen(user: User, name: string): Promise<Pack> {
  const found = await user.sees<Pack>('-n', NAMESPACE, `policypack/${name}`);
  if (found === undefined) throw new Error(`there is no pack ${name}`);
  return found;
}

interface Listed {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
    readonly immutable?: boolean;
    readonly spec?: { readonly module: { readonly chunks: readonly string[] }; readonly digest: string };
  }[];
}

async function revisions({ cluster }: Place, name: string): Promise<Listed['items']> {
  const { items } = (await cluster.admin.get(
    `${API}/namespaces/${NAMESPACE}/policypackrevisions`,
  )) as unknown as Listed;
  return items.filter(({ metadata }) => metadata.labels?.['nexusos.dev/policy-pack'] === name);
}

async function chunks({ cluster }: Place, name: string): Promise<Listed['items']> {
  const path = `/api/v1/namespaces/${PLATFORM_NAMESPACE}/configmaps?labelSelector=nexusos.dev%2Fpolicy-pack%3D${name}`;
  return ((await cluster.admin.get(path)) as unknown as Listed).items;
}

test('a pack that its owner applies is verified, and becomes a revision that is kept beside the operator', async (t) => {
  const { admin, owner } = t.context;
  await owner.does(
    ['apply', '-f', '-'],
    JSON.stringify(pack('images', { tests: { minCoveragePercent: 50 } })),
  );
  const verified = await says(admin, { type: 'Verified', reason: 'Verified', name: 'images' });
  const [revision, ...others] = await revisions(t.context, 'images');
  t.is(others.length, 0);
  t.is(verified.message, `the source is PolicyPackRevision ${revision!.metadata.name}`);
  t.is(revision!.metadata.name, `images-${revision!.spec!.digest.slice(7, 19)}`);
  const kept = await chunks(t.context, 'images');
  t.deepEqual(
    kept.map(({ metadata }) => metadata.name),
    [...revision!.spec!.module.chunks],
  );
  t.true(kept.every(({ immutable }) => immutable === true));
  t.like((await seen(admin, 'images')).status, { source: { tests: 1, coveragePercent: 100 } });
  const ready = await says(admin, { type: 'Loaded', reason: 'NoReplicas', name: 'images' });
  t.is(ready.status, 'False', 'nobody says Ready while nobody enforces it');
});

test('it is Ready when every replica decides by it', async (t) => {
  const { cluster, admin } = t.context;
  const replica = new PlayedReplica(cluster, 'played');
  await replica.start();
  ENDS.unshift(() => replica.stop());
  await admin.awaitsReady('-n', NAMESPACE, 'policypack/images');
  const [revision] = await revisions(t.context, 'images');
  t.like((await seen(admin, 'images')).status, { phase: 'Active', activeRevision: revision!.metadata.name });
  const shown = await t.context.owner.does(['get', 'pack', '-n', NAMESPACE]);
  t.regex(
    shown,
    /^NAME +VERSION +ENFORCEMENT +PHASE +ACTIVE +READY +AGE\nimages +1\.0\.0 +Deny +Active +images-[0-9a-f]{12} +True /,
  );
});

const BROKEN: Readonly<
  Record<string, { readonly spec: object; readonly reason: string; readonly words: RegExp }>
> = {
  'does not compile': {
    spec: inline('package a\n\ndeny contains "x" if {'),
    reason: 'CompileFailed',
    words: /a\.rego:3: /,
  },
  'has no rule that anybody asks': { spec: inline('package a\nx := 1'), reason: 'NoRules', words: /deny/ },
  'fails its own tests': {
    spec: {
      source: {
        inline: {
          modules: {
            'a.rego': 'package a\ndeny if input.x',
            'a_test.rego': 'package a_test\ntest_a if false',
          },
        },
      },
    },
    reason: 'TestsFailed',
    words: /a_test\.test_a/,
  },
  'never ends': {
    spec: inline(
      'package a\ndeny contains "x" if {\n  some i in numbers.range(1, 4000)\n  some j in numbers.range(1, 4000)\n  i * j == -1\n}',
    ),
    reason: 'EvaluationFailed',
    words: /it fails \((Timeout|OutOfMemory)\)/,
  },
  'is larger than a manifest may be': {
    spec: {
      source: {
        inline: {
          modules: Object.fromEntries(
            Array.from({ length: 5 }, (_, i) => [`m${i}.rego`, `package m${i}\n# ${'x'.repeat(120_000)}\n`]),
          ),
        },
      },
    },
    reason: 'SourceTooLarge',
    words: /at most 524288 are allowed/,
  },
  'has a file with a path out of it': {
    spec: { source: { inline: { modules: { '../a.rego': 'package a' } } } },
    reason: 'InvalidSource',
    words: /"\.\.\/a\.rego"/,
  },
  'binds other tenants': {
    spec: { binding: { tenants: { names: ['victim'] } } },
    reason: 'BindingNotAllowed',
    words: /spec\.binding\.tenants: found in a pack of tenant packer/,
  },
};

test('a version that is refused says why, and changes nothing for the one that decides', async (t) => {
  t.timeout(3 * 60_000);
  const { admin } = t.context;
  const before = await seen(admin, 'images');
  for (const [title, { spec, reason, words }] of Object.entries(BROKEN)) {
    await admin.applies(pack('images', { version: '2.0.0', tests: { minCoveragePercent: 0 }, ...spec }));
    const verified = await says(admin, { type: 'Verified', reason, name: 'images' });
    t.is(verified.status, 'False', title);
    t.regex(verified.message, words, title);
    const { status } = await seen(admin, 'images');
    t.is(status?.activeRevision, before.status?.activeRevision, title);
    t.is(status?.candidateRevision, undefined, title);
    const ready = await admin.condition('Ready', '-n', NAMESPACE, 'policypack/images');
    t.like(ready, { status: 'False', reason }, title);
  }
});

test('a version that is sound decides, the one before is kept, and one field brings it back', async (t) => {
  const { admin } = t.context;
  const first = (await seen(admin, 'images')).status!.activeRevision!;
  const sound = pack('images', { version: '2.0.0' });
  await admin.applies(sound);
  await admin.awaitsReady('-n', NAMESPACE, 'policypack/images');
  const { status } = await seen(admin, 'images');
  t.not(status?.activeRevision, first, 'the version is part of what it is');
  t.like(status?.history?.[1], { revision: first, outcome: 'Superseded' });
  await admin.applies({ ...sound, spec: { ...sound.spec, rollbackTo: first } });
  await eventually('the first one decides again', async () => {
    return (await seen(admin, 'images')).status?.activeRevision === first;
  });
  await admin.applies(pack('images'));
  await admin.awaitsReady('-n', NAMESPACE, 'policypack/images');
  t.is((await seen(admin, 'images')).status?.activeRevision, first, 'the same manifest is the same revision');
  t.is((await revisions(t.context, 'images')).length, 2);
});

test('a pack waits for its ConfigMap, and follows it', async (t) => {
  const { admin } = t.context;
  const configMap = (rego: string) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'rules', namespace: NAMESPACE },
    data: { 'rules.rego': rego, 'data.json': '{"allowed":["a"]}', 'notes.txt': 'not part of it' },
  });
  await admin.applies(pack('followed', { source: { configMapRef: { name: 'rules' } } }));
  await says(admin, { type: 'Verified', reason: 'SourceNotFound', name: 'followed' });
  await admin.applies(configMap('package rules\ndeny contains "x" if not input.review.name in data.allowed'));
  await admin.awaitsReady('-n', NAMESPACE, 'policypack/followed');
  const first = (await seen(admin, 'followed')).status!.activeRevision;
  await admin.applies(configMap('package rules\nwarn contains "x" if not input.review.name in data.allowed'));
  await eventually('it decides by what the ConfigMap says now', async () => {
    const { activeRevision } = (await seen(admin, 'followed')).status ?? {};
    return activeRevision !== undefined && activeRevision !== first;
  });
  t.pass();
});

test('an operator that begins anew writes nothing of what is as it should be', async (t) => {
  const { cluster, admin } = t.context;
  const versions = async () => {
    const packs = await Promise.all(['images', 'followed', 'refused'].map((name) => seen(admin, name)));
    return packs.map(({ metadata }) => metadata.resourceVersion);
  };
  await admin.applies(pack('refused', inline('package a\ndeny if {')));
  await says(admin, { type: 'Verified', reason: 'CompileFailed', name: 'refused' });
  await admin.awaitsReady('-n', NAMESPACE, 'policypack/images');
  await admin.awaitsReady('-n', NAMESPACE, 'policypack/followed');
  const before = await versions();
  await operator.stop();
  operator = await startOperator(cluster);
  // One that is new is verified after those that were there, one at a time.
  await admin.applies(pack('after'));
  await admin.awaitsReady('-n', NAMESPACE, 'policypack/after');
  t.deepEqual(await versions(), before);
});

test('neither revisions nor what they are kept in are for a tenant to write', async (t) => {
  const { owner } = t.context;
  const [revision] = await revisions(t.context, 'images');
  const [chunk] = await chunks(t.context, 'images');
  const tried = await owner.tries(['delete', 'policypackrevision', revision!.metadata.name, '-n', NAMESPACE]);
  t.regex(tried.text, /cannot delete resource "policypackrevisions"/);
  const read = await owner.tries(['get', 'configmap', chunk!.metadata.name, '-n', PLATFORM_NAMESPACE]);
  t.regex(read.text, /cannot get resource "configmaps"/);
  const forged = await owner.tries(
    ['create', '-f', '-'],
    JSON.stringify({
      apiVersion: 'nexusos.dev/v1alpha1',
      kind: 'PolicyPackRevision',
      metadata: { name: 'images-000000000000', namespace: NAMESPACE },
      spec: {},
    }),
  );
  t.regex(forged.text, /cannot create resource "policypackrevisions"/);
});

test('what a module is kept in is written by nobody else, whatever roles he has', async (t) => {
  const { cluster, admin } = t.context;
  const metadata = { name: 'packer-thief', namespace: PLATFORM_NAMESPACE };
  const apiGroup = 'rbac.authorization.k8s.io';
  const verbs = ['get', 'create', 'patch', 'delete'];
  await admin.applies(
    {
      apiVersion: `${apiGroup}/v1`,
      kind: 'Role',
      metadata,
      rules: [{ apiGroups: [''], resources: ['configmaps'], verbs }],
    },
    {
      apiVersion: `${apiGroup}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup, kind: 'Role', name: 'packer-thief' },
      subjects: [{ kind: 'User', apiGroup, name: 'packer-thief' }],
    },
  );
  const thief = new User(cluster, await cluster.kubeconfigFor({ user: 'packer-thief' }));
  const [chunk] = await chunks(t.context, 'images');
  const where = ['-n', PLATFORM_NAMESPACE];
  const tries = [
    ['delete', 'configmap', chunk!.metadata.name, ...where],
    ['label', 'configmap', chunk!.metadata.name, 'nexusos.dev/policy-pack-uid-', ...where],
    ['create', 'configmap', 'nexusos-policy-of-mine', '--from-literal=part=x', ...where],
  ];
  for (const args of tries) {
    const said = await thief.tries(args);
    t.regex(
      said.text,
      /policy_blocked: request: found a change of ConfigMap .*only NexusOS writes modules/,
      args[0],
    );
  }
  const own = await thief.tries(['create', 'configmap', 'of-mine', '--from-literal=part=x', ...where]);
  t.true(own.ok, own.text);
});

test('a pack that is deleted takes with it what it was kept in', async (t) => {
  const { owner } = t.context;
  t.true((await chunks(t.context, 'images')).length > 0);
  await owner.does(['delete', 'policypack', 'images', '-n', NAMESPACE, '--timeout=60s']);
  await eventually('its revisions and their modules are gone', async () => {
    const [left, kept] = [await revisions(t.context, 'images'), await chunks(t.context, 'images')];
    return left.length === 0 && kept.length === 0;
  });
  t.true((await chunks(t.context, 'followed')).length > 0, 'those of another stay');
});
