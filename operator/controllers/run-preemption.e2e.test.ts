// SPDX-License-Identifier: Apache-2.0
// Runs that end others of lower priority, and have their place.
import anyTest, { type TestFn } from 'ava';
import { LABELS } from '#crds/v1alpha1/names';
import type { QuotaLedgerStatus, Reservation } from '#crds/v1alpha1/quota-ledger';
import type { RunStatus } from '#crds/v1alpha1/run';
import { deletePodByForce } from '#hack/system/delete-by-force';
import { eventually } from '#hack/tools/eventually';
import { QUOTA_LEDGERS, RUNS } from '../core/resources.ts';
import { PODS } from './shared/workloads.ts';
import {
  attachWorkloadRig,
  becomes,
  createRun,
  listAll,
  makeAgent,
  makeTenant,
  reasonsTold,
  reservationsOf,
  runOf,
  type WorkloadRig,
} from './testing/workload-rig.ts';

const test = anyTest.serial as TestFn<WorkloadRig>;
const annotations = { 'kwok.nexusos.dev/duration': '600s' };
/** Of a pod that is told to end: how long its container takes, on a simulated node. */
const END_DURATION = 'kwok.nexusos.dev/end-duration';
const here = 'preempting-main';
const there = 'preempting-other';

const cores = (cpu: string) => ({
  container: { image: 'registry.example.com/agent:1', resources: { requests: { cpu } } },
});

test.before(async (t) => {
  const rig = await attachWorkloadRig();
  t.context = rig;
  await makeTenant(rig, 'preempting', {
    namespaces: [{ suffix: 'main' }, { suffix: 'other' }],
    quotas: {
      compute: { 'requests.cpu': '2' },
      runs: { maxConcurrent: 2, createPerSecond: 5, preemption: 'LowerPriority' },
    },
  });
  for (const namespace of [here, there]) await makeAgent(rig, { namespace, name: 'agent' }, cores('100m'));
  for (const namespace of [here, there]) await makeAgent(rig, { namespace, name: 'large' }, cores('2'));
  await makeAgent(rig, { namespace: here, name: 'firm' }, { ...cores('100m'), preemptible: false });
});
test.after.always((t) => t.context.close());
test.afterEach.always(async (t) => {
  const rig = t.context;
  for (const namespace of [here, there]) {
    const runs = await listAll(rig, RUNS, { namespace });
    for (const { metadata } of runs) await rig.client.delete(RUNS, { namespace, name: metadata.name });
  }
  await eventually('all is given back', async () => (await reservationsOf(rig, 'preempting')).length === 0);
});

async function statusOf(rig: WorkloadRig, name: string): Promise<RunStatus> {
  return (await runOf(rig, { namespace: here, name }))?.status ?? {};
}

async function reservationOf(rig: WorkloadRig, name: string): Promise<Partial<Reservation>> {
  const ledger = await rig.client.get(QUOTA_LEDGERS, { name: 'preempting' });
  const { reservations = [] }: QuotaLedgerStatus = ledger?.['status'] ?? {};
  return reservations.find((one) => one.name === name) ?? {};
}

/** Ends the pod of a Run by force. Another pod of it would not take its time any more. */
async function endByForce(rig: WorkloadRig, name: string): Promise<void> {
  const key = { namespace: here, name };
  await rig.client.patch(RUNS, key, { body: { metadata: { annotations: { [END_DURATION]: null } } } });
  const { child } = await statusOf(rig, name);
  await deletePodByForce(rig.cluster, { namespace: here, name: child?.name ?? '' });
}

/** Runs of a namespace that have a pod which has not ended. */
async function running(rig: WorkloadRig, namespace: string): Promise<number> {
  const pods = await listAll(rig, PODS, { namespace, labelSelector: LABELS.run });
  return pods.filter(({ status }) => (status as { readonly phase?: string }).phase === 'Running').length;
}

test('a Run of higher priority takes over from the lowest, which waits and runs again when there is room', async (t) => {
  const rig = t.context;
  const names = { low: 1, lower: 0 };
  for (const [name, priority] of Object.entries(names)) {
    await createRun(rig, { namespace: here, name }, { annotations, spec: { priority } });
    await becomes(rig, { namespace: here, name }, { phase: 'Running' });
  }
  const high = { namespace: here, name: 'high' };
  await createRun(rig, high, { annotations, spec: { priority: 10 } });
  await becomes(rig, high, { phase: 'Running' });
  const { status } = await becomes(rig, { namespace: here, name: 'lower' }, { phase: 'Queued' });
  t.is(status?.preemptions, 1);
  t.is(status?.error, undefined);
  t.is((await statusOf(rig, 'low')).preemptions, undefined);
  await eventually('an Event tells of it', async () =>
    (await reasonsTold(rig, { namespace: here, name: 'lower' })).includes('Preempted'),
  );
  const told = await reasonsTold(rig, { namespace: here, name: 'lower' });
  t.is(told.filter((reason) => reason === 'Preempted').length, 1);
  t.true((await running(rig, here)) <= 2);

  await rig.client.patch(RUNS, high, { body: { spec: { cancel: true } } });
  const again = await becomes(rig, { namespace: here, name: 'lower' }, { phase: 'Running' });
  t.is(again.status?.attempt, 2);
  t.is(again.status?.retries, undefined);
});

test('while one that makes room takes its time, nobody else has its place, and the other one says for whom it waits', async (t) => {
  const rig = t.context;
  const lingers = { ...annotations, [END_DURATION]: '10m' };
  await createRun(rig, { namespace: here, name: 'slow' }, { annotations: lingers, spec: { priority: 0 } });
  await createRun(rig, { namespace: here, name: 'other' }, { annotations, spec: { priority: 5 } });
  for (const name of ['slow', 'other']) await becomes(rig, { namespace: here, name }, { phase: 'Running' });
  const high = { namespace: here, name: 'high' };
  await createRun(rig, high, { annotations, spec: { priority: 10 } });
  await becomes(rig, { namespace: here, name: 'slow' }, { phase: 'Running', reason: 'Preempted' });
  const waiting = await becomes(rig, high, { phase: 'Queued', reason: 'Preempting' });
  t.regex(waiting.status?.queue?.message ?? '', /preempting-main\/slow/);
  const slow = await reservationOf(rig, 'slow');
  t.deepEqual(slow.preemptedBy, { ...high, priority: 10 });
  t.deepEqual((await reservationOf(rig, 'high')).awaits, [slow.serial ?? 0]);

  await createRun(rig, { namespace: here, name: 'newcomer' }, { annotations, spec: { priority: 4 } });
  await becomes(rig, { namespace: here, name: 'newcomer' }, { phase: 'Queued' });
  t.is((await statusOf(rig, 'other')).phase, 'Running');

  await endByForce(rig, 'slow');
  await becomes(rig, high, { phase: 'Running' });
  await becomes(rig, { namespace: here, name: 'slow' }, { phase: 'Queued' });
  t.is((await statusOf(rig, 'newcomer')).attempt, undefined);
});

test('quota of another namespace is taken over, and comes there before the Run starts', async (t) => {
  const rig = t.context;
  const low = { namespace: here, name: 'low' };
  const high = { namespace: there, name: 'high' };
  await createRun(rig, low, { agent: 'large', annotations });
  await becomes(rig, low, { phase: 'Running' });
  await createRun(rig, high, { agent: 'large', annotations, spec: { priority: 10 } });
  const { status } = await becomes(rig, high, { phase: 'Running' });
  t.is(status?.attempt, 1);
  t.like((await becomes(rig, low, { phase: 'Queued' })).status, { preemptions: 1, attempt: 1 });
});

test('a dry run says whom it would end, and ends nobody; Runs of an Agent that is not preemptible go on', async (t) => {
  const rig = t.context;
  for (const [name, agent] of [
    ['low', 'agent'],
    ['firm', 'firm'],
  ] as const) {
    await createRun(rig, { namespace: here, name }, { agent, annotations });
    await becomes(rig, { namespace: here, name }, { phase: 'Running' });
  }
  const dry = { namespace: here, name: 'dry' };
  await createRun(rig, dry, { spec: { priority: 10, dryRun: true } });
  const { status } = await becomes(rig, dry, { phase: 'Succeeded', reason: 'DryRun' });
  t.like(status?.dryRun, { phase: 'Queued', reason: 'Preempting' });
  t.regex(status?.dryRun?.message ?? '', /: preempting-main\/low$/);
  const high = { namespace: here, name: 'high' };
  await createRun(rig, high, { annotations, spec: { priority: 10 } });
  await becomes(rig, high, { phase: 'Running' });
  const next = { namespace: here, name: 'next' };
  await createRun(rig, next, { annotations, spec: { priority: 5 } });
  await becomes(rig, next, { phase: 'Queued', reason: 'ConcurrencyExceeded' });
  t.is((await statusOf(rig, 'firm')).phase, 'Running');
});
