// SPDX-License-Identifier: Apache-2.0
// What others put in the way of Runs: finalizers, policies, quotas of their own.
import { createHash } from 'node:crypto';
import anyTest, { type TestFn } from 'ava';
import { LABELS } from '#crds/v1alpha1/names';
import { eventually } from '#hack/tools/eventually';
import type { Agent } from '../core/agent/agent.ts';
import type { KubeObject } from '../core/object.ts';
import { AGENTS, CONFIG_MAPS, RESOURCE_QUOTAS, RUNS } from '../core/resources.ts';
import { PODS } from './shared/workloads.ts';
import {
  becomes,
  createRun,
  listAll,
  makeAgent,
  makeTenant,
  reservationsOf,
  attachWorkloadRig,
  type WorkloadRig,
} from './testing/workload-rig.ts';

const test = anyTest.serial as TestFn<WorkloadRig>;
const FOREVER = { 'kwok.nexusos.dev/duration': '600s' };
const FINALIZERS = ['example.com/audit'];
const namespace = 'hindered-main';
const choosy = { namespace: 'choosy-main' };

test.before(async (t) => {
  const rig = await attachWorkloadRig();
  t.context = rig;
  await makeTenant(rig, 'hindered', {
    namespaces: [{ suffix: 'main' }],
    quotas: { runs: { maxConcurrent: 1 } },
  });
  await makeAgent(rig, { namespace, name: 'agent' });
  await makeStrictTenant(rig);
});
test.after.always((t) => t.context.close());

/**
 * A namespace in which a policy lets no pod of one Run in, and another Run that wants its place. Made before all else, since it takes a
 * minute until the first is given up.
 */
async function makeStrictTenant(rig: WorkloadRig): Promise<void> {
  await makeTenant(rig, 'choosy', {
    namespaces: [{ suffix: 'main' }],
    quotas: { runs: { maxConcurrent: 1 } },
  });
  await makeAgent(rig, { ...choosy, name: 'agent' });
  await forbidPodsOf(rig, 'unwelcome');
  await createRun(rig, { ...choosy, name: 'unwelcome' }, { spec: { priority: 1 } });
  await becomes(rig, { ...choosy, name: 'unwelcome' }, { phase: 'Admitted' });
  await createRun(rig, { ...choosy, name: 'welcome' });
}

function setFinalizers(rig: WorkloadRig, name: string, finalizers: readonly string[]): Promise<KubeObject> {
  return rig.client.patch(RUNS, { namespace, name }, { body: { metadata: { finalizers } } });
}

test("a Run that is deleted is cancelled, though somebody else's finalizer keeps the object", async (t) => {
  const rig = t.context;
  const key = { namespace, name: 'kept' };
  const waiting = { namespace, name: 'kept-in-queue' };
  await createRun(rig, key, { annotations: FOREVER });
  await becomes(rig, key, { phase: 'Running' });
  await createRun(rig, waiting);
  await becomes(rig, waiting, { phase: 'Queued', reason: 'ConcurrencyExceeded' });
  for (const { name } of [key, waiting]) await setFinalizers(rig, name, FINALIZERS);
  await rig.client.delete(RUNS, waiting);
  await becomes(rig, waiting, { phase: 'Cancelled', reason: 'Cancelled' });

  await rig.client.delete(RUNS, key);
  const { status } = await becomes(rig, key, { phase: 'Cancelled', reason: 'Cancelled' });
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  t.regex(ready?.message ?? '', /deleted; .*example\.com\/audit/);
  await eventually('its pod is gone', async () => {
    const pods = await listAll(rig, PODS, { namespace, labelSelector: `${LABELS.run}=kept` });
    return pods.length === 0;
  });
  await createRun(rig, { namespace, name: 'next' });
  await becomes(rig, { namespace, name: 'next' }, { phase: 'Succeeded' });
  await eventually(
    'every place is given back',
    async () => (await reservationsOf(rig, 'hindered')).length === 0,
  );

  for (const { name } of [key, waiting]) await setFinalizers(rig, name, []);
  await eventually('both are gone', async () => (await listAll(rig, RUNS, { namespace })).length === 1);
});

test('an Agent that was deleted starts no Run, and says so while a finalizer keeps it', async (t) => {
  const rig = t.context;
  const agent = { namespace, name: 'leaving' };
  await makeAgent(rig, agent);
  await rig.client.patch(AGENTS, agent, { body: { metadata: { finalizers: FINALIZERS } } });
  await rig.client.delete(AGENTS, agent);
  await eventually('the Agent says so', async () => {
    const { status } = ((await rig.client.get(AGENTS, agent)) ?? {}) as Partial<Agent>;
    return status?.conditions?.find(({ type }) => type === 'Ready')?.reason === 'Terminating';
  });
  const key = { namespace, name: 'too-late' };
  await createRun(rig, key, { agent: agent.name });
  const { status } = await becomes(rig, key, { phase: 'Queued', reason: 'AgentNotReady' });
  t.regex(status?.queue?.message ?? '', /it was deleted/);
  await rig.client.delete(RUNS, key);
  await rig.client.patch(AGENTS, agent, { body: { metadata: { finalizers: [] } } });
});

test('a Run whose workload a quota of somebody else holds up says so, and goes on with what it was given when it is gone', async (t) => {
  const rig = t.context;
  const input = { namespace, name: 'data' };
  await rig.client.create(
    CONFIG_MAPS,
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: input, data: { doc: 'first' } },
    'test',
  );
  const quota = { namespace, name: 'theirs' };
  await rig.client.create(
    RESOURCE_QUOTAS,
    { apiVersion: 'v1', kind: 'ResourceQuota', metadata: quota, spec: { hard: { 'count/pods': '0' } } },
    'test',
  );
  await eventually('the quota is counted', async () => {
    const status = (await rig.client.get(RESOURCE_QUOTAS, quota))?.['status'];
    return (status as { readonly hard?: unknown } | undefined)?.hard !== undefined;
  });
  const key = { namespace, name: 'with-input' };
  await createRun(rig, key, { spec: { input: { configMapKeyRef: { name: input.name, key: 'doc' } } } });
  const run = await becomes(rig, key, { phase: 'Admitted', reason: 'WorkloadRefused' });
  t.is(run.status?.error, undefined, 'it has not failed');
  const ready = run.status?.conditions?.find(({ type }) => type === 'Ready');
  t.regex(ready?.message ?? '', /tried again: .*exceeded quota: theirs/);
  await rig.client.patch(CONFIG_MAPS, input, { body: { data: { doc: 'second' } } });
  await rig.client.delete(RESOURCE_QUOTAS, quota);
  const { status } = await becomes(rig, key, { phase: 'Succeeded' });
  const copy = await rig.client.get(CONFIG_MAPS, { namespace, name: status?.child?.name ?? '' });
  t.like(copy?.['data'], { input: 'first' });
  const digest = `sha256:${createHash('sha256').update('first').digest('hex')}`;
  t.like(status, { attempt: 1, input: { digest } });
});

test('a Run whose pod a policy forbids is given up after a minute, in the words of the policy, and gives its place to the next', async (t) => {
  const rig = t.context;
  const refused = { phase: 'Failed', reason: 'WorkloadRefused' } as const;
  const { status } = await becomes(rig, { ...choosy, name: 'unwelcome' }, refused);
  t.like(status?.error, { code: 'policy_blocked', retryable: false });
  t.regex(status?.error?.message ?? '', /given up after 60 seconds: .*no pods of this name here/);
  const seconds = (Date.parse(status?.finishedAt ?? '') - Date.parse(status?.admittedAt ?? '')) / 1000;
  t.true(seconds >= 60, `${seconds} s`);
  await becomes(rig, { ...choosy, name: 'welcome' }, { phase: 'Succeeded' });
});

/** Has the API server answer 403 to pods of the Run of that name, as most policies do; resolves when it does. */
async function forbidPodsOf(rig: WorkloadRig, run: string): Promise<void> {
  const metadata = { name: 'hindered-no-pods' };
  const apiVersion = 'admissionregistration.k8s.io/v1';
  const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] };
  const labels = { [LABELS.run]: run };
  const policy = {
    apiVersion,
    kind: 'ValidatingAdmissionPolicy',
    metadata,
    spec: {
      matchConstraints: { resourceRules: [rule], objectSelector: { matchLabels: labels } },
      validations: [{ expression: 'false', message: 'no pods of this name here', reason: 'Forbidden' }],
    },
  };
  const binding = {
    apiVersion,
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata,
    spec: { policyName: metadata.name, validationActions: ['Deny'] },
  };
  for (const object of [policy, binding]) {
    const resource = await rig.client.resourceOf(apiVersion, object.kind);
    await rig.client.create(resource, object, 'test');
  }
  const spec = { containers: [{ name: 'x', image: 'x' }] };
  const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'try', labels }, spec };
  const path = '/api/v1/namespaces/default/pods';
  await eventually('the policy is in force', () =>
    rig.client.raw({ verb: 'create', path, query: { dryRun: 'All' }, body }).then(
      () => false,
      (error: unknown) => error instanceof Error && error.message.includes('no pods of this name'),
    ),
  );
}
