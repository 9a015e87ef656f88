// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { parse } from 'yaml';
import { PLATFORM_NAMESPACE } from '#hack/system/chart';
import { eventually } from '#hack/tools/eventually';
import { temporaryFolder } from '#hack/tools/testing/temporary-folder';
import { type AdmissionWorld, startAdmission, tenant } from '../admission-world.ts';
import { ROLLOUTS, rollout } from '../foreign-kind.ts';
import { nexusctl } from '../nexusctl.ts';

const test = anyTest.serial as TestFn<AdmissionWorld>;
type Case = ExecutionContext<AdmissionWorld>;

type Block = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** What a page says of the chart, and the pack that it shows. */
function blocksOf(page: string): readonly (Block | undefined)[] {
  const text = readFileSync(join(import.meta.dirname, '../../docs/how-to', page), 'utf8');
  return [...text.matchAll(/```yaml\n(.*?)```/gs)].map(([, block = '']) => parse(block) as Block);
}

const [VALUES, HOSTS] = blocksOf('compare-with-what-exists.md');
const [FOREIGN_VALUES, LIMITED] = blocksOf('judge-kinds-of-others.md');

test.before(async (t) => {
  t.context = await startAdmission({
    platform: VALUES?.['platform'] ?? {},
    values: FOREIGN_VALUES?.['webhooks'] ?? {},
  });
  const { user } = t.context;
  await user.applies(tenant('looked-at'), tenant('looked-past'));
  await user.awaitsReady('tenant/looked-at');
  await user.awaitsReady('tenant/looked-past');
});
test.after.always(({ context }) => context.close?.());

const CLASSES = `package classes

deny contains sprintf("there is no IngressClass %s", [class]) if {
  class := input.review.object.spec.ingressClassName
  not data.inventory.cluster["networking.k8s.io/v1"].IngressClass[class]
}
`;

const UNIQUE_SELECTOR = `package selectors

flat(selector) := concat(",", sort([sprintf("%s:%s", [k, v]) | some k, v in selector]))

deny contains sprintf("selector is that of Service %s", [name]) if {
  some name, other in data.inventory.namespace[input.review.namespace].v1.Service
  name != input.review.name
  flat(other.spec.selector) == flat(input.review.object.spec.selector)
}
`;

const UNIQUE_TARGET = `package targets

deny contains sprintf("%s scales %s already", [name, target.name]) if {
  target := input.review.object.spec.scaleTargetRef
  some name, other in data.inventory.namespace[input.review.namespace]["autoscaling/v2"].HorizontalPodAutoscaler
  name != input.review.name
  other.spec.scaleTargetRef.name == target.name
}
`;

interface Looking {
  readonly namespace?: string;
  readonly resource: readonly [group: string, plural: string];
  readonly kinds: readonly object[];
}

function pack(name: string, rego: string, { namespace = PLATFORM_NAMESPACE, resource, kinds }: Looking) {
  const [group, plural] = resource;
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'PolicyPack',
    metadata: { name, namespace },
    spec: {
      version: '1.0.0',
      source: { inline: { modules: { 'rules.rego': rego } } },
      binding: { rules: [{ apiGroups: [group], resources: [plural] }] },
      inventory: { kinds },
      rollout: { shadowSeconds: 0 },
    },
  };
}

const INGRESSES = ['networking.k8s.io', 'ingresses'] as const;
const SERVICE = { apiVersion: 'v1', kind: 'Service', fields: ['spec.selector'] };

function ingress(place: string, host: string, spec: object = {}) {
  const [namespace, name] = place.split('/');
  const backend = { service: { name: 'web', port: { number: 80 } } };
  const rules = [{ host, http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }];
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { namespace, name },
    spec: { rules, ...spec },
  };
}

function service(namespace: string, name: string, selector: object) {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name },
    spec: { selector, ports: [{ port: 80 }] },
  };
}

function scaler(namespace: string, name: string, target: string) {
  const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: target };
  const spec = { scaleTargetRef, minReplicas: 1, maxReplicas: 2 };
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { namespace, name },
    spec,
  };
}

async function tries(t: Case, object: object): Promise<string> {
  const args = ['create', '--dry-run=server', '-f', '-'];
  const { code, stderr } = await t.context.cluster.kubectl(args, { stdin: JSON.stringify(object) });
  return code === 0 ? 'allowed' : stderr;
}

/** On every replica, so asked more than once; what lives is heard of by a watch. */
async function comesTo(t: Case, object: object, wanted: RegExp): Promise<void> {
  const all = await eventually(`it comes to ${String(wanted)}`, async () => {
    const heard = [];
    for (let asked = 0; asked < 6; asked += 1) {
      const said = await tries(t, object);
      if (!wanted.test(said)) throw new Error(said);
      heard.push(said);
    }
    return heard;
  });
  t.is(all.length, 6);
  for (const said of all) t.regex(said, wanted);
}

async function enforces(t: Case, manifest: ReturnType<typeof pack>): Promise<void> {
  await t.context.user.applies(manifest);
  const { name, namespace } = manifest.metadata;
  await t.context.user.awaitsReady('-n', namespace, `policypack/${name}`);
}

test('a host that is taken is refused, in whichever namespace it is, and free again when it is given up', async (t) => {
  const { user, cluster } = t.context;
  await user.applies(ingress('looked-at-main/first', 'shop.example.com'));
  await enforces(t, {
    ...HOSTS,
    spec: { ...(HOSTS?.['spec'] as object), rollout: { shadowSeconds: 0 } },
  } as ReturnType<typeof pack>);
  const second = ingress('looked-past-main/second', 'shop.example.com');
  await comesTo(
    t,
    second,
    /rule hosts: host shop\.example\.com is taken by looked-at-main\/first \(at spec\.rules\)/,
  );
  await comesTo(t, ingress('looked-past-main/second', 'other.example.com'), /^allowed$/);
  const { code } = await cluster.kubectl(['delete', 'ingress', '-n', 'looked-at-main', 'first']);
  t.is(code, 0);
  await comesTo(t, second, /^allowed$/);
});

test('what is in no namespace is seen as well', async (t) => {
  const kinds = [{ apiVersion: 'networking.k8s.io/v1', kind: 'IngressClass', fields: ['spec.controller'] }];
  await enforces(t, pack('classes', CLASSES, { resource: INGRESSES, kinds }));
  const wanting = ingress('looked-at-main/classy', 'c.example.com', { ingressClassName: 'fast' });
  await comesTo(t, wanting, /there is no IngressClass fast/);
  const spec = { controller: 'example.com/fast' };
  await t.context.user.applies({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IngressClass',
    metadata: { name: 'fast' },
    spec,
  });
  await comesTo(t, wanting, /^allowed$/);
});

test('selectors of Services, and targets of autoscalers, are compared in their namespace', async (t) => {
  const { user } = t.context;
  await user.applies(
    service('looked-at-main', 'web', { app: 'web' }),
    scaler('looked-at-main', 'web', 'web'),
  );
  await enforces(t, pack('selectors', UNIQUE_SELECTOR, { resource: ['', 'services'], kinds: [SERVICE] }));
  const scalers = {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    fields: ['spec.scaleTargetRef'],
  };
  const resource = ['autoscaling', 'horizontalpodautoscalers'] as const;
  await enforces(t, pack('targets', UNIQUE_TARGET, { resource, kinds: [scalers] }));
  await comesTo(t, service('looked-at-main', 'twin', { app: 'web' }), /selector is that of Service web/);
  await comesTo(t, service('looked-past-main', 'twin', { app: 'web' }), /^allowed$/);
  await comesTo(t, scaler('looked-at-main', 'twin', 'web'), /web scales web already/);
  await comesTo(t, scaler('looked-past-main', 'twin', 'web'), /^allowed$/);
});

test('the pack of a tenant sees its own namespaces, and nothing of others', async (t) => {
  const all = `package all

deny contains sprintf("sees %v and %v", [sort(object.keys(data.inventory.namespace)), object.get(data.inventory, "cluster", "nothing else")]) if {
  input.review.object.metadata.labels.look
}
`;
  const namespace = 'looked-at-main';
  await t.context.user.applies(service('looked-past-main', 'hidden', { app: 'hidden' }));
  await enforces(t, pack('own', all, { namespace, resource: ['', 'services'], kinds: [SERVICE] }));
  const object = service(namespace, 'looking', { app: 'looking' });
  const looking = { ...object, metadata: { ...object.metadata, labels: { look: 'yes' } } };
  await comesTo(t, looking, /sees \["looked-at-main"\] and "?nothing else/);
});

test('a kind that is not kept for packs is refused, and so is one in no namespace for a tenant', async (t) => {
  const { user, cluster } = t.context;
  const secrets = { apiVersion: 'v1', kind: 'Secret' };
  const classes = { apiVersion: 'networking.k8s.io/v1', kind: 'IngressClass' };
  await user.applies(
    pack('greedy', CLASSES, { resource: INGRESSES, kinds: [secrets] }),
    pack('curious', CLASSES, { namespace: 'looked-at-main', resource: INGRESSES, kinds: [classes] }),
  );
  const words = {
    [PLATFORM_NAMESPACE]: [
      'greedy',
      /InventoryNotAllowed spec\.inventory\.kinds\[0\]: found v1 Secret; the kinds that the platform keeps for packs are: networking\.k8s\.io\/v1 Ingress, /,
    ],
    'looked-at-main': [
      'curious',
      /InventoryNotAllowed spec\.inventory\.kinds\[0\]: found networking\.k8s\.io\/v1 IngressClass, which is in no namespace/,
    ],
  } as const;
  for (const [namespace, [name, wanted]] of Object.entries(words)) {
    const said = await eventually(`${name} is refused`, async () => {
      const path =
        '{.status.conditions[?(@.type=="Verified")].reason} {.status.conditions[?(@.type=="Verified")].message}';
      const { stdout } = await cluster.kubectl([
        'get',
        'policypack',
        name,
        '-n',
        namespace,
        '-o',
        `jsonpath=${path}`,
      ]);
      if (!wanted.test(stdout)) throw new Error(stdout);
      return stdout;
    });
    t.regex(said, wanted);
  }
});

const LIMITED_PACK = ['-n', PLATFORM_NAMESPACE, 'policypack/rollouts'] as const;
const TOO_MANY = /rule rollouts: found 9 replicas; allowed are 5 \(at spec\.replicas\)/;

/** Of the kind of somebody else, by kubectl. */
async function changes(t: Case, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await t.context.cluster.kubectl(['-n', 'looked-at-main', ...args]);
  return code === 0 ? stdout : stderr;
}

test('a kind of somebody else that the platform names is reported on as it exists, before a pack decides on it', async (t) => {
  const { user, cluster } = t.context;
  await cluster.admin.create('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', ROLLOUTS);
  const large = rollout('looked-at-main/large', 9);
  const metadata = { ...large.metadata, finalizers: ['example.com/kept'] };
  await eventually('the kind is served', () =>
    user.does(['create', '-f', '-'], JSON.stringify({ ...large, metadata })),
  );
  await user.applies(LIMITED as object);
  const { digest, ...report } = await eventually('it is told what the pack would refuse', async () => {
    const ready = await user.condition('Ready', ...LIMITED_PACK);
    if (ready?.reason !== 'AwaitingAcknowledgement') throw new Error(JSON.stringify(ready));
    const seen = await user.sees<{ readonly status: { readonly report: { readonly digest: string } } }>(
      ...LIMITED_PACK,
    );
    return seen?.status.report;
  });
  t.like(report, { scanned: 1, newlyDenied: 1, complete: true });

  const folder = await temporaryFolder(t, 'nexusctl');
  await writeFile(join(folder, 'rollouts.yaml'), JSON.stringify(LIMITED));
  const args = ['pack', 'diff', 'rollouts.yaml', '--kubeconfig', cluster.kubeconfigPath, '-o', 'json'];
  const { stdout, stderr } = await nexusctl(folder, args);
  t.like(JSON.parse(stdout), { newlyDenied: 1, unasked: [], perhapsAsked: [], outside: 0 }, stderr);

  const spec = LIMITED?.['spec'] ?? {};
  await user.applies({ ...LIMITED, spec: { ...spec, rollout: { shadowSeconds: 0, acknowledge: digest } } });
  await user.awaitsReady(...LIMITED_PACK);
});

test('it is refused in namespaces of tenants, in whatever version, and when it is scaled; and in no others', async (t) => {
  await comesTo(t, rollout('looked-at-main/more', 9), TOO_MANY);
  await comesTo(t, rollout('looked-past-main/more', 9, 'argoproj.io/v1beta1'), TOO_MANY);
  await comesTo(t, rollout('looked-at-main/more', 5), /^allowed$/);
  await comesTo(t, rollout('default/more', 9), /^allowed$/);
  await t.context.user.does(['create', '-f', '-'], JSON.stringify(rollout('looked-at-main/small', 2)));
  t.regex(await changes(t, ['scale', 'rollouts/small', '--replicas=9']), TOO_MANY);
  t.regex(await changes(t, ['scale', 'rollouts/small', '--replicas=3']), /scaled/);
  const status = ['patch', 'rollouts/large', '--subresource=status', '--type=merge'];
  t.regex(
    await changes(t, [...status, '-p', '{"status":{"replicas":9}}']),
    /patched/,
    'it is not asked about',
  );
});

test('what is being deleted can go, and cannot be changed on its way', async (t) => {
  t.regex(await changes(t, ['delete', 'rollouts/large', '--wait=false']), /deleted/);
  const patched = (patch: object) =>
    changes(t, ['patch', 'rollouts/large', '--type=merge', '-p', JSON.stringify(patch)]);
  t.regex(await patched({ config: { colour: 'red' } }), TOO_MANY, 'content that is not in its spec');
  t.regex(await patched({ config: null }), TOO_MANY);
  t.regex(await patched({ metadata: { labels: { going: 'yes' } } }), /patched/);
  t.regex(await patched({ metadata: { finalizers: null } }), /patched/);
  const isGone = await eventually('it is gone', async () =>
    /NotFound/.test(await changes(t, ['get', 'rollouts/large'])) ? true : undefined,
  );
  t.true(isGone);
});

test('a pack for a kind that nobody has named is taken, and warned of', async (t) => {
  const made = pack('workflows', 'package workflows', { resource: ['argoproj.io', 'workflows'], kinds: [] });
  const { inventory: _, ...spec } = made.spec;
  const args = ['create', '--dry-run=server', '-f', '-'];
  const { code, stderr } = await t.context.cluster.kubectl(args, {
    stdin: JSON.stringify({ ...made, spec }),
  });
  t.is(code, 0, stderr);
  t.regex(stderr, /does not ask about workflows\.argoproj\.io, so nothing of it is judged; the platform can/);
  const named = await t.context.cluster.kubectl(args, {
    stdin: JSON.stringify({ ...LIMITED, metadata: { ...LIMITED?.['metadata'], name: 'named' } }),
  });
  t.is(named.code, 0, named.stderr);
  t.notRegex(named.stderr, /does not ask/);
});

/** Kinds of which the API server has types of its own, and one of which it has none. */
const KEPT = ['configmap', 'deployment', 'role', 'service', 'rollout'];

function kept(): readonly object[] {
  const metadata = { namespace: 'looked-at-main', name: 'kept', finalizers: ['example.com/kept'] };
  const labels = { app: 'kept' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'a', image: 'a' }] } };
  const apps = { replicas: 0, selector: { matchLabels: labels }, template };
  return [
    { apiVersion: 'v1', kind: 'ConfigMap', data: { a: 'b' }, immutable: false },
    { apiVersion: 'apps/v1', kind: 'Deployment', spec: apps },
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', rules: [] },
    service('looked-at-main', 'kept', labels),
    rollout('looked-at-main/kept', 1),
  ].map((one) => ({ ...one, metadata }));
}

test('while nobody answers, kinds of others are refused to tenants and to nobody else, and what is being deleted can go', async (t) => {
  for (const one of kept()) await t.context.user.does(['create', '-f', '-'], JSON.stringify(one));
  for (const kind of KEPT) await changes(t, ['delete', `${kind}/kept`, '--wait=false']);
  for (const { process } of t.context.webhooks.processes) await process.kill();
  const unanswered = /failed calling webhook "workloads\.nexusos\.dev"/;
  t.regex(await tries(t, rollout('looked-at-main/unasked', 1)), unanswered);
  t.is(await tries(t, rollout('default/unasked', 1)), 'allowed');
  const patched = (kind: string, patch: object) =>
    changes(t, ['patch', `${kind}/kept`, '--type=merge', '-p', JSON.stringify(patch)]);
  t.regex(await patched('configmap', { immutable: true }), unanswered, 'more than its metadata changes');
  for (const kind of KEPT) t.regex(await patched(kind, { metadata: { finalizers: null } }), /patched/, kind);
});
