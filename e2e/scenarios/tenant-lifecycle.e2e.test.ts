// SPDX-License-Identifier: Apache-2.0
import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import { attachSystem } from '#hack/system/attach';
import { eventually } from '#hack/tools/eventually';
import { agent, FOREVER, phase, run, world } from '../run-world.ts';
import { tenantManifest, User } from '../user.ts';

interface Meta {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

async function administrator(): Promise<User> {
  return new User(await attachSystem());
}

async function ready(user: User, name: string, manifest: object = tenantManifest(name)): Promise<void> {
  await user.applies(manifest);
  await user.does(['wait', `tenant/${name}`, '--for=condition=Ready', '--timeout=120s']);
}

async function reason(user: User, name: string, want: string): Promise<void> {
  await eventually(`${name} is not Ready: ${want}`, async () => {
    const found = await user.condition('Ready', `tenant/${name}`);
    return found?.status === 'False' && found.reason === want;
  });
}

function pullSecret(password: string) {
  const config = JSON.stringify({ auths: { 'registry.example': { password } } });
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/dockerconfigjson',
    metadata: { name: 'pull-me', namespace: 'nexusos-system', labels: { 'nexusos.dev/shareable': 'true' } },
    data: { '.dockerconfigjson': Buffer.from(config).toString('base64') },
  };
}

test('a tenant becomes Ready and tells its story in columns', async (t) => {
  const user = await administrator();
  await ready(user, 'story', tenantManifest('story', { quotas: { runs: { maxConcurrent: 3 } } }));
  const [header = '', row = ''] = (await user.does(['get', 'tn', 'story'])).split('\n');
  t.deepEqual(header.split(/\s+/).filter(Boolean), [
    'NAME',
    'STATE',
    'READY',
    'NAMESPACES',
    'RUNS',
    'GPUS',
    'AGE',
  ]);
  t.regex(row, /^story\s+Active\s+True\s+1\/1\s+0\/3\s/);
});

test('explain and describe speak in sentences', async (t) => {
  const user = await administrator();
  await ready(user, 'spoken');
  const explained = await user.does(['explain', 'tenant.spec.suspendPolicy']);
  t.regex(explained, /running Runs finish, or are paused/);
  t.regex(explained, /ENUM:\s+Finish\s+Pause/);
  const described = await user.does(['describe', 'tn', 'spoken']);
  t.regex(described, /Type:\s+Ready/);
  t.regex(described, /Events:/);
});

test('the same manifest applied again changes nothing', async (t) => {
  const user = await administrator();
  const egress = [{ cidr: '203.0.113.0/24', ports: [{ port: 443 }] }];
  const manifest = tenantManifest('gitops', {
    network: { egress },
    quotas: { compute: { 'requests.cpu': 4 } },
  });
  const apply = () => user.does(['apply', '-f', '-'], JSON.stringify(manifest));
  await apply();
  await user.does(['wait', 'tenant/gitops', '--for=condition=Ready', '--timeout=120s']);
  t.regex(await apply(), /^tenant\.nexusos\.dev\/gitops unchanged$/m);
  t.is((await user.tries(['diff', '-f', '-'], JSON.stringify(manifest))).text, '');
});

/** A NetworkPolicy. */
interface Border {
  readonly spec: object;
}

test('what somebody changes or deletes is put back', async (t) => {
  const user = await administrator();
  await ready(user, 'wayward');
  const inMain = ['-n', 'wayward-main'];
  const border = 'networkpolicy/nexusos';
  const { spec: whole } = (await user.sees<Border>(...inMain, border))!;
  const isWhole = async () => isDeepStrictEqual((await user.sees<Border>(...inMain, border))?.spec, whole);
  for (const spec of [{ egress: [{}], ingress: [{}] }, { podSelector: { matchLabels: { only: 'this' } } }]) {
    await user.does(['patch', ...inMain, border, '--type=merge', '-p', JSON.stringify({ spec })]);
    await eventually('the border is closed', isWhole);
  }
  await user.does(['delete', ...inMain, 'rolebinding/nexusos-admin', border]);
  await user.does([
    'label',
    'namespace/wayward-main',
    'pod-security.kubernetes.io/enforce=privileged',
    '--overwrite',
  ]);
  await eventually('everything is as before', async () => {
    const binding = await user.sees<Meta>(...inMain, 'rolebinding/nexusos-admin');
    const namespace = await user.sees<Meta>('namespace/wayward-main');
    return (
      binding !== undefined &&
      (await isWhole()) &&
      namespace?.metadata.labels?.['pod-security.kubernetes.io/enforce'] === 'restricted'
    );
  });
  t.pass();
});

test('a namespace is adopted with the consent of its owner, and released alive', async (t) => {
  const user = await administrator();
  await user.does(['create', 'namespace', 'legacy']);
  await user.does(['-n', 'legacy', 'create', 'configmap', 'theirs']);
  await user.applies(tenantManifest('adopter', { adoptNamespaces: [{ name: 'legacy' }] }));
  await reason(user, 'adopter', 'AdoptionRefused');
  const untouched = await user.sees<Meta>('namespace/legacy');
  t.is(untouched?.metadata.labels?.['nexusos.dev/tenant'], undefined);

  await user.does(['annotate', 'namespace', 'legacy', 'nexusos.dev/adopt-into=adopter']);
  await user.does(['wait', 'tenant/adopter', '--for=condition=Ready', '--timeout=120s']);
  t.truthy(await user.sees('-n', 'legacy', 'networkpolicy/nexusos'));

  await user.does(['patch', 'tenant', 'adopter', '--type=merge', '-p', '{"spec":{"adoptNamespaces":null}}']);
  await eventually('legacy is released', async () => {
    const left = await user.does([
      '-n',
      'legacy',
      'get',
      'networkpolicy,rolebinding,resourcequota',
      '-o',
      'name',
    ]);
    const namespace = await user.sees<Meta>('namespace/legacy');
    return left === '' && namespace?.metadata.labels?.['nexusos.dev/tenant'] === undefined;
  });
  t.truthy(await user.sees('-n', 'legacy', 'configmap/theirs'));
});

test('a namespace that is no longer listed is kept until its deletion is confirmed', async (t) => {
  const user = await administrator();
  const two = { namespaces: [{ suffix: 'main' }, { suffix: 'old' }] };
  await ready(user, 'shrinks', tenantManifest('shrinks', two));
  await user.applies(tenantManifest('shrinks'));
  await reason(user, 'shrinks', 'DeletionNotConfirmed');
  t.truthy(await user.sees('namespace/shrinks-old'));
  const asked = await user.condition('Ready', 'tenant/shrinks');
  const [, consent = 'none'] =
    /(nexusos\.dev\/confirm-deletion=\S+) --overwrite/.exec(asked?.message ?? '') ?? [];
  t.is(consent, 'nexusos.dev/confirm-deletion=shrinks-old');
  await user.does(['annotate', 'tenant', 'shrinks', consent, '--overwrite']);
  await eventually(
    'the namespace is gone',
    async () => (await user.sees('namespace/shrinks-old')) === undefined,
  );
  await user.does(['wait', 'tenant/shrinks', '--for=condition=Ready', '--timeout=120s']);
  const whole = await user.tries(['delete', 'tenant', 'shrinks', '--dry-run=server']);
  t.false(whole.ok, 'consent to the end of a namespace is none to the end of the tenant');
});

test('a pull secret is copied, follows its source, and goes with its entry', async (t) => {
  const user = await administrator();
  const copied = async (): Promise<string> => {
    const copy = await user.sees<{ readonly data: Readonly<Record<string, string>> }>(
      '-n',
      'puller-main',
      'secret/nexusos-pull-pull-me',
    );
    return Buffer.from(copy?.data['.dockerconfigjson'] ?? '', 'base64').toString();
  };
  await user.applies(tenantManifest('puller', { imagePullSecrets: [{ name: 'pull-me' }] }));
  await reason(user, 'puller', 'PullSecretUnavailable');
  await user.applies(pullSecret('first'));
  await user.does(['wait', 'tenant/puller', '--for=condition=Ready', '--timeout=120s']);
  await eventually('the copy is there', async () => (await copied()).includes('first'));
  await user.applies(pullSecret('second'));
  await eventually('the copy follows', async () => (await copied()).includes('second'));
  await user.applies(tenantManifest('puller', { imagePullSecrets: [] }));
  await eventually('the copy goes', async () => (await copied()) === '');
  t.pass();
});

test('nothing new starts in a suspended tenant', async (t) => {
  const user = await administrator();
  await ready(user, 'asleep');
  const create = [
    '-n',
    'asleep-main',
    'create',
    'deployment',
    'web',
    '--image=registry.example/web:1',
    '--dry-run=server',
  ];
  await user.does(['patch', 'tenant', 'asleep', '--type=merge', '-p', '{"spec":{"suspended":true}}']);
  await eventually('the tenant is suspended', async () => {
    const [, row = ''] = (await user.does(['get', 'tn', 'asleep'])).split('\n');
    return /\sSuspended\s/.test(row);
  });
  const asOwner = new User(
    await attachSystem(),
    await (await attachSystem()).kubeconfigFor({ user: 'asleep-admin' }),
  );
  await eventually('a Deployment is refused', async () =>
    /suspended/.test((await asOwner.tries(create)).text),
  );
  await user.does(['patch', 'tenant', 'asleep', '--type=merge', '-p', '{"spec":{"suspended":false}}']);
  await user.does(['wait', 'tenant/asleep', '--for=jsonpath={.status.state}=Active', '--timeout=120s']);
  t.pass();
});

test('a tenant is deleted in order, and only on purpose', async (t) => {
  const user = await administrator();
  await ready(user, 'leaver');
  const refused = await user.tries(['delete', 'tenant', 'leaver']);
  t.false(refused.ok);
  t.regex(refused.text, /nexusos\.dev\/confirm-deletion/);
  await user.does(['annotate', 'tenant', 'leaver', 'nexusos.dev/confirm-deletion=another,leaver']);
  await user.does(['delete', 'tenant', 'leaver', '--timeout=120s']);
  t.is(await user.sees('namespace/leaver-main'), undefined);
  t.is(await user.sees('quotaledger/leaver'), undefined);
  t.is(
    await user.does([
      'get',
      'clusterrole,clusterrolebinding',
      '-l',
      'nexusos.dev/tenant=leaver',
      '-o',
      'name',
    ]),
    '',
  );
});

test('nothing of Runs keeps a namespace that goes, or a tenant', async (t) => {
  const place = await world(t, 'quitter', {
    tenant: { namespaces: [{ suffix: 'main' }, { suffix: 'side' }] },
  });
  const { user } = place;
  await user.applies(agent('quitter-side'));
  await user.awaitsReady('-n', 'quitter-side', 'agent/worker');
  for (const namespace of ['quitter-main', 'quitter-side']) {
    await user.applies(run(namespace, 'runs', FOREVER), run(namespace, 'ended'));
    const inNamespace = { user, namespace };
    await eventually('one runs', async () => (await phase(inNamespace, 'runs')) === 'Running');
    await eventually('one has ended', async () => (await phase(inNamespace, 'ended')) === 'Succeeded');
  }
  await user.does(['annotate', 'tenant', 'quitter', 'nexusos.dev/confirm-deletion=quitter-side,quitter']);
  await user.applies(
    tenantManifest('quitter', {}, { 'nexusos.dev/confirm-deletion': 'quitter-side,quitter' }),
  );
  await eventually(
    'one namespace is gone',
    async () => (await user.sees('namespace/quitter-side')) === undefined,
  );
  t.is(await phase(place, 'runs'), 'Running');
  await user.does(['delete', 'tenant', 'quitter', '--timeout=120s']);
  t.is(await user.sees('namespace/quitter-main'), undefined);
});
