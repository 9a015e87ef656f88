// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import { eventually } from '#hack/tools/eventually';
import type { Agent } from '../core/agent/agent.ts';
import { findCondition, READY } from '../core/conditions.ts';
import type { QuotaLedgerStatus } from '#crds/v1alpha1/quota-ledger';
import { AGENTS, QUOTA_LEDGERS, RUNS } from '../core/resources.ts';
import { PODS } from './shared/workloads.ts';
import {
  attachWorkloadRig,
  becomes,
  createRun,
  listAll,
  makeAgent,
  makeTenant,
  reservationsOf,
  type WorkloadRig,
} from './testing/workload-rig.ts';

const test = anyTest.serial as TestFn<WorkloadRig>;
const namespace = 'dry-main';
const dry = { spec: { dryRun: true } };

test.before(async (t) => {
  const rig = await attachWorkloadRig();
  t.context = rig;
  await makeTenant(rig, 'dry', {
    namespaces: [{ suffix: 'main' }],
    quotas: {
      compute: { 'requests.cpu': '4' },
      gpus: [{ class: 'h100', count: 2 }],
      runs: { maxConcurrent: 1, createPerSecond: 10 },
    },
  });
  await makeAgent(rig, { namespace, name: 'agent' });
  await makeAgent(rig, { namespace, name: 'trainer' }, { gpu: { class: 'h100', count: 4 } });
  await makeAgent(rig, { namespace, name: 'strict' }, { parameters: [{ name: 'other', required: false }] });
  await eventually('the Agents were looked at', async () => {
    const agents = (await listAll(rig, AGENTS, { namespace })) as readonly Agent[];
    return agents.every(({ status }) => findCondition(status?.conditions ?? [], READY) !== undefined);
  });
  // What has run shows that the Agent is looked at and the quotas are in force.
  await createRun(rig, { namespace, name: 'warm-up' });
  await becomes(rig, { namespace, name: 'warm-up' }, { phase: 'Succeeded' });
});
test.after.always((t) => t.context.close());

async function ledgerOf(rig: WorkloadRig): Promise<QuotaLedgerStatus> {
  const ledger = await rig.client.get(QUOTA_LEDGERS, { name: 'dry' });
  return ledger?.['status'] ?? {};
}

test('a dry run says that it would start, what it would take and make, and does nothing of it', async (t) => {
  const rig = t.context;
  await eventually('all places are free', async () => (await reservationsOf(rig, 'dry')).length === 0);
  const before = await ledgerOf(rig);
  const key = { namespace, name: 'would-start' };
  await createRun(rig, key, { spec: { ...dry.spec, idempotencyKey: 'k' } });
  const { status } = await becomes(rig, key, { phase: 'Succeeded', reason: 'DryRun' });
  t.like(status?.dryRun, { phase: 'Admitted', reserves: { 'requests.cpu': '100m' } });
  t.deepEqual(
    status?.dryRun?.creates?.map(({ kind }) => kind),
    ['Pod'],
  );
  const [pod] = status?.dryRun?.creates ?? [];
  t.is(await rig.client.get(PODS, { namespace, name: pod?.name ?? '' }), undefined);
  const after = await ledgerOf(rig);
  t.deepEqual(
    [after.reservations, after.keys, after.startDueMicros],
    [before.reservations, before.keys, before.startDueMicros],
  );
});

test('a dry run beside one that runs says that it would wait, where and for what', async (t) => {
  const rig = t.context;
  const holder = { namespace, name: 'holder' };
  await createRun(rig, holder, { annotations: { 'kwok.nexusos.dev/duration': '600s' } });
  await becomes(rig, holder, { phase: 'Running' });
  const key = { namespace, name: 'would-wait' };
  await createRun(rig, key, dry);
  const { status } = await becomes(rig, key, { phase: 'Succeeded', reason: 'DryRun' });
  t.like(status?.dryRun, { phase: 'Queued', reason: 'ConcurrencyExceeded', position: 1 });
  t.deepEqual(await reservationsOf(rig, 'dry'), ['holder']);
  await rig.client.patch(RUNS, holder, { body: { spec: { cancel: true } } });
  await becomes(rig, holder, { phase: 'Cancelled' });
});

test('a dry run of what the tenant can never have says what is missing', async (t) => {
  const rig = t.context;
  await eventually('all places are free', async () => (await reservationsOf(rig, 'dry')).length === 0);
  const key = { namespace, name: 'too-large' };
  await createRun(rig, key, { ...dry, agent: 'trainer' });
  const { status } = await becomes(rig, key, { phase: 'Succeeded', reason: 'DryRun' });
  t.like(status?.dryRun, { phase: 'Queued', reason: 'AgentNotReady', gpu: { class: 'h100', count: 4 } });
  t.regex(status?.dryRun?.message ?? '', /4 of class h100; at most 2 are allowed/);
  const pods = await listAll(rig, PODS, { namespace });
  t.false(pods.some(({ metadata }) => metadata.name.startsWith('too-large')));
});

test('a dry run of what would be refused fails as that would', async (t) => {
  const rig = t.context;
  const parameters = { topic: 'x' };
  const key = { namespace, name: 'refused' };
  await createRun(rig, key, { agent: 'strict', spec: { ...dry.spec, parameters } });
  const { status } = await becomes(rig, key, { phase: 'Failed', reason: 'InvalidParameters' });
  t.like(status, { error: { code: 'invalid_request' }, dryRun: { phase: 'Failed' } });
});
