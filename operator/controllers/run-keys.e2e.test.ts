// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import { eventually } from '#hack/tools/eventually';
import type { KeyRecord, QuotaLedgerStatus } from '#crds/v1alpha1/quota-ledger';
import { isFinished, type Run } from '../core/run/run.ts';
import { QUOTA_LEDGERS, RUNS } from '../core/resources.ts';
import { PODS } from './shared/workloads.ts';
import {
  attachWorkloadRig,
  becomes,
  createRun,
  listAll,
  makeAgent,
  makeTenant,
  type WorkloadRig,
} from './testing/workload-rig.ts';

const test = anyTest.serial as TestFn<WorkloadRig>;
const namespace = 'keyed-main';

test.before(async (t) => {
  const rig = await attachWorkloadRig();
  t.context = rig;
  await makeTenant(rig, 'keyed', { namespaces: [{ suffix: 'main' }] });
  await makeAgent(rig, { namespace, name: 'agent' });
});
test.after.always((t) => t.context.close());

/** Names of the pods of Runs that begin with `head`. */
async function podsOf(rig: WorkloadRig, head: string): Promise<readonly string[]> {
  const pods = await listAll(rig, PODS, { namespace });
  return pods.map(({ metadata }) => metadata.name).filter((name) => name.startsWith(head));
}

/** What the ledger remembers of the key that a Run was the first to have. */
async function recordOf(rig: WorkloadRig, name: string): Promise<KeyRecord | undefined> {
  const ledger = await rig.client.get(QUOTA_LEDGERS, { name: 'keyed' });
  const { keys = [] } = (ledger?.['status'] ?? {}) as QuotaLedgerStatus;
  return keys.find((one) => one.name === name);
}

test('of 50 Runs that are created at once with one key a single one starts, and all end as it ends', async (t) => {
  const rig = t.context;
  const names = Array.from({ length: 50 }, (_, i) => `same-${i}`);
  const choice = {
    annotations: { 'kwok.nexusos.dev/duration': '2s' },
    spec: { idempotencyKey: 'order-17', parameters: { order: '17' } },
  };
  await Promise.all(names.map((name) => createRun(rig, { namespace, name }, choice)));
  for (const name of names) await becomes(rig, { namespace, name }, { phase: 'Succeeded' });
  t.is((await podsOf(rig, 'same-')).length, 1);
  const runs = ((await listAll(rig, RUNS, { namespace })) as readonly Run[]).filter((run) =>
    names.includes(run.metadata.name),
  );
  const [first, ...others] = runs.filter(({ status }) => status?.keyHolder === undefined);
  t.deepEqual(others, []);
  t.is(first?.status?.attempt, 1);
  for (const { status } of runs.filter((run) => run !== first)) {
    t.deepEqual(status?.keyHolder, { name: first?.metadata.name, uid: first?.metadata.uid });
    t.is(status?.attempt, undefined);
  }
});

test('a Run with the same key and another spec is a conflict, at whatever time', async (t) => {
  const rig = t.context;
  const create = (name: string, order: string) =>
    createRun(rig, { namespace, name }, { spec: { idempotencyKey: 'order-18', parameters: { order } } });
  await create('first', '18');
  await becomes(rig, { namespace, name: 'first' }, { phase: 'Succeeded' });
  await create('other', '19');
  const { status } = await becomes(
    rig,
    { namespace, name: 'other' },
    { phase: 'Failed', reason: 'KeyConflict' },
  );
  t.like(status?.error, { code: 'conflict', retryable: false });
  t.regex(status?.error?.message ?? '', /Run first .* differs in parameters/);
  t.deepEqual(await podsOf(rig, 'other'), []);
});

test('a key is remembered after its Run is deleted', async (t) => {
  const rig = t.context;
  const key = { namespace, name: 'gone' };
  const choice = { spec: { idempotencyKey: 'order-19' } };
  await createRun(rig, key, choice);
  await becomes(rig, key, { phase: 'Succeeded' });
  await eventually(
    'the ledger remembers how it ended',
    async () => (await recordOf(rig, 'gone'))?.phase === 'Succeeded',
  );
  await rig.client.delete(RUNS, key);
  await createRun(rig, { namespace, name: 'again' }, choice);
  const { status } = await becomes(rig, { namespace, name: 'again' }, { phase: 'Succeeded' });
  t.is(status?.keyHolder?.name, 'gone');
  t.deepEqual(await podsOf(rig, 'again'), []);
});

test('a key is forgotten when its time is over and its Run is deleted', async (t) => {
  const rig = t.context;
  const key = { namespace, name: 'brief' };
  const choice = { spec: { idempotencyKey: 'order-20', idempotencyKeySeconds: 1 } };
  const isOver = async () => {
    const record = await recordOf(rig, 'brief');
    return record === undefined || Date.now() > Date.parse(record.until ?? '');
  };
  await createRun(rig, key, choice);
  await becomes(rig, key, { phase: 'Succeeded' });
  await eventually('its time is over', isOver);
  await createRun(rig, { namespace, name: 'while-there' }, choice);
  const { status } = await becomes(rig, { namespace, name: 'while-there' }, { phase: 'Succeeded' });
  t.is(status?.keyHolder?.name, 'brief');
  await rig.client.delete(RUNS, key);
  await eventually('its time is over again', isOver);
  await createRun(rig, { namespace, name: 'anew' }, choice);
  const anew = await becomes(rig, { namespace, name: 'anew' }, { phase: 'Succeeded' });
  t.is(anew.status?.attempt, 1);
});

test('who waits behind the first takes its place when that ends without having started', async (t) => {
  const rig = t.context;
  await createRun(
    rig,
    { namespace, name: 'gives-up' },
    { spec: { idempotencyKey: 'order-21', suspend: true } },
  );
  await becomes(rig, { namespace, name: 'gives-up' }, { phase: 'Queued', reason: 'Suspended' });
  await eventually('a second has passed, which is what times of creation tell', async () => {
    const run = (await rig.client.get(RUNS, { namespace, name: 'gives-up' })) as Run;
    return Date.now() > Date.parse(run.metadata.creationTimestamp ?? '') + 1500;
  });
  await createRun(rig, { namespace, name: 'takes-over' }, { spec: { idempotencyKey: 'order-21' } });
  await becomes(rig, { namespace, name: 'takes-over' }, { phase: 'Queued', reason: 'Duplicate' });
  await rig.client.patch(RUNS, { namespace, name: 'gives-up' }, { body: { spec: { cancel: true } } });
  const run = await becomes(rig, { namespace, name: 'takes-over' }, { phase: 'Succeeded' });
  t.true(isFinished(run));
  t.is(run.status?.attempt, 1);
});
