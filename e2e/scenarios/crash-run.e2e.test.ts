// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import test, { type ExecutionContext } from 'ava';
import { type Cluster, startCluster } from '#hack/cluster/cluster';
import { installChart } from '#hack/system/chart';
import { type OperatorProcess, startOperator } from '#hack/system/operator-process';
import { SHARED_SETTINGS } from '#hack/system/shared-settings';
import { eventually } from '#hack/tools/eventually';
import { type CrashProxy, startCrashProxy } from '../crash-proxy.ts';
import { micro } from '../never-over/bill.ts';
import { agent, run } from '../run-world.ts';
import { type LedgerUsage, type RecordedUsage, wholeUsage } from '../usage.ts';

/**
 * A Run goes from its creation to its end while the operator is ended with SIGKILL at each of its writes, as the API server has done it
 * and before the operator hears of that: that of the pod as well, which is made before the Run says that it is admitted. Meanwhile a window of
 * usage that is over goes from the ledger of its tenant to the record.
 */

const API = '/apis/nexusos.dev/v1alpha1';
const TENANT = 'crash-runs';
const NAMESPACE = `${TENANT}-main`;
/** Between two writes of an operator that leads, on a machine that others keep busy. */
const SILENCE_MS = 6000;
const MOST_ENDS = 80;

interface Ended {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly status?: {
    readonly phase?: string;
    readonly attempt?: number;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly usage?: {
      readonly attempts?: readonly { readonly reservation?: number }[];
      readonly total?: { readonly cost?: string };
    };
  };
}

/** Runs by name, with what a simulated node is told of each: one is over at once, one tells that it runs, one fails and is tried again. */
const RUNS = {
  short: { annotations: { 'kwok.nexusos.dev/duration': '10ms' } },
  long: { annotations: { 'kwok.nexusos.dev/duration': '3s' } },
  failing: {
    annotations: { 'kwok.nexusos.dev/duration': '10ms', 'kwok.nexusos.dev/outcome': 'failure' },
    spec: { retries: { limit: 1, backoffSeconds: 1, reasons: ['ContainerFailed'] } },
  },
} as const;
const WANT = {
  short: { phase: 'Succeeded', attempts: 1 },
  long: { phase: 'Succeeded', attempts: 1 },
  failing: { phase: 'Failed', attempts: 2 },
} as const;

/** What was used in a month that is over. */
const PAST = {
  window: 'month',
  start: '2026-01-01T00:00:00Z',
  attempts: 11,
  amounts: { cpuSeconds: '22', memoryByteSeconds: '33', gpuSeconds: '44', runUnits: '55.000001' },
} as const;

let cluster: Cluster;
let proxy: CrashProxy;
test.before(async () => {
  cluster = await startCluster({ audit: true });
  await installChart(cluster);
  proxy = await startCrashProxy(cluster.url, Buffer.from(cluster.caData, 'base64').toString());
});
test.after.always(async () => {
  await proxy?.close();
  await cluster?.stop();
});

test('a Run survives SIGKILL of the operator at every write: nothing is started twice, and nothing is lost', async (t) => {
  t.timeout(9 * 60_000);
  await inPeace();
  for (const [name, choice] of Object.entries(RUNS)) {
    await cluster.admin.create(`${API}/namespaces/${NAMESPACE}/runs`, run(NAMESPACE, name, choice));
  }
  const ends: string[] = [];
  while (await isEndedAtNextWrite(ends)) {
    if (ends.length > MOST_ENDS) throw new Error(`still writing: ${ends.at(-1)}`);
  }
  t.log(`ended ${ends.length} times: ${[...new Set(ends)].join(', ')}`);
  for (const what of ['POST pods', 'PUT runs/status', 'PUT quotaledgers/status', 'POST usagerecords'])
    t.true(ends.includes(what), what);
  const created = await podsCreated();
  const numbers: unknown[] = [];
  for (const [name, want] of Object.entries(WANT)) {
    const found = await runOf(name);
    judge(t, found, { want, created });
    numbers.push(...attemptsIn(found).map(({ reservation }) => reservation));
  }
  t.is(new Set(numbers).size, 4, 'each attempt by a reservation of its own');
  const ledger = await cluster.admin.get(`${API}/quotaledgers/${TENANT}`);
  const { reservations } = (ledger?.['status'] ?? {}) as { readonly reservations?: readonly unknown[] };
  t.deepEqual(reservations, [], 'all of it is given back');
  await isCountedOnce(t);
  await isPaidOnce(t);
});

/** What the Runs have cost is what the ledger has counted, to the last millionth. */
async function isPaidOnce(t: ExecutionContext): Promise<void> {
  const runs = await Promise.all(Object.keys(WANT).map(runOf));
  const paid = runs.map(({ status }) => micro(status?.usage?.total?.cost ?? '0'));
  t.true(
    paid.every((one) => one > 0n),
    String(paid),
  );
  const sum = paid.reduce((so, one) => so + one, 0n);
  const { windows, tiers } = wholeUsage(await ofTenant('quotaledgers'), await ofTenant('usagerecords'));
  const months = windows.filter(({ window }) => window === 'month');
  t.is(
    months.reduce((so, { amounts }) => so + micro(amounts.cost ?? '0'), 0n),
    sum,
  );
  t.is(
    tiers.reduce((so, { cost }) => so + micro(cost ?? '0'), 0n),
    sum,
  );
}

/** Nothing is lost or doubled between the ledger and the record, whichever of both was written last. */
async function isCountedOnce(t: ExecutionContext): Promise<void> {
  const ledger = await ofTenant<LedgerUsage>('quotaledgers');
  const record = await ofTenant<RecordedUsage>('usagerecords');
  t.deepEqual(record.spec.windows, [PAST]);
  t.false(ledger.status?.usage?.windows.some(({ sealed }) => sealed !== undefined));
  const months = wholeUsage(ledger, record).windows.filter(({ window }) => window === 'month');
  const attempts = months.reduce((sum, one) => sum + one.attempts, 0);
  t.is(attempts, PAST.attempts + 4, JSON.stringify(months));
}

async function ofTenant<Kind>(plural: string): Promise<Kind> {
  return (await cluster.admin.get(`${API}/${plural}/${TENANT}`)) as Kind;
}

interface Judged {
  readonly want: (typeof WANT)[keyof typeof WANT];
  readonly created: readonly string[];
}

function judge(t: ExecutionContext, found: Ended, { want, created }: Judged): void {
  const { metadata, status } = found;
  t.like(status, { phase: want.phase, attempt: want.attempts }, metadata.name);
  t.is(attemptsIn(found).length, want.attempts, 'each attempt is settled, once');
  t.is(status?.conditions?.find(({ type }) => type === 'Admitted')?.status, 'True');
  const pods = created.filter((pod) => pod.startsWith(`${metadata.name}-`));
  t.is(pods.length, want.attempts, `pods made for ${metadata.name}: ${pods.join(', ')}`);
  t.is(new Set(pods).size, pods.length);
}

function attemptsIn({ status }: Ended): readonly { readonly reservation?: number }[] {
  return status?.usage?.attempts ?? [];
}

/** A tenant with its Agent, made by an operator that nobody disturbs. */
async function inPeace(): Promise<void> {
  proxy.arm();
  const operator = await start();
  await cluster.admin.create(`${API}/tenants`, {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'Tenant',
    metadata: { name: TENANT },
    spec: {
      plan: 'priced',
      namespaces: [{ suffix: 'main' }],
      quotas: { runs: { maxConcurrent: 2 }, cost: [{ window: 'month', limit: '1M' }] },
    },
  });
  await eventually('the namespace is there', () => cluster.admin.get(`/api/v1/namespaces/${NAMESPACE}`));
  await cluster.admin.create(`${API}/namespaces/${NAMESPACE}/agents`, agent(NAMESPACE));
  await cluster.kubectl(['wait', '--for=condition=Ready', 'agent/worker', '-n', NAMESPACE, '--timeout=60s']);
  await silence(operator);
  await operator.stop();
  const patch = JSON.stringify({ status: { usage: { windows: [PAST], tiers: [] } } });
  const how = ['--subresource=status', '--type=merge', '-p', patch];
  const { code, stderr } = await cluster.kubectl(['patch', 'quotaledger', TENANT, ...how]);
  if (code !== 0) throw new Error(stderr);
}

/** Starts an operator and ends it at its first write; false when it is silent and all Runs have ended. */
async function isEndedAtNextWrite(ends: string[]): Promise<boolean> {
  proxy.arm(async ({ verb, path }) => {
    ends.push(`${verb} ${whatOf(path)}`);
    await (await starting).kill();
  });
  const starting = start();
  const operator = await starting;
  await silence(operator, isOver);
  if (operator.hasEnded) return true;
  await operator.stop();
  return proxy.writes().length > 0;
}

/** Resolves when it has ended, or leads, has written nothing for a while, and `isOver`. */
async function silence(
  operator: OperatorProcess,
  over: () => Promise<boolean> = async () => true,
): Promise<void> {
  let seen = -1;
  let since = performance.now();
  await eventually('it is silent', async () => {
    if (operator.hasEnded) return true;
    const leads = /^nexusos_leader 1$/m.test(await operator.metrics());
    const writes = proxy.writes().length;
    if (writes !== seen || !leads) since = performance.now();
    seen = writes;
    return performance.now() - since > SILENCE_MS && (await over());
  });
}

/** Always as the same replica, so that it takes its own lease up again at once. */
function start(): Promise<OperatorProcess> {
  return startOperator(cluster, {
    apiServer: proxy.url,
    env: { NEXUSOS_IDENTITY: 'crash-runs', ...SHARED_SETTINGS },
  });
}

async function isOver(): Promise<boolean> {
  const runs = await Promise.all(Object.keys(RUNS).map(runOf));
  return runs.every(({ status }) => status?.phase === 'Succeeded' || status?.phase === 'Failed');
}

async function runOf(name: string): Promise<Ended> {
  return (await cluster.admin.get(`${API}/namespaces/${NAMESPACE}/runs/${name}`)) as unknown as Ended;
}

/** `/apis/x/v1/namespaces/y/runs/z/status` -> `runs/status` */
function whatOf(path: string): string {
  const [resource = '', , subresource] = path
    .replace(/^\/(api|apis\/[^/]+)\/[^/]+\//, '')
    .replace(/^namespaces\/[^/]+\/(?=.)/, '')
    .split('/');
  return subresource === undefined ? resource : `${resource}/${subresource}`;
}

/** Names of pods that the API server has made, as its audit log tells. */
async function podsCreated(): Promise<readonly string[]> {
  const lines = (await readFile(cluster.auditLog ?? '', 'utf8')).trimEnd().split('\n');
  return lines
    .map((line) => JSON.parse(line))
    .filter(({ verb, objectRef, responseStatus, stage }) => {
      const isPod = objectRef?.resource === 'pods' && objectRef.subresource === undefined;
      return stage === 'ResponseComplete' && verb === 'create' && isPod && responseStatus?.code === 201;
    })
    .filter(({ objectRef }) => objectRef.namespace === NAMESPACE)
    .map(({ objectRef }) => String(objectRef.name));
}
