// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import test from 'ava';
import { parseAllDocuments } from 'yaml';
import { KINDS } from '#crds/v1alpha1/index';
import type { KubeObject } from '#operator/core/object';
import { ensureTools } from '../tools/build.ts';
import { temporaryFolder } from '../tools/testing/temporary-folder.ts';
import { type ChartValues, helmEnvironment } from './chart.ts';
import { type RunResult, runProgram } from '../tools/run-program.ts';

const CHART = join(import.meta.dirname, '../../charts/nexusos');

let folder = '';
let remove: () => Promise<void> = async () => {};
test.before(async () => {
  folder = await temporaryFolder({ teardown: (undo) => void (remove = undo) }, 'helm');
});
test.after.always(() => remove());

async function helm(args: readonly string[], values: ChartValues = {}): Promise<RunResult> {
  const { helm: program } = await ensureTools(['helm']);
  const stdin = JSON.stringify(values);
  return runProgram(program, { args: [...args, '--values', '-'], stdin, env: helmEnvironment(folder) });
}

async function render(
  values: ChartValues = {},
  apiVersions: readonly string[] = [],
): Promise<readonly KubeObject[]> {
  const served = apiVersions.map((one) => `--api-versions=${one}`);
  const args = [
    'template',
    'nexusos',
    CHART,
    '--namespace',
    'platform',
    '--kube-version',
    '1.36.3',
    ...served,
  ];
  const result = await helm(args, values);
  if (result.code !== 0) throw new Error(result.stderr);
  return parseAllDocuments(result.stdout)
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object) => object !== null);
}

function pick(objects: readonly KubeObject[], kind: string): readonly KubeObject[] {
  return objects.filter((object) => object.kind === kind);
}

test('lint has nothing to say', async (t) => {
  const result = await helm(['lint', CHART, '--strict', '--kube-version', '1.36.3']);
  t.is(result.code, 0, result.stdout + result.stderr);
});

test('by default everything is there, once, and in the release namespace', async (t) => {
  const objects = await render();
  t.deepEqual(
    pick(objects, 'CustomResourceDefinition')
      .map((one) => one.metadata.name)
      .toSorted(),
    KINDS.map((kind) => `${kind.plural}.${kind.group}`).toSorted(),
  );
  for (const kind of ['Deployment', 'PodDisruptionBudget', 'Service', 'ServiceAccount', 'ConfigMap']) {
    t.deepEqual([...new Set(pick(objects, kind).map((one) => one.metadata.namespace))], ['platform'], kind);
  }
  t.deepEqual(
    pick(objects, 'Deployment').map((one) => one.metadata.name),
    ['nexusos-operator', 'nexusos-webhooks'],
  );
  const names = objects.map((one) => `${one.kind}/${one.metadata.namespace ?? ''}/${one.metadata.name}`);
  t.deepEqual(names.toSorted(), [...new Set(names)].toSorted());
});

test('CRDs are kept on uninstall, and can be left out', async (t) => {
  for (const crd of pick(await render(), 'CustomResourceDefinition')) {
    t.is(crd.metadata.annotations?.['helm.sh/resource-policy'], 'keep', crd.metadata.name);
  }
  t.is(pick(await render({ crds: { install: false } }), 'CustomResourceDefinition').length, 0);
});

interface PodSpec {
  readonly serviceAccountName: string;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly containers: readonly {
    readonly image: string;
    readonly securityContext: Readonly<Record<string, unknown>>;
  }[];
}

function podOf(objects: readonly KubeObject[], name = 'nexusos-operator'): PodSpec {
  const deployment = pick(objects, 'Deployment').find((one) => one.metadata.name === name);
  return (deployment!['spec'] as { template: { spec: PodSpec } }).template.spec;
}

for (const name of ['nexusos-operator', 'nexusos-webhooks']) {
  test(`the pod of ${name} meets the restricted Pod Security Standard`, async (t) => {
    const pod = podOf(await render(), name);
    t.like(pod.securityContext, { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    t.like(pod.containers[0]!.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });
}

test('an image goes by its digest where one is given', async (t) => {
  const digest = `sha256:${'0a'.repeat(32)}`;
  t.is(podOf(await render()).containers[0]!.image, 'nexusos:0.1.0');
  t.is(podOf(await render({ operator: { image: { tag: 'x' } } })).containers[0]!.image, 'nexusos:x');
  t.is(
    podOf(await render({ operator: { image: { tag: 'x', digest } } })).containers[0]!.image,
    `nexusos@${digest}`,
  );
});

async function settings(values: ChartValues) {
  const objects = await render(values);
  const [deployment] = pick(objects, 'Deployment');
  const { template } = deployment!['spec'] as { template: KubeObject };
  return { data: pick(objects, 'ConfigMap')[0]!['data'], hash: template.metadata.annotations };
}

test('settings reach the operator, and other settings mean other pods', async (t) => {
  const prices = { currency: 'USD', default: { runUnits: '11.5' }, plans: { gold: { runUnits: '9' } } };
  const plain = await settings({});
  const other = await settings({
    platform: { reservedRanges: ['10.0.0.0/8', 'fd00::/8'], planWeights: { silver: 2, gold: 1000 }, prices },
  });
  t.like(plain.data, {
    NEXUSOS_NAMESPACE: 'platform',
    NEXUSOS_RESERVED_RANGES: '',
    NEXUSOS_PLAN_WEIGHTS: '',
    NEXUSOS_LEASE_DURATION_MS: '10000',
  });
  t.like(other.data, {
    NEXUSOS_RESERVED_RANGES: '10.0.0.0/8,fd00::/8',
    NEXUSOS_PLAN_WEIGHTS: 'gold=1000,silver=2',
    NEXUSOS_PRICES: JSON.stringify(prices),
  });
  t.notDeepEqual(plain.hash, other.hash);
});

test('the archive is known to the operator, with its Secret where there is one', async (t) => {
  const url = 'https://archive.example.com/runs';
  const objects = await render({ archive: { url, secretName: 'archive-access' } });
  const settings = pick(objects, 'ConfigMap').find((one) => one.metadata.name === 'nexusos-operator');
  t.like(settings, { data: { NEXUSOS_ARCHIVE_URL: url } });
  const text = JSON.stringify(pick(objects, 'Deployment')[0]);
  t.true(text.includes('{"name":"NEXUSOS_ARCHIVE_FOLDER","value":"/etc/nexusos/archive"}'), text);
  t.true(text.includes('"secretName":"archive-access"'), text);
  t.false(JSON.stringify(await render()).includes('NEXUSOS_ARCHIVE_FOLDER'));
});

test('who did something is filled in where the API server knows how to', async (t) => {
  const policies = 'admissionregistration.k8s.io/v1/MutatingAdmissionPolicy';
  t.deepEqual(pick(await render(), 'MutatingAdmissionPolicy'), []);
  const args = ['template', 'nexusos', CHART, '--kube-version', '1.36.3', '--api-versions', policies];
  const { stdout } = await helm(args);
  const named = (kind: string) =>
    [...stdout.matchAll(new RegExp(`^kind: ${kind}\\nmetadata:\\n  name: (\\S+)$`, 'gm'))].map(
      ([, name]) => name,
    );
  t.true(named('MutatingAdmissionPolicy').includes('nexusos-run-authors'));
  t.deepEqual(named('MutatingAdmissionPolicy'), named('MutatingAdmissionPolicyBinding'), 'each is bound');
});

test('guardrails know the platform of the release', async (t) => {
  const values = { serviceAccount: { name: 'other' }, platform: { adminGroups: ['ops', 'oidc:sre'] } };
  const text = JSON.stringify(pick(await render(values), 'ValidatingAdmissionPolicy'));
  t.true(text.includes("'system:serviceaccount:platform:other'"));
  t.true(text.includes("g in ['ops', 'oidc:sre']"));
  t.notRegex(text, /system:masters|PLATFORM_|OPERATOR_|RESERVED_/);
  t.true(text.includes("'nvidia.com'"));
  const other = await render({ platform: { reservedNodeKeys: ['fpga.example/card'] } });
  t.true(JSON.stringify(pick(other, 'ValidatingAdmissionPolicy')).includes("'fpga.example/card'"));
});

/** The image of pods of remote agents: as the operator is told, and as the guardrails let it pass. */
async function remoteImage(values: ChartValues) {
  const { data } = await settings(values);
  const policies = JSON.stringify(pick(await render(values), 'ValidatingAdmissionPolicy'));
  const [, allowed] = /variables\.isRun && i == '([^']*)'/.exec(policies) ?? [];
  return { told: (data as Record<string, string>)['NEXUSOS_REMOTE_IMAGE'], allowed };
}

test('remote agents have the image of the operator, another one, or there are none', async (t) => {
  const image = { repository: 'r.example.com/nexusos', tag: '9' };
  const own = 'r.example.com/nexusos:9';
  t.deepEqual(await remoteImage({ operator: { image } }), { told: own, allowed: own });
  const other = 'mirror.example.com/nexusos@sha256:0';
  t.deepEqual(await remoteImage({ remoteAgents: { image: other } }), { told: other, allowed: other });
  t.deepEqual(await remoteImage({ remoteAgents: { enabled: false } }), { told: '', allowed: '' });
});

test('a text that would end a rule is no image', async (t) => {
  const result = await helm(['template', 'nexusos', CHART], {
    remoteAgents: { image: "a' || true || i == '" },
  });
  t.not(result.code, 0);
  t.regex(result.stderr, /remoteAgents/);
});

/** Of the operator: its roles, pull secrets, certificates, and the removal of the chart. Of the admission process: two. */
const BINDINGS = 8;

test('every binding names the ServiceAccount that is made', async (t) => {
  const objects = await render({ serviceAccount: { name: 'other' } });
  t.deepEqual(
    pick(objects, 'ServiceAccount')
      .map((one) => one.metadata.name)
      .toSorted(),
    ['nexusos-webhooks', 'other'],
  );
  const bindings = [...pick(objects, 'ClusterRoleBinding'), ...pick(objects, 'RoleBinding')];
  const named = bindings.map(({ metadata, subjects }) => [metadata.name, subjects] as const);
  t.is(named.length, BINDINGS);
  for (const [name, found] of named) {
    const account = name === 'nexusos:webhooks' ? 'nexusos-webhooks' : 'other';
    t.deepEqual(found, [{ kind: 'ServiceAccount', name: account, namespace: 'platform' }]);
  }
});

/** Where the operator may read Secrets, and where it is told to. */
async function secretAccess(values: ChartValues) {
  const objects = await render(values);
  const { data } = await settings(values);
  return {
    rights: ['Role', 'RoleBinding']
      .flatMap((kind) => pick(objects, kind))
      .filter((one) => one.metadata.name === 'nexusos:operator-pull-secrets')
      .map((one) => one.metadata.namespace),
    told: (data as Record<string, string>)['NEXUSOS_PULL_SECRET_NAMESPACE'],
  };
}

test('Secrets are read in a namespace of their own where there is one', async (t) => {
  t.deepEqual(await secretAccess({}), { rights: ['platform', 'platform'], told: 'platform' });
  const own = await secretAccess({ platform: { pullSecretNamespace: 'hub' } });
  t.deepEqual(own, { rights: ['hub', 'hub'], told: 'hub' });
});

/** Roles by which the operator reads keys of images. */
async function keyRoles(values: ChartValues) {
  const roles = pick(await render(values), 'Role');
  return roles.filter((one) => one.metadata.name === 'nexusos:operator-image-keys');
}

test('keys of images are read from the Secrets that are named for that, and without any from none', async (t) => {
  t.deepEqual(await keyRoles({}), []);
  const [role, ...others] = await keyRoles({ platform: { imageKeySecrets: ['builder-key', 'scanner-key'] } });
  t.deepEqual(others, []);
  t.is(role?.metadata.namespace, 'platform');
  const resourceNames = ['builder-key', 'scanner-key'];
  t.deepEqual(role?.['rules'], [{ apiGroups: [''], resources: ['secrets'], resourceNames, verbs: ['get'] }]);
  const wrong = await helm(['template', 'nexusos', CHART], { platform: { imageKeySecrets: ['*'] } });
  t.not(wrong.code, 0);
  t.regex(wrong.stderr, /imageKeySecrets/);
});

test('without the operator nothing runs, and what it needs is still there', async (t) => {
  const values = { operator: { enabled: false }, webhooks: { enabled: false } };
  const kinds = new Set((await render(values)).map((one) => one.kind));
  for (const kind of ['Deployment', 'Job', 'PodDisruptionBudget', 'Service']) t.false(kinds.has(kind), kind);
  for (const kind of ['ServiceAccount', 'ClusterRole', 'Role', 'ConfigMap']) t.true(kinds.has(kind), kind);
});

test('what is done before the removal runs as the operator does, and may end it besides', async (t) => {
  const objects = await render();
  const [job] = pick(objects, 'Job');
  const { template } = job!['spec'] as { template: { spec: PodSpec } };
  const { image, securityContext } = podOf(objects).containers[0]!;
  t.like(template.spec, {
    serviceAccountName: 'nexusos-operator',
    securityContext: podOf(objects).securityContext,
    containers: [{ image, securityContext, command: ['node', 'leave.mjs'] }],
  });
  const role = pick(objects, 'Role').find((one) => one.metadata.name === 'nexusos:leave');
  t.deepEqual(role?.['rules'], [
    {
      apiGroups: ['apps'],
      resources: ['deployments'],
      resourceNames: ['nexusos-operator'],
      verbs: ['delete'],
    },
  ]);
  for (const one of [job, role]) t.is(one?.metadata.annotations?.['helm.sh/hook'], 'pre-delete');
  const rest = objects.filter((one) => one.metadata.annotations?.['helm.sh/hook'] === undefined);
  t.false(rest.some((one) => one.metadata.name.includes('leave')));
});

/** The disruption budget of an operator with these values. */
async function budgetOf(operator: object) {
  const budgets = pick(await render({ operator, webhooks: { replicas: 1 } }), 'PodDisruptionBudget');
  return budgets[0] as unknown as {
    readonly spec: { readonly minAvailable?: number; readonly maxUnavailable?: number };
  };
}

test('of replicas that all work, one at a time may be evicted; else all but one', async (t) => {
  const { spec: alone } = await budgetOf({ replicas: 3 });
  t.deepEqual([alone.minAvailable, alone.maxUnavailable], [1, undefined]);
  const { spec: together } = await budgetOf({ replicas: 3, shards: 12 });
  t.deepEqual([together.minAvailable, together.maxUnavailable], [undefined, 1]);
});

test('who may ask the admission process is closed where it is known who the API server is', async (t) => {
  const ours = (objects: readonly KubeObject[]) =>
    pick(objects, 'NetworkPolicy').filter(({ metadata }) => metadata.name === 'nexusos-webhooks');
  t.deepEqual(ours(await render()), [], 'a wrong one would have all requests of tenants refused');
  const apiServer = { addresses: ['10.0.0.10/32', 'fd00::1/128'], clientCaConfigMap: 'front-proxy' };
  const objects = await render({ webhooks: { apiServer } });
  const [policy] = ours(objects);
  const cidrs = ['10.0.0.10/32', 'fd00::1/128'].map((cidr) => ({ ipBlock: { cidr } }));
  t.like(policy?.['spec'], {
    policyTypes: ['Ingress'],
    ingress: [{ from: cidrs, ports: [{ port: 9443 }] }, { ports: [{ port: 8080 }] }],
  });
  const { matchLabels } = (
    policy as unknown as { readonly spec: { readonly podSelector: { readonly matchLabels: object } } }
  ).spec.podSelector;
  const deployment = pick(objects, 'Deployment').find(({ metadata }) => metadata.name === 'nexusos-webhooks');
  t.like(deployment?.['spec'], { selector: { matchLabels } });
  const text = JSON.stringify(deployment);
  t.regex(text, /"mountPath":"\/etc\/nexusos\/client-ca"/);
  t.regex(text, /"configMap":\{"name":"front-proxy"\}/);
  const settings = pick(objects, 'ConfigMap').find(({ metadata }) => metadata.name === 'nexusos-webhooks');
  t.like(settings?.['data'], { NEXUSOS_CLIENT_CA_FILE: '/etc/nexusos/client-ca/ca.crt' });
  const refused = await helm(['template', 'nexusos', CHART], {
    webhooks: { apiServer: { addresses: ['any'] } },
  });
  t.not(refused.code, 0);
  t.regex(refused.stderr, /addresses/);
});

test('a single replica has no disruption budget', async (t) => {
  const values = { operator: { replicas: 1 }, webhooks: { replicas: 1 } };
  t.is(pick(await render(values), 'PodDisruptionBudget').length, 0);
});

const REFUSED: Readonly<Record<string, { values: ChartValues; want: RegExp }>> = {
  'a value that is none': { values: { operator: { replica: 3 } }, want: /replica.* not allowed/i },
  'a part that is none': { values: { gateway: {} }, want: /gateway.* not allowed/i },
  'a number out of range': { values: { operator: { replicas: 10 } }, want: /replicas/ },
  'a single shard': { values: { operator: { shards: 1 } }, want: /shards/ },
  'a digest that is half one': { values: { operator: { image: { digest: 'sha256:12' } } }, want: /digest/ },
  'a group that would end a string': {
    values: { platform: { adminGroups: ["a' || 'b"] } },
    want: /adminGroups/,
  },
  'a range that is none': { values: { platform: { reservedRanges: ['10.0.0.0'] } }, want: /reservedRanges/ },
  'a mask too long': { values: { platform: { reservedRanges: ['10.0.0.0/33'] } }, want: /reservedRanges/ },
};

for (const [title, { values, want }] of Object.entries(REFUSED)) {
  test(`refused: ${title}`, async (t) => {
    const error = await t.throwsAsync(() => render(values));
    t.regex(error.message, want);
  });
}

const KUEUE_VERSIONS = ['kueue.x-k8s.io/v1beta2', 'kueue.x-k8s.io/v1beta1'];

const MODES: Readonly<
  Record<string, { readonly mode: string; readonly served: readonly string[]; readonly want: string }>
> = {
  'Auto without Kueue asks for nothing': { mode: 'Auto', served: [], want: 'Off' },
  'Auto with Kueue uses it': { mode: 'Auto', served: KUEUE_VERSIONS, want: 'Auto' },
  'Auto with an older Kueue uses it': { mode: 'Auto', served: KUEUE_VERSIONS.slice(1), want: 'Auto' },
  'Off with Kueue leaves it alone': { mode: 'Off', served: KUEUE_VERSIONS, want: 'Off' },
  'Required without Kueue is ready for it': { mode: 'Required', served: [], want: 'Required' },
};

for (const [name, { mode, served, want }] of Object.entries(MODES)) {
  test(`kueue: ${name}`, async (t) => {
    const objects = await render({ kueue: { mode } }, served);
    const settings = objects.find(
      (one) => one.metadata.name === 'nexusos-operator' && one.kind === 'ConfigMap',
    );
    const data = (settings?.['data'] ?? {}) as Record<string, string>;
    t.is(data['NEXUSOS_KUEUE'], want);
    const isUsed = want !== 'Off';
    const names = objects.map((one) => `${one.kind}/${one.metadata.name}`);
    for (const one of [
      'ClusterRole/nexusos:operator-kueue',
      'ClusterRoleBinding/nexusos:operator-kueue',
      'ValidatingAdmissionPolicy/nexusos-queues',
      'ValidatingAdmissionPolicy/nexusos-operator-queues',
    ]) {
      t.is(names.includes(one), isUsed, one);
    }
    const text = JSON.stringify(objects.filter((one) => one.kind === 'ClusterRole'));
    t.is(text.includes('kueue.x-k8s.io'), isUsed, 'no role speaks of Kueue where it is not used');
    const policies = JSON.stringify(pick(objects, 'ValidatingAdmissionPolicy'));
    t.is(policies.includes('system:serviceaccount:kueue-system:kueue-controller-manager'), isUsed);
  });
}
