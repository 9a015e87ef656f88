// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { type Cluster, startCluster } from '#hack/cluster/cluster';
import { installChart } from '#hack/system/chart';
import { eventually } from '#hack/tools/eventually';
import { GrowingFile } from '#hack/tools/growing-file';
import { addBills, type Bill, billsOf, micro } from '../never-over/bill.ts';
import { earlyStarts, levelsOf } from '../never-over/levels.ts';
import { Relay } from '../never-over/relay.ts';
import { doubleStarts, lostRuns, phaseOfRun } from '../never-over/starts.ts';
import {
  type Planned,
  stormLevels,
  stormObjects,
  stormPrice,
  stormRates,
  stormRuns,
  stormTenants,
  tenantOf,
} from '../never-over/storm.ts';
import {
  inOrder,
  lastOf,
  type Moment,
  momentOfObject,
  momentsOf,
  runUidOf,
  type Written,
} from '../never-over/trail.ts';
import { type LedgerUsage, type RecordedUsage, wholeUsage, type WholeUsage } from '../usage.ts';
import { User } from '../user.ts';

/**
 * 500 Runs of 20 tenants, created by 16 clients at once, while the leader is killed with SIGKILL every few seconds. What became of
 * it is read from the audit log of the API server: pods that were made, how they ended, and when; of what NexusOS says only
 * that Runs have ended, and what the ledgers have counted. Of a write whose sender was killed before its answer the log does not say whether it
 * was done: that is seen by what comes after it, in the log and in the end.
 */

const TENANTS = stormTenants(20);
const RUNS_EACH = 25;
const CLIENTS = 16;
const LEAST_KILLS = 5;
const CLASSES = join(import.meta.dirname, '../../crds/samples/gpu-classes.yaml');

let cluster: Cluster;
let relay: Relay;
test.before(async () => {
  cluster = await startCluster({
    audit: true,
    auditBodiesOf: [
      { group: '', resources: ['pods', 'pods/status'] },
      { group: 'nexusos.dev', resources: ['runs', 'runs/status'] },
    ],
  });
  await installChart(cluster);
  relay = new Relay(cluster);
  await relay.start();
});
test.after.always(async () => {
  await relay?.stop();
  await cluster?.stop();
});

test('nothing is exceeded, started twice, lost or billed wrong while leaders are killed', async (t) => {
  t.timeout(15 * 60_000);
  await prepare();
  const trail = new Trail(cluster.auditLog ?? '');
  const planned = TENANTS.flatMap((tenant) => stormRuns(tenant, RUNS_EACH));
  let isCreated = false;
  const created = (async () => {
    await createAll(planned);
    isCreated = true;
  })();
  const ended = async () =>
    (await trail.read()) > planned.length * 0.9 && isCreated && (await openRuns()) === 0;
  await relay.killLeadersUntil(ended);
  await created;
  await eventually('all is given back', async () => (await reservations()) === 0);
  const usage = await ledgers();
  await relay.stop();
  await trail.read();
  const moments = inOrder([...trail.moments, ...(await listed('runs')), ...(await listed('pods'))]);

  t.true(relay.kills >= LEAST_KILLS, `only ${relay.kills} leaders were killed`);
  neverOver(t, moments);
  t.deepEqual(earlyStarts(moments, stormRates(TENANTS), tenantOf), []);
  t.deepEqual(doubleStarts(moments), []);
  t.deepEqual(lostRuns(moments), []);
  endsAsPlanned(t, moments, planned);
  balances(t, moments, usage);
  const [again, pods] = [startedAgain(moments), lastOf(moments, 'pods').size];
  t.true(again > 0, 'Runs made room for others, and started again');
  t.log(`${relay.kills} leaders killed, ${moments.length} writes, ${pods} pods, ${again} Runs preempted`);
});

/** How many Runs had another pod though they are not tried again. */
function startedAgain(moments: readonly Moment[]): number {
  const runs = lastOf(moments, 'runs');
  const pods = Object.groupBy(lastOf(moments, 'pods').values(), (pod) => runUidOf(pod) ?? '');
  return Object.entries(pods).filter(
    ([uid, some = []]) => some.length > 1 && runs.get(uid)?.spec?.['retries'] === undefined,
  ).length;
}

/** What is there of a kind. */
async function listed(resource: 'runs' | 'pods'): Promise<readonly Moment[]> {
  const root = resource === 'runs' ? '/apis/nexusos.dev/v1alpha1' : '/api/v1';
  const list = await cluster.admin.get(`${root}/${resource}`);
  const items = (list?.['items'] ?? []) as readonly Written[];
  return items.map((object) => momentOfObject(resource, object));
}

async function openRuns(): Promise<number> {
  return lostRuns(await listed('runs')).length;
}

/** The audit log, read as it grows. */
class Trail {
  readonly moments: Moment[] = [];
  readonly #file: GrowingFile;
  readonly #final = new Set<string>();

  constructor(path: string) {
    this.#file = new GrowingFile(path);
  }

  /** Reads on. Returns how many Runs are known to have come to an end. */
  async read(): Promise<number> {
    const more = momentsOf(await this.#file.readLines());
    this.moments.push(...more);
    for (const { resource, object } of more) {
      const isFinal =
        resource === 'runs' && ['Succeeded', 'Failed', 'Cancelled'].includes(phaseOfRun(object));
      if (isFinal) this.#final.add(object.metadata.uid);
    }
    return this.#final.size;
  }
}

async function prepare(): Promise<void> {
  const user = new User(cluster);
  await user.does(['apply', '--server-side', '-f', CLASSES]);
  const objects = TENANTS.map(stormObjects);
  await Promise.all(objects.map(({ tenant }) => user.applies(tenant)));
  await Promise.all(TENANTS.map((tenant) => user.awaitsReady(`tenant/${tenant}`)));
  const agents = objects.flatMap((one) => one.agents) as {
    readonly metadata: { readonly namespace: string };
  }[];
  await Promise.all(agents.map((agent) => user.applies(agent)));
  await Promise.all(agents.map(({ metadata }) => user.awaitsReady('-n', metadata.namespace, 'agent/worker')));
}

/** Who is urgent comes when others of its tenant run, whom it then ends. */
async function createAll(planned: readonly Planned[]): Promise<void> {
  const urgent = planned.filter(({ isUrgent }) => isUrgent);
  await create(planned.filter((one) => !urgent.includes(one)));
  await eventually('those run that are to be ended', async () => {
    const first = (await listed('runs')).filter(
      ({ object }) => tenantOf(object).startsWith('urgent') && object.metadata.name === 'run-0',
    );
    return first.some(({ object }) => phaseOfRun(object) === 'Running');
  });
  await create(urgent);
}

/** Each client takes the next Run of any tenant; who created one that is taken back does that with a later one. */
async function create(planned: readonly Planned[]): Promise<void> {
  const inTurn = planned.toSorted((a, b) => numberOf(a) - numberOf(b));
  const queue = [...inTurn, ...inTurn.filter(({ isCancelled }) => isCancelled).map((one) => cancelOf(one))];
  const client = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await send(next);
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}

function numberOf({ object }: Planned): number {
  return Number(object.metadata.name.replace(/\D/g, ''));
}

interface Cancel {
  readonly cancels: Planned['object'];
}

function cancelOf({ object }: Planned): Cancel {
  return { cancels: object };
}

function pathOf({ metadata }: Planned['object']): string {
  return `/apis/nexusos.dev/v1alpha1/namespaces/${metadata.namespace}/runs`;
}

async function send(next: Planned | Cancel): Promise<void> {
  if ('object' in next) {
    await cluster.admin.create(pathOf(next.object), next.object);
    return;
  }
  const { cancels } = next;
  const { apiVersion, kind, metadata } = cancels;
  const patch = { apiVersion, kind, metadata: { name: metadata.name }, spec: { cancel: true } };
  const path = `${pathOf(cancels)}/${metadata.name}?fieldManager=client&force=true`;
  const { status, text } = await cluster.admin.send('PATCH', path, patch);
  if (status >= 300) throw new Error(`${metadata.name} is not cancelled: ${status} ${text}`);
}

/** Every limit holds at every moment, and of each kind some were reached: otherwise none would have been tried. */
function neverOver(t: ExecutionContext, moments: readonly Moment[]): void {
  const { limits, holdsOf } = stormLevels(TENANTS);
  const { peaks, overshoots } = levelsOf(moments, { limits, holdsOf });
  t.deepEqual(overshoots, []);
  const counting = [
    ['millicores', 'compute'],
    ['Runs of worker', 'sessions'],
    ['Runs of session 0', 'sessions'],
    ['devices of a100-3g', 'gpus'],
    ['Runs', 'urgent'],
  ] as const;
  const notTried = counting.filter(([what, flavour]) => {
    const keys = TENANTS.filter((tenant) => tenant.startsWith(flavour)).map((one) => `${what} in ${one}`);
    return !keys.some((key) => peaks.get(key) === limits.get(key));
  });
  t.deepEqual(notTried, [], 'limits that nobody reached');
}

function endsAsPlanned(t: ExecutionContext, moments: readonly Moment[], planned: readonly Planned[]): void {
  const runs = new Map(
    [...lastOf(moments, 'runs').values()].map((run) => [
      `${run.metadata.namespace}/${run.metadata.name}`,
      phaseOfRun(run),
    ]),
  );
  const other = planned.flatMap(({ object: { metadata }, want }) => {
    const name = `${metadata.namespace}/${metadata.name}`;
    return runs.get(name) === want ? [] : [`${name} is ${runs.get(name)}, not ${want}`];
  });
  t.is(runs.size, planned.length);
  t.deepEqual(other, []);
}

interface Amounts {
  readonly cpuSeconds: string;
  readonly memoryByteSeconds: string;
  readonly gpuSeconds?: string | undefined;
  readonly runUnits: string;
  readonly cost?: string | undefined;
}

/** What pods have used by their nodes is what Runs say, and what ledgers have counted in every window and tier. */
function balances(
  t: ExecutionContext,
  moments: readonly Moment[],
  usage: ReadonlyMap<string, WholeUsage>,
): void {
  const byRun = billsOf(moments, stormPrice, (pod) => runUidOf(pod) ?? '');
  const unequal = [...lastOf(moments, 'runs').values()].filter(({ metadata, status }) => {
    const { total } = (status?.['usage'] ?? {}) as { readonly total?: Amounts };
    const said = total === undefined ? NOTHING : read(total);
    return !isDeepStrictEqual(said, byRun.get(metadata.uid) ?? NOTHING);
  });
  t.deepEqual(
    unequal.map(({ metadata, status }) => [metadata.name, status?.['usage'], byRun.get(metadata.uid)]),
    [],
    'Runs whose usage is not that of their pods',
  );
  const byTenant = billsOf(moments, stormPrice, tenantOf);
  for (const tenant of TENANTS) {
    const { windows = [], tiers = [] } = usage.get(tenant) ?? {};
    const want = byTenant.get(tenant);
    for (const window of ['hour', 'day', 'month']) {
      const found = windows.filter((one) => one.window === window).map(({ amounts }) => read(amounts));
      t.deepEqual(found.reduce(addBills, NOTHING), want, `${tenant}, ${window}`);
    }
    const units = tiers.reduce((sum, { runUnits }) => sum + micro(runUnits), 0n);
    t.true(units === want?.runUnits, `${tenant}: ${units} by tier, not ${want?.runUnits}`);
    isPaid(t, tenant, { tiers, want: want ?? NOTHING });
  }
}

/** All have used something; those who have a price, and nobody else, have paid what their pods cost. */
function isPaid(
  t: ExecutionContext,
  tenant: string,
  { tiers, want }: Pick<WholeUsage, 'tiers'> & { readonly want: Bill },
): void {
  const cost = tiers.reduce((sum, one) => sum + micro(one.cost ?? '0'), 0n);
  t.true(want.runUnits > 0n, `${tenant} has used something`);
  t.true(cost === want.cost, `${tenant}: a cost of ${cost} by tier, not ${want.cost}`);
  t.is(cost > 0n, /^(gpus|sessions)-/.test(tenant), `${tenant} has paid ${cost}`);
}

const NOTHING: Bill = { cpuSeconds: 0n, memoryByteSeconds: 0n, gpuSeconds: 0n, runUnits: 0n, cost: 0n };

function read({ cpuSeconds, memoryByteSeconds, gpuSeconds, runUnits, cost }: Amounts): Bill {
  return {
    cpuSeconds: micro(cpuSeconds),
    memoryByteSeconds: micro(memoryByteSeconds),
    gpuSeconds: micro(gpuSeconds ?? '0'),
    runUnits: micro(runUnits),
    cost: micro(cost ?? '0'),
  };
}

async function allOf<Kind>(plural: string): Promise<readonly Kind[]> {
  const list = await cluster.admin.get(`/apis/nexusos.dev/v1alpha1/${plural}`);
  return (list?.['items'] ?? []) as readonly Kind[];
}

const allLedgers = () => allOf<LedgerUsage>('quotaledgers');

async function reservations(): Promise<number> {
  const all = await allLedgers();
  return all.reduce((sum, { status }) => sum + (status?.reservations?.length ?? 0), 0);
}

async function ledgers(): Promise<ReadonlyMap<string, WholeUsage>> {
  const all = await allLedgers();
  const records = new Map(
    (await allOf<RecordedUsage>('usagerecords')).map((one) => [one.metadata.name, one]),
  );
  const used = all.filter(({ status }) => status?.usage !== undefined);
  return new Map(used.map((one) => [one.metadata.name, wholeUsage(one, records.get(one.metadata.name))]));
}
