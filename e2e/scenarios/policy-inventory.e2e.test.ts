// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { parse } from 'yaml';
import { PLATFORM_NAMESPACE } from '#hack/system/chart';
import { eventually } from '#hack/tools/eventually';
import { type AdmissionWorld, startAdmission, tenant } from '../admission-world.ts';

const test = anyTest.serial as TestFn<AdmissionWorld>;
type Case = ExecutionContext<AdmissionWorld>;

const PAGE = join(import.meta.dirname, '../../docs/how-to/compare-with-what-exists.md');
/** What the page says of the chart, and the pack that it shows. */
const [VALUES, HOSTS] = [...readFileSync(PAGE, 'utf8').matchAll(/```yaml\n(.*?)```/gs)].map(
  ([, block = '']) => parse(block) as Readonly<Record<string, unknown>>,
);

test.before(async (t) => {
  t.context = await startAdmission({ platform: VALUES?.['platform'] as Record<string, unknown> });
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
