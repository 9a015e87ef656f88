// SPDX-License-Identifier: Apache-2.0
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { eventually } from '#hack/tools/eventually';
import { AGENT, type AgentSpec } from '#crds/v1alpha1/agent';
import { LABELS } from '#crds/v1alpha1/names';
import type { QuotaLedgerStatus } from '#crds/v1alpha1/quota-ledger';
import type { UsageHistory } from '#crds/v1alpha1/usage-history';
import type { Agent } from '../core/agent/agent.ts';
import { scheduledRun } from '../core/agent/scheduled-run.ts';
import { parseMicro } from '../core/metering/micro.ts';
import type { KubeObject } from '../core/object.ts';
import { isPodFinished } from '../core/run/outcome.ts';
import { isFinished, type Run } from '../core/run/run.ts';
import type { Ledger } from '../core/tenant/tenant.ts';
import { AGENTS, QUOTA_LEDGERS, RUNS } from '../core/resources.ts';
import { PODS } from './shared/workloads.ts';
import type { AuditEntry } from './testing/audit-log.ts';
import { tally } from './testing/concurrency.ts';
import { metricOf, whileAnotherLeads, writeLedger } from './testing/leadership.ts';
import {
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

test('a Run that goes all the way unhindered costs six writes', async (t) => {
  // On a machine that is busy one may have to be told that it waits, or that its image is awaited: of several, not all.
  const costs: number[] = [];
  for (const name of ['plain-0', 'plain-1', 'plain-2']) costs.push(await costOf(t, name));
  t.true(Math.min(...costs) <= 6, `${costs.join(', ')} writes`);
});

/** Has a Run go all the way; returns how many writes of the operator it took. */
async function costOf(t: ExecutionContext<OwnWorkloadRig>, name: string): Promise<number> {
  const rig = t.context;
  const before = (await auditOf(rig)).length;
  await createRun(rig, { ...counted, name }, { annotations: { [DURATION]: '2s' } });
  await becomes(rig, { ...counted, name }, { phase: 'Succeeded' });
  await eventually(
    'its quota is given back',
    async () => (await reservationsOf(rig, 'counted')).length === 0,
  );
  return (await writesSince(rig, before)).filter(({ uri }) => uri.includes('counted')).length;
}

test('what another replica has counted while it led is not told again by who leads after it', async (t) => {
  const rig = t.context;
  const place = { namespace: 'handed-main' };
  await makeTenant(rig, 'handed', { namespaces: [{ suffix: 'main' }] });
  await makeAgent(rig, { ...place, name: 'agent' });
  const told = () => metricOf(rig, 'nexusos_run_units_total', { tenant: 'handed' });
  await createRun(rig, { ...place, name: 'before' });
  await eventually('what is used is told', async () => (await told()) > 0);
  const before = await told();
  const usage: UsageHistory = { windows: [], tiers: [{ tier: 'standard', runUnits: '1000' }] };
  await whileAnotherLeads(rig, () => writeLedger(rig, 'handed', (status) => ({ ...status, usage })));
  await createRun(rig, { ...place, name: 'after' });
  await eventually('what is used since is told', async () => (await told()) > before);
  t.true((await told()) < before + 100, `${await told()} run units, and ${before} before`);
});

test('200 Runs at once, 5 at a time, never one more, and every one ends well', async (t) => {
  t.timeout(900_000);
  const rig = t.context;
  const runs = await tally(rig, { resource: RUNS, namespace }, (run) =>
    ['Admitted', 'Running'].includes((run as Run).status?.phase ?? ''),
  );
  const ended = await tally(rig, { resource: RUNS, namespace }, (run) => isFinished(run as Run));
  const pods = await tally(rig, { resource: PODS, namespace }, (pod) => !isPodFinished(pod));
  const before = (await auditOf(rig)).length;
  const names = Array.from({ length: 200 }, (_, i) => `many-${i}`);
  // The first ones last: of those that are over at once one may never see five together.
  await Promise.all(
    names.map((name, index) =>
      createRun(rig, { namespace, name }, { annotations: { [DURATION]: index < 20 ? '3s' : '50ms' } }),
    ),
  );
  await eventually('all have ended', () => ended.most >= 200, 600_000);
  await ended.stop();
  const all = (await listAll(rig, RUNS, { namespace })) as readonly Run[];
  t.true(
    all
      .filter(({ metadata }) => names.includes(metadata.name))
      .every(({ status }) => status?.phase === 'Succeeded'),
  );
  for (const [what, one] of Object.entries({ runs, pods })) {
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
  const pods = await tally(rig, { resource: PODS, ...counted }, () => false);
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
  await eventually('all pods are counted', () => pods.seen.size >= 30);
  await pods.stop();
  t.is(pods.seen.size, 30);
  const { settled, units } = await usedBy(rig, counted.namespace);
  t.deepEqual([...new Set(settled)], [1], 'every Run has one attempt that is settled');
  await eventually('all of it is counted', async () => (await countedFor(rig, 'counted')) >= units);
  t.is(await countedFor(rig, 'counted'), units, 'to the last millionth');
});

/** Attempts that each Run of a namespace has settled, and millionths of run units of all. */
async function usedBy(rig: WorkloadRig, place: string) {
  const usages = (await listAll(rig, RUNS, { namespace: place })).map((run) => (run as Run).status?.usage);
  return {
    settled: usages.map((usage) => usage?.attempts?.length),
    units: usages.reduce((sum, usage) => sum + parseMicro(usage?.total?.runUnits ?? ''), 0n),
  };
}

/** Millionths of run units that the ledger of a tenant has counted. */
async function countedFor(rig: WorkloadRig, name: string): Promise<bigint> {
  const { status } = (await rig.client.get(QUOTA_LEDGERS, { name })) as Ledger;
  return (status?.usage?.tiers ?? []).reduce((sum, { runUnits }) => sum + parseMicro(runUnits), 0n);
}

test('of 16 Runs with one key a single one is started, whenever the operator is killed', async (t) => {
  const rig = t.context;
  const pods = await tally(rig, { resource: PODS, ...counted }, () => false);
  const create = async (round: number) => {
    const names = Array.from({ length: 16 }, (_, i) => `once-${round}-${i}`);
    const choice = { annotations: { [DURATION]: '100ms' }, spec: { idempotencyKey: `once-${round}` } };
    await Promise.all(names.map((name) => createRun(rig, { ...counted, name }, choice)));
    return names;
  };
  const names: string[] = [];
  for (const round of [0, 1, 2]) {
    const made = await create(round);
    names.push(...made);
    // Between the reservation, the pod and what is told to the others, wherever that may be.
    await eventually('the first is under way', async () =>
      ((await listAll(rig, RUNS, counted)) as readonly Run[]).some(
        ({ metadata, status }) => made.includes(metadata.name) && (status?.attempt ?? 0) > 0,
      ),
    );
    await rig.restartOperator('kill');
  }
  for (const name of names) await becomes(rig, { ...counted, name }, { phase: 'Succeeded' });
  await eventually('all pods are counted', () => pods.seen.size >= 3);
  await pods.stop();
  t.is(pods.seen.size, 3);
});

/** Enough that they would take much longer than the five that hold a place: of those, some fifty are written to while these are made. */
const WAITING = 195;

test('those who hold a place go before many that are new', async (t) => {
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
    await createAll('a-waiting', WAITING, 0);
    // By name they are the last that the operator hears of, and by priority the first that get a place.
    await createAll('z-first', 5, 100);
    before = (await auditOf(rig)).length;
  });
  await eventually('five pods are made', async () => (await listAll(rig, PODS, place)).length === 5);
  await eventually(
    'all others are told that they wait',
    async () =>
      ((await listAll(rig, RUNS, place)) as readonly Run[]).filter(
        ({ status }) => status?.phase === 'Queued' && status.queue !== undefined,
      ).length === WAITING,
  );
  const writes = await writesSince(rig, before);
  // By the first try of each, whatever became of it: where others compute, one may be made and its answer come too late.
  const tries = writes.map(({ verb, resource, name }) =>
    resource === 'pods' && verb === 'create' ? name : '',
  );
  const pods = [...new Set(tries)].filter((name) => name !== '');
  const last = Math.max(...pods.map((name) => tries.indexOf(name)));
  const told = writes
    .slice(0, last)
    .filter(({ resource, code }) => resource === 'runs/status' && code < 300).length;
  t.is(pods.length, 5, pods.join());
  t.log(`${told} of ${WAITING + 5} Runs were written to before the last of five pods was made`);
  t.true(told <= 0.7 * WAITING, `${told} Runs were written to before the last of five pods was made`);
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

/** Not due while the test goes on, but every year before. */
const schedule = { cron: '0 0 1 1 *' };
const NEW_YEAR = `${new Date().getUTCFullYear()}-01-01T00:00:00Z`;
const clocks = { namespace: 'burst-main' };

/** Writes into the status of an Agent what an operator might have left there. */
async function leave(rig: WorkloadRig, name: string, state: object): Promise<void> {
  const patch = JSON.stringify({ status: { schedule: state } });
  const where = ['-n', clocks.namespace, '--subresource=status', '--type=merge'];
  const patched = await rig.cluster.kubectl(['patch', 'agent', name, ...where, '-p', patch]);
  if (patched.code !== 0) throw new Error(patched.stderr);
}

/** Makes an Agent that an operator has looked at two years ago, and left with `state`. */
async function makeClock(rig: WorkloadRig, name: string, state: (agent: Agent) => object): Promise<Agent> {
  await makeAgent(rig, { ...clocks, name }, { schedule } as Partial<AgentSpec>);
  const agent = (await rig.client.get(AGENTS, { ...clocks, name })) as Agent;
  const since = `${new Date().getUTCFullYear() - 2}-06-01T00:00:00Z`;
  const left = {
    cron: schedule.cron,
    timeZone: 'UTC',
    since,
    active: 0,
    nextScheduleTime: null,
    ...state(agent),
  };
  await leave(rig, name, left);
  return agent;
}

/** What is on record when its start was decided on, and not yet that it was made. */
function starting(agent: Agent): object {
  return { starting: { scheduledTime: NEW_YEAR, run: newYearsRun(agent).metadata.name } };
}

function newYearsRun(agent: Agent): KubeObject {
  return scheduledRun(agent, {
    schedule: AGENT.spec.parse(agent.spec).schedule!,
    scheduledTime: NEW_YEAR,
    creator: undefined,
  });
}

async function clockOf(rig: WorkloadRig, name: string): Promise<Agent['status']> {
  return ((await rig.client.get(AGENTS, { ...clocks, name })) as Agent | undefined)?.status;
}

test('what schedules have missed is started once each, whenever the operator is killed', async (t) => {
  t.timeout(300_000);
  const rig = t.context;
  const missed = Array.from({ length: 4 }, (_, i) => `missed-${i}`);
  const names = [...missed, 'about-to', 'just-made'];
  const before = (await auditOf(rig)).length;
  await rig.restartOperator('stop', async () => {
    for (const name of missed) await makeClock(rig, name, () => ({}));
    // As they are left by who is killed before the Run is made, and after that.
    await makeClock(rig, 'about-to', starting);
    await rig.client.create(RUNS, newYearsRun(await makeClock(rig, 'just-made', starting)), 'test');
  });
  await rig.restartOperator('kill');
  for (const name of names) {
    await eventually(
      `${name} knows its Run, and that it succeeded`,
      async () => {
        const { schedule: seen } = (await clockOf(rig, name)) ?? {};
        const { lastRun, lastSuccessfulTime, active, lastScheduleTime } = seen ?? {};
        const isOver = lastRun !== undefined && lastSuccessfulTime !== undefined && active === 0;
        if (!isOver) throw new Error(JSON.stringify(seen));
        return lastScheduleTime === NEW_YEAR;
      },
      120_000,
    );
  }
  const runs = await listAll(rig, RUNS, { ...clocks, labelSelector: LABELS.scheduledBy });
  t.is(runs.length, names.length);
  const agents = runs.map(({ metadata }) => metadata.labels?.[LABELS.agent]);
  t.deepEqual(
    names.filter((name) => !agents.includes(name)),
    [],
  );
  const made = (await auditOf(rig))
    .slice(before)
    .filter(
      (one) => isOperator(one.user) && one.verb === 'create' && one.resource === 'runs' && one.code === 201,
    );
  // Not all have to be here: nobody hears the answer to a request whose sender is killed.
  t.true(made.length <= names.length - 1, `${made.length} Runs made by the operator`);
});

test('a start whose name somebody else has taken is told, and his Run is left alone', async (t) => {
  const rig = t.context;
  const agent = await makeClock(rig, 'taken', () => ({ since: new Date().toISOString() }));
  const { name } = newYearsRun(agent).metadata;
  const theirs = await createRun(rig, { ...clocks, name }, { annotations: { [DURATION]: '600s' } });
  await leave(rig, 'taken', { since: '2024-06-01T00:00:00Z', nextScheduleTime: null });
  await eventually('the Agent says so', async () => {
    const { conditions = [], schedule: seen } = (await clockOf(rig, 'taken')) ?? {};
    const verdict = conditions.find(({ type }) => type === 'Scheduled');
    if (verdict?.reason !== 'StartRefused') throw new Error(JSON.stringify({ verdict, seen }));
    return verdict.message.includes('does not own it') && seen?.starting === undefined;
  });
  const live = await rig.client.get(RUNS, { ...clocks, name });
  t.is(live?.metadata.uid, theirs.metadata.uid);
  t.is(live?.metadata.labels?.[LABELS.scheduledBy], undefined);
  await rig.client.delete(RUNS, { ...clocks, name });
});

/** A direct read of the operator for a Run, or its pods. */
function isLookup({ user, verb, resource }: AuditEntry): boolean {
  return isOperator(user) && ['get', 'list'].includes(verb) && ['runs', 'pods'].includes(resource);
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
