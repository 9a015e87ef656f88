// SPDX-License-Identifier: Apache-2.0
// On a system of its own: every write is counted, and the operator is killed.
import { setTimeout as delay } from 'node:timers/promises';
import anyTest, { type TestFn } from 'ava';
import type { AgentSpec } from '#crds/v1alpha1/agent';
import { ANNOTATIONS, LABELS } from '#crds/v1alpha1/names';
import { eventually } from '#hack/tools/eventually';
import type { Agent } from '../core/agent/agent.ts';
import type { KubeObject } from '../core/object.ts';
import {
  AGENTS,
  AUTOSCALERS,
  DEPLOYMENTS,
  DISRUPTION_BUDGETS,
  NAMESPACES,
  SERVICES,
  TENANTS,
} from '../core/resources.ts';
import { CORE_EVENTS, PODS } from './shared/workloads.ts';
import type { AuditEntry } from './testing/audit-log.ts';
import {
  auditOf,
  isOperator,
  listAll,
  makeAgent,
  makeTenant,
  type OwnWorkloadRig,
  startWorkloadRig,
  type WorkloadRig,
} from './testing/workload-rig.ts';

const test = anyTest.serial as TestFn<OwnWorkloadRig>;
const namespace = 'serving-main';
const KINDS = [SERVICES, DEPLOYMENTS, DISRUPTION_BUDGETS, AUTOSCALERS];
const WRITES: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'delete']);
/** A converged system is silent; what it still had to write would come within this time. */
const SILENCE_MS = 6000;

test.before(async (t) => {
  t.context = await startWorkloadRig();
  await makeTenant(t.context, 'serving', { namespaces: [{ suffix: 'main' }] });
});
test.after.always((t) => t.context.close());

function service(image: string, replicas = 3): Partial<AgentSpec> {
  const resources = { requests: { cpu: '100m', memory: '64Mi' } };
  const rollout = { maxUnavailable: 0, maxSurge: 1 };
  const spec = {
    shape: 'service',
    container: { image, resources },
    service: { replicas: { min: replicas }, rollout },
  };
  return spec as unknown as Partial<AgentSpec>;
}

async function agentOf(rig: WorkloadRig, name: string): Promise<Agent> {
  return (await rig.client.get(AGENTS, { namespace, name })) as Agent;
}

async function becomes(rig: WorkloadRig, name: string, reason: string): Promise<Agent> {
  return eventually(`${name} says ${reason}`, async () => {
    const agent = await agentOf(rig, name);
    const ready = agent.status?.conditions?.find(({ type }) => type === 'Ready');
    if (ready?.reason !== reason || ready.observedGeneration !== agent.metadata.generation)
      throw new Error(JSON.stringify(agent.status));
    return agent;
  });
}

/** Writes of the operator since, Events and leases aside. */
async function writesSince(rig: WorkloadRig, before: number): Promise<readonly AuditEntry[]> {
  const audit = (await auditOf(rig)).slice(before);
  return audit.filter(
    ({ user, verb, resource }) =>
      isOperator(user) && WRITES.has(verb) && !['events', 'leases'].includes(resource),
  );
}

/** What is written while nothing should be. What was seen just now may have been written to the audit log a moment later. */
async function writesInSilence(rig: WorkloadRig): Promise<readonly AuditEntry[]> {
  await delay(500);
  const before = (await auditOf(rig)).length;
  await delay(SILENCE_MS);
  return writesSince(rig, before);
}

function told(entries: readonly AuditEntry[]): readonly string[] {
  return entries.map(({ verb, resource, name, code }) => `${verb} ${resource} ${name} ${code}`);
}

async function imagesOf(rig: WorkloadRig, name: string): Promise<readonly string[]> {
  const pods = await listAll(rig, PODS, { namespace, labelSelector: `${LABELS.service}=${name}` });
  return pods
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(
      (pod) =>
        (pod['spec'] as { readonly containers: readonly { readonly image: string }[] }).containers[0]!.image,
    );
}

test('a service is made by one write of each object, and when it stands nothing is written any more', async (t) => {
  const rig = t.context;
  const before = (await auditOf(rig)).length;
  await makeAgent(rig, { namespace, name: 'chat' }, service('registry.example.com/chat:1'));
  await becomes(rig, 'chat', 'Available');
  const made = (await writesSince(rig, before)).filter(({ name }) => name === 'chat' || name === '');
  const ofObjects = made.filter(({ resource }) => !resource.startsWith('agents'));
  t.deepEqual(told(ofObjects).toSorted(), [
    'create deployments chat 201',
    'create poddisruptionbudgets chat 201',
    'create services chat 201',
  ]);
  t.true(made.length - ofObjects.length <= 8, told(made).join('; '));
  t.deepEqual(told(await writesInSilence(rig)), []);
});

test('what somebody changes is put right, and what is removed is made again', async (t) => {
  const rig = t.context;
  const key = { namespace, name: 'chat' };
  await rig.client.patch(DEPLOYMENTS, key, { body: { spec: { replicas: 1, revisionHistoryLimit: 5 } } });
  await eventually('the Deployment is as it was', async () => {
    const spec = (await rig.client.get(DEPLOYMENTS, key))?.['spec'];
    const { replicas, revisionHistoryLimit } = spec as { replicas: number; revisionHistoryLimit: number };
    return replicas === 3 && revisionHistoryLimit === 1;
  });
  const { uid } = (await rig.client.get(SERVICES, key))!.metadata;
  await rig.client.delete(SERVICES, key);
  await eventually('another Service is there', async () => {
    const found = await rig.client.get(SERVICES, key);
    return found !== undefined && found.metadata.uid !== uid;
  });
  await becomes(rig, 'chat', 'Available');
  t.deepEqual(told(await writesInSilence(rig)), []);
});

test('another port takes the place of the old one, of what was created as of what was applied since', async (t) => {
  const rig = t.context;
  const key = { namespace, name: 'chat' };
  for (const port of [8081, 8082]) {
    await rig.client.patch(AGENTS, key, { body: { spec: { service: { port } } } });
    const { status } = await becomes(rig, 'chat', 'Available');
    t.is(status?.service?.address, `http://chat.${namespace}.svc:${port}`);
    type Ports = { readonly ports: readonly { readonly port: number; readonly name: string }[] };
    const found = (await rig.client.get(SERVICES, key))?.['spec'] as Ports | undefined;
    t.deepEqual(
      found?.ports.map((one) => [one.name, one.port]),
      [['http', port]],
    );
  }
});

test('a rollout in which the operator is killed, and one that begins while none is there, end alike', async (t) => {
  const rig = t.context;
  const key = { namespace, name: 'chat' };
  const { uid } = (await rig.client.get(DEPLOYMENTS, key))!.metadata;
  const changeTo = (image: string) =>
    rig.client.patch(AGENTS, key, { body: { spec: { container: { image } } } });
  await changeTo('registry.example.com/chat:2');
  await eventually('the rollout is under way', async () =>
    (await imagesOf(rig, 'chat')).includes('registry.example.com/chat:2'),
  );
  await rig.restartOperator('kill', async () => {
    await changeTo('registry.example.com/chat:3');
  });
  const agent = await becomes(rig, 'chat', 'Available');
  t.is(agent.status?.service?.revision, agent.status?.activeRevision?.name);
  await eventually('only pods of the last image are left', async () => {
    const images = await imagesOf(rig, 'chat');
    return images.length === 3 && images.every((image) => image === 'registry.example.com/chat:3');
  });
  t.is((await rig.client.get(DEPLOYMENTS, key))?.metadata.uid, uid);
});

test('an operator that is killed while it makes a service leaves its successor the rest', async (t) => {
  const rig = t.context;
  const begun = makeAgent(rig, { namespace, name: 'begun' }, service('registry.example.com/begun:1', 1));
  await eventually(
    'something of it is there',
    async () => (await rig.client.get(SERVICES, { namespace, name: 'begun' })) !== undefined,
  );
  await rig.restartOperator('kill');
  await begun;
  await becomes(rig, 'begun', 'Available');
  for (const resource of KINDS.slice(0, 3)) {
    t.true((await rig.client.get(resource, { namespace, name: 'begun' })) !== undefined, resource.kind);
  }
});

test('what an Agent of the same name left is replaced, and what is its own goes with it', async (t) => {
  const rig = t.context;
  const key = { namespace, name: 'begun' };
  const old = (await rig.client.get(DEPLOYMENTS, key))!.metadata.uid;
  await rig.cluster.kubectl(['delete', 'agent', 'begun', '-n', namespace, '--cascade=orphan']);
  await makeAgent(rig, key, service('registry.example.com/begun:1', 1));
  await becomes(rig, 'begun', 'Available');
  const found = (await rig.client.get(DEPLOYMENTS, key))!.metadata;
  t.not(found.uid, old);
  const heir = await agentOf(rig, 'begun');
  t.deepEqual(
    found.ownerReferences?.map((one) => one.uid),
    [heir.metadata.uid],
  );
  await rig.client.delete(AGENTS, key);
  await eventually('all of it is gone', async () => {
    const left = await Promise.all(KINDS.map((resource) => rig.client.get(resource, key)));
    return left.every((one) => one === undefined) && (await imagesOf(rig, 'begun')).length === 0;
  });
});

/** How long a ReplicaSet waits after the first refusal; each doubles it. */
const FIRST_WAIT_MS = 5;
/** After so many it waits for twenty seconds. */
const REFUSALS = 13;

test('pods that were refused for long are made as soon as there is room', async (t) => {
  const rig = t.context;
  const key = { namespace: 'narrow-main', name: 'chat' };
  await makeTenant(rig, 'narrow', { namespaces: [{ suffix: 'main' }], quotas: { objects: { pods: 1 } } });
  await makeAgent(rig, key, service('registry.example.com/chat:1', 2));
  const ownTryMs = await eventually('they were refused again and again', async () => {
    const events = await listAll(rig, CORE_EVENTS, { namespace: key.namespace });
    const refused = events.filter((event) => event['reason'] === 'FailedCreate');
    const times = refused.reduce((sum, event) => sum + Number(event['count'] ?? 1), 0);
    const lastMs = Math.max(...refused.map((event) => Date.parse(String(event['lastTimestamp']))));
    return times >= REFUSALS && lastMs + FIRST_WAIT_MS * 2 ** (times - 1);
  });
  await rig.client.patch(
    TENANTS,
    { name: 'narrow' },
    { body: { spec: { quotas: { objects: { pods: 2 } } } } },
  );
  await eventually('they are made', () => isAvailable(rig, key));
  const pods = await listAll(rig, PODS, { namespace: key.namespace });
  const madeMs = pods.map(({ metadata }) => Date.parse(metadata.creationTimestamp ?? ''));
  t.is(madeMs.length, 2);
  t.true(Math.max(...madeMs) < ownTryMs, 'before it would have been tried again anyway');
  const { annotations } = (await rig.client.get(DEPLOYMENTS, key))!.metadata;
  t.truthy(annotations?.[ANNOTATIONS.askedAgainAt]);
});

async function isAvailable(rig: WorkloadRig, key: { readonly namespace: string; readonly name: string }) {
  const { status } = (await rig.client.get(AGENTS, key)) as Agent;
  return status?.conditions?.some(({ type, reason }) => type === 'Ready' && reason === 'Available') === true;
}

test('a policy that is against a change is told in its own words, and the change is made when it is gone', async (t) => {
  const rig = t.context;
  const policies = await forbidServicePorts(rig);
  await rig.client.patch(
    AGENTS,
    { namespace, name: 'chat' },
    { body: { spec: { service: { port: 9090 } } } },
  );
  const agent = await becomes(rig, 'chat', 'WriteRefused');
  const ready = agent.status?.conditions?.find(({ type }) => type === 'Ready');
  t.regex(ready?.message ?? '', /the API server refuses what is needed.*no port 9090 here/);
  await delay(500);
  const before = (await auditOf(rig)).length;
  await eventually('it is tried again', async () =>
    (await writesSince(rig, before)).some(({ resource, code }) => resource === 'services' && code === 403),
  );
  const statuses = (await writesSince(rig, before)).filter(({ resource }) => resource === 'agents/status');
  t.deepEqual(told(statuses), [], 'that is no news');
  for (const one of policies)
    await rig.client.delete(await rig.client.resourceOf(one.apiVersion, one.kind), one.metadata);
  const stood = await becomes(rig, 'chat', 'Available');
  t.is(stood.status?.service?.address, `http://chat.${namespace}.svc:9090`);
});

async function forbidServicePorts(rig: WorkloadRig): Promise<readonly KubeObject[]> {
  const apiVersion = 'admissionregistration.k8s.io/v1';
  const metadata = { name: 'serving-no-port' };
  const rule = {
    apiGroups: [''],
    apiVersions: ['v1'],
    operations: ['CREATE', 'UPDATE'],
    resources: ['services'],
  };
  const message = 'no port 9090 here';
  const objects: readonly KubeObject[] = [
    {
      apiVersion,
      kind: 'ValidatingAdmissionPolicy',
      metadata,
      spec: {
        matchConstraints: { resourceRules: [rule] },
        validations: [
          { expression: 'object.spec.ports.all(p, p.port != 9090)', message, reason: 'Forbidden' },
        ],
      },
    },
    {
      apiVersion,
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata,
      spec: { policyName: metadata.name, validationActions: ['Deny'] },
    },
  ];
  for (const one of objects)
    await rig.client.create(await rig.client.resourceOf(apiVersion, one.kind), one, 'test');
  const body = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'try' },
    spec: { ports: [{ port: 9090 }] },
  };
  const path = '/api/v1/namespaces/default/services';
  await eventually('the policy is in force', () =>
    rig.client.raw({ verb: 'create', path, query: { dryRun: 'All' }, body }).then(
      () => false,
      (error: unknown) => error instanceof Error && error.message.includes(message),
    ),
  );
  return objects;
}

test('in a suspended tenant also those have no pods whose Agent was deleted and is kept, or has changed meanwhile', async (t) => {
  const rig = t.context;
  const kept = { namespace: 'halted-main', name: 'kept' };
  const changed = { namespace: 'halted-main', name: 'changed' };
  await makeTenant(rig, 'halted', { namespaces: [{ suffix: 'main' }] });
  for (const key of [kept, changed]) {
    await makeAgent(rig, key, service('registry.example.com/chat:1', 1));
    await eventually(`${key.name} stands`, () => isAvailable(rig, key));
  }
  const finalizers = ['example.com/keeps'];
  await rig.client.patch(AGENTS, kept, { body: { metadata: { finalizers } } });
  await rig.client.delete(AGENTS, kept);
  await rig.client.patch(TENANTS, { name: 'halted' }, { body: { spec: { suspended: true } } });
  await eventually('there are no pods', async () => {
    const pods = await listAll(rig, PODS, { namespace: 'halted-main' });
    return pods.every(({ metadata }) => metadata.deletionTimestamp !== undefined);
  });
  t.is(await rig.client.get(DEPLOYMENTS, kept), undefined);
  t.like((await rig.client.get(DEPLOYMENTS, changed))?.['spec'], { replicas: 0 });
  await rig.client.patch(AGENTS, kept, { body: { metadata: { finalizers: null } } });
  const rollout = { maxUnavailable: 1, maxSurge: 0 };
  await rig.client.patch(AGENTS, changed, { body: { spec: { service: { rollout } } } });
  await rig.client.patch(TENANTS, { name: 'halted' }, { body: { spec: { suspended: false } } });
  await eventually('what may go on stands again', () => isAvailable(rig, changed));
});

test('in a namespace that leaves its tenant, nothing stands any more', async (t) => {
  const rig = t.context;
  const adopted = 'lent';
  const annotations = { 'nexusos.dev/adopt-into': 'lender' };
  await rig.client.create(
    NAMESPACES,
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: adopted, annotations } },
    'test',
  );
  await makeTenant(rig, 'lender', { adoptNamespaces: [{ name: adopted }] });
  await makeAgent(rig, { namespace: adopted, name: 'guest' }, service('registry.example.com/guest:1', 1));
  const key = { namespace: adopted, name: 'guest' };
  await eventually('it stands', async () => {
    const agent = (await rig.client.get(AGENTS, key)) as Agent;
    return agent.status?.service?.readyReplicas === 1;
  });
  await rig.client.patch(TENANTS, { name: 'lender' }, { body: { spec: { adoptNamespaces: null } } });
  await eventually('it is taken away', async () => {
    const left = await Promise.all(KINDS.map((resource) => rig.client.get(resource, key)));
    return left.every((one) => one === undefined);
  });
  await eventually('its Agent says so', async () => {
    const { status } = (await rig.client.get(AGENTS, key)) as Agent;
    const ready = status?.conditions?.find(({ type }) => type === 'Ready');
    return ready?.reason === 'TenantNotFound' && status?.service === undefined;
  });
  t.pass();
});
