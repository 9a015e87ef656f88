// SPDX-License-Identifier: Apache-2.0
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { eventually } from '#hack/tools/eventually';
import type { QuotaLedgerStatus } from '#crds/v1alpha1/quota-ledger';
import { isPodFinished } from '../core/run/outcome.ts';
import { isFinished, type Run } from '../core/run/run.ts';
import { QUOTA_LEDGERS, RUNS } from './shared/resources.ts';
import { JOBS, PODS } from './shared/workloads.ts';
import { tally } from './testing/concurrency.ts';
import {
  type AuditEntry,
  auditOf,
  becomes,
  createRun,
  isOperator,
  listAll,
  makeAgent,
  makeTenant,
  type OwnWorkloadRig,
  reservationsOf,
  startWorkloadRig,
  type WorkloadRig,
  writesSince,
} from './testing/workload-rig.ts';

const test = anyTest.serial as TestFn<OwnWorkloadRig>;
const DURATION = 'kwok.nexusos.dev/duration';
const namespace = 'many-main';
/** Where nothing but what is counted happens. */
const counted = { namespace: 'counted-main' };

test.before(async (t) => {
  const rig = await startWorkloadRig();
  t.context = rig;
  const five = { runs: { maxConcurrent: 5 } };
  await makeTenant(rig, 'many', {
    namespaces: [{ suffix: 'main' }],
    quotas: { compute: { 'requests.cpu': '64' }, ...five },
  });
  await makeTenant(rig, 'counted', { namespaces: [{ suffix: 'main' }], quotas: five });
  await makeAgent(rig, { ...counted, name: 'agent' });
  await makeTenant(rig, 'burst', { namespaces: [{ suffix: 'main' }], quotas: five });
  await makeTenant(rig, 'wide', { namespaces: [{ suffix: 'main' }] });
  await makeAgent(rig, { namespace, name: 'agent' });
  await makeAgent(rig, { namespace: 'burst-main', name: 'agent' });
  await makeAgent(rig, { namespace: 'wide-main', name: 'agent' });
});
test.after.always((t) => t.context.close());

test('a Run that goes all the way unhindered costs six writes and one Event', async (t) => {
  // On a machine that is busy one may have to be told that it waits, or that its image is awaited: of several, not all.
  const costs: number[] = [];
  for (const name of ['plain-0', 'plain-1', 'plain-2']) costs.push(await costOf(t, name));
  t.true(Math.min(...costs) <= 6, `${costs.join(', ')} writes`);
});

/** Has a Run go all the way; returns how many writes of the operator it took, besides its one Event. */
async function costOf(t: ExecutionContext<OwnWorkloadRig>, name: string): Promise<number> {
  const rig = t.context;
  const before = (await auditOf(rig)).length;
  await createRun(rig, { ...counted, name }, { annotations: { [DURATION]: '2s' } });
  await becomes(rig, { ...counted, name }, { phase: 'Succeeded' });
  await eventually(
    'its quota is given back',
    async () => (await reservationsOf(rig, 'counted')).length === 0,
  );
  const isItsEvent = (one: AuditEntry) => one.resource === 'events' && one.name.startsWith(`${name}.`);
  const about = async () => (await writesSince(rig, before)).filter(({ uri }) => uri.includes('counted'));
  await eventually('its Event is told', async () => (await about()).some(isItsEvent));
  const all = await about();
  t.is(all.filter(isItsEvent).length, 1, JSON.stringify(all));
  return all.filter(({ resource }) => resource !== 'events').length;
}

test('200 Runs at once, 5 at a time, never one more, and every one ends well', async (t) => {
  t.timeout(900_000);
  const rig = t.context;
  const runs = await tally(rig, { resource: RUNS, namespace }, (run) =>
    ['Admitted', 'Running'].includes((run as Run).status?.phase ?? ''),
  );
  const ended = await tally(rig, { resource: RUNS, namespace }, (run) => isFinished(run as Run));
  const pods = await tally(rig, { resource: PODS, namespace }, (pod) => !isPodFinished(pod));
  const jobs = await tally(rig, { resource: JOBS, namespace }, () => false);
  const before = (await auditOf(rig)).length;
  const names = Array.from({ length: 200 }, (_, i) => `many-${i}`);
  await Promise.all(
    names.map((name) => createRun(rig, { namespace, name }, { annotations: { [DURATION]: '50ms' } })),
  );
  await eventually('all have ended', () => ended.most >= 200, 600_000);
  await ended.stop();
  const all = (await listAll(rig, RUNS, { namespace })) as readonly Run[];
  t.true(
    all
      .filter(({ metadata }) => names.includes(metadata.name))
      .every(({ status }) => status?.phase === 'Succeeded'),
  );
  for (const [what, one] of Object.entries({ runs, jobs, pods })) {
    await eventually(`all ${what} are counted`, () => one.seen.size >= 200);
    await one.stop();
    t.is(one.seen.size, 200, what);
  }
  t.is(runs.most, 5, 'Runs at one time');
  t.true(pods.most > 0 && pods.most <= 5, `${pods.most} pods at one time`);
  const ours = await writesSince(rig, before);
  const counts = Object.entries(Object.groupBy(ours, ({ resource }) => resource)).map(
    ([what, some]) => `${what} ${some!.length}`,
  );
  t.log(`writes: ${counts.join(', ')}`);
  t.true(ours.length <= 200 * 8, `${ours.length} writes for 200 Runs`);
});

test('an operator that is killed in the middle makes nothing twice and loses nothing', async (t) => {
  const rig = t.context;
  const jobs = await tally(rig, { resource: JOBS, ...counted }, () => false);
  const names = Array.from({ length: 30 }, (_, i) => `crash-${i}`);
  await Promise.all(
    names.map((name) => createRun(rig, { ...counted, name }, { annotations: { [DURATION]: '300ms' } })),
  );
  const ended = async () =>
    (await listAll(rig, RUNS, counted)).filter(
      (run) => names.includes(run.metadata.name) && isFinished(run as Run),
    ).length;
  for (const until of [5, 12, 20]) {
    await eventually(`${until} have ended`, async () => (await ended()) >= until);
    await rig.restartOperator('kill');
  }
  for (const name of names) await becomes(rig, { ...counted, name }, { phase: 'Succeeded' });
  await eventually('all Jobs are counted', () => jobs.seen.size >= 30);
  await jobs.stop();
  t.is(jobs.seen.size, 30);
});

test('those who hold a place go before hundreds that are new', async (t) => {
  t.timeout(900_000);
  const rig = t.context;
  const place = { namespace: 'burst-main' };
  const createAll = (head: string, count: number, priority: number) =>
    Promise.all(
      Array.from({ length: count }, (_, i) =>
        createRun(
          rig,
          { ...place, name: `${head}-${i}` },
          { annotations: { [DURATION]: '600s' }, spec: { priority } },
        ),
      ),
    );
  let before = 0;
  await rig.restartOperator('stop', async () => {
    await createAll('a-waiting', 295, 0);
    // By name they are the last that the operator hears of, and by priority the first that get a place.
    await createAll('z-first', 5, 1);
    before = (await auditOf(rig)).length;
  });
  await eventually('five Jobs are made', async () => (await listAll(rig, JOBS, place)).length === 5);
  await eventually(
    'all others are told that they wait',
    async () =>
      ((await listAll(rig, RUNS, place)) as readonly Run[]).filter(
        ({ status }) => status?.phase === 'Queued' && status.queue !== undefined,
      ).length === 295,
  );
  const writes = await writesSince(rig, before);
  // By the first try of each, whatever became of it: where others compute, one may be made and its answer come too late.
  const tries = writes.map(({ verb, resource, name }) =>
    resource === 'jobs' && verb === 'create' ? name : '',
  );
  const jobs = [...new Set(tries)].filter((name) => name !== '');
  const last = Math.max(...jobs.map((name) => tries.indexOf(name)));
  const told = writes
    .slice(0, last)
    .filter(({ resource, code }) => resource === 'runs/status' && code < 300).length;
  t.is(jobs.length, 5, jobs.join());
  t.log(`${told} of 300 Runs were written to before the last of five Jobs was made`);
  t.true(told <= 200, `${told} Runs were written to before the last of five Jobs was made`);
  await deleteRuns(rig, place.namespace);
});

test('what is left of Runs that are deleted together is looked for a few times each', async (t) => {
  t.timeout(900_000);
  const rig = t.context;
  const names = Array.from({ length: 30 }, (_, i) => `gone-${i}`);
  const place = { namespace: 'wide-main' };
  await Promise.all(
    names.map((name) => createRun(rig, { ...place, name }, { annotations: { [DURATION]: '600s' } })),
  );
  await eventually('all run', async () =>
    ((await listAll(rig, RUNS, place)) as readonly Run[]).every(({ status }) => status?.phase === 'Running'),
  );
  const before = (await auditOf(rig)).length;
  await deleteRuns(rig, place.namespace);
  const reads = (await auditOf(rig)).slice(before).filter((entry) => isLookup(entry));
  t.log(`${reads.length} reads for 30 Runs`);
  t.true(reads.length > 0);
  t.true(reads.length <= 30 * 8, `${reads.length} reads for 30 Runs`);
});

/** A direct read of the operator for a Run, a Job, or the pods of a Run. */
function isLookup({ user, verb, resource }: AuditEntry): boolean {
  return isOperator(user) && ['get', 'list'].includes(verb) && ['runs', 'jobs', 'pods'].includes(resource);
}

/** Deletes all Runs of a namespace and waits until nothing of them is left. */
async function deleteRuns(rig: WorkloadRig, inNamespace: string): Promise<void> {
  const deleted = await rig.cluster.kubectl(['delete', 'runs', '--all', '-n', inNamespace]);
  if (deleted.code !== 0) throw new Error(deleted.stderr);
  await eventually(
    `nothing is left in ${inNamespace}`,
    async () =>
      (await placesIn(rig, inNamespace)) === 0 &&
      (await listAll(rig, PODS, { namespace: inNamespace })).length === 0,
  );
}

async function placesIn(rig: WorkloadRig, inNamespace: string): Promise<number> {
  const ledgers = await listAll(rig, QUOTA_LEDGERS);
  return ledgers
    .flatMap((ledger) => (ledger['status'] as QuotaLedgerStatus | undefined)?.reservations ?? [])
    .filter((one) => one.namespace === inNamespace).length;
}
