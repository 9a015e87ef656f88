// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import test, { type ExecutionContext } from 'ava';
import { type Cluster, startCluster } from '#hack/cluster/cluster';
import { installChart } from '#hack/system/chart';
import { type OperatorProcess, startOperator } from '#hack/system/operator-process';
import { eventually } from '#hack/tools/eventually';
import { type CrashProxy, type SeenWrite, startCrashProxy } from '../crash-proxy.ts';
import { agent, FOREVER, run } from '../run-world.ts';
import { tenantManifest, User } from '../user.ts';

/**
 * A Run calls three others, of which one succeeds, one fails and is tried again, and one ends with it, while the operator is ended with SIGKILL at
 * each of its writes, when the API server has done it and before the operator hears of that.
 */

const NAMESPACE = 'orchard-main';
const SHORT = { 'kwok.nexusos.dev/duration': '10ms' };
const CHILDREN = {
  quick: { annotations: SHORT },
  failing: {
    annotations: { ...SHORT, 'kwok.nexusos.dev/outcome': 'failure' },
    spec: { retries: { limit: 1, backoffSeconds: 1, reasons: ['ContainerFailed'] } },
  },
  endless: FOREVER,
};
const WANT = {
  above: { phase: 'Cancelled', attempt: 1 },
  quick: { phase: 'Succeeded', attempt: 1 },
  failing: { phase: 'Failed', attempt: 2 },
  endless: { phase: 'Cancelled', attempt: 1 },
};
/** Five attempts take some thirty writes; a story that would not end is a fault. */
const MOST_ENDS = 90;

interface Found {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly spec: { readonly cancel?: boolean };
  readonly status?: {
    readonly phase?: string;
    readonly attempt?: number;
    readonly usage?: {
      readonly total?: { readonly runUnits: string };
      readonly attempts?: readonly { readonly reservation?: number }[];
    };
    readonly tree?: {
      readonly calls: number;
      readonly active: number;
      readonly succeeded: number;
      readonly failed: number;
      readonly cancelled: number;
      readonly runUnits: { readonly used: string; readonly reserved: string };
    };
  };
}

let cluster: Cluster;
let proxy: CrashProxy;
let user: User;
test.before(async () => {
  cluster = await startCluster({ audit: true });
  await installChart(cluster);
  proxy = await startCrashProxy(cluster.url, Buffer.from(cluster.caData, 'base64').toString());
  user = new User(cluster);
  const operator = await start();
  await user.applies(tenantManifest('orchard', { quotas: { runs: { maxConcurrent: 4 } } }));
  await user.awaitsReady('tenant/orchard');
  const { metadata, ...lead } = agent(NAMESPACE, { calls: { agents: ['worker'], maxChildren: 2 } });
  await user.applies(agent(NAMESPACE), { ...lead, metadata: { ...metadata, name: 'lead' } });
  await user.awaitsReady('-n', NAMESPACE, 'agent/worker');
  await user.awaitsReady('-n', NAMESPACE, 'agent/lead');
  await operator.stop();
});
test.after.always(async () => {
  await proxy?.close();
  await cluster?.stop();
});

/** Always as the same replica, so that it takes its own lease up again at once. */
function start(): Promise<OperatorProcess> {
  return startOperator(cluster, { apiServer: proxy.url, env: { NEXUSOS_IDENTITY: 'orchard' } });
}

async function runs(): Promise<ReadonlyMap<string, Found>> {
  const list = await user.sees<{ readonly items: readonly Found[] }>('runs', '-n', NAMESPACE);
  return new Map((list?.items ?? []).map((one) => [one.metadata.name, one]));
}

/** Does what the container of the Run above, and who started it, would do by now. */
async function play(seen: ReadonlyMap<string, Found>): Promise<void> {
  const above = seen.get('above');
  if (above?.status?.phase !== 'Running') return;
  if (seen.size === 1) return call(above.metadata.uid);
  const isDone = ['quick', 'failing'].every((name) => isFinished(seen.get(name)));
  if (!isDone || seen.get('endless')?.status?.phase !== 'Running' || above.spec.cancel) return;
  const cancel = JSON.stringify({ spec: { cancel: true } });
  await user.does(['patch', 'run/above', '-n', NAMESPACE, '--type=merge', '-p', cancel]);
}

async function call(uid: string): Promise<void> {
  const parentRef = { name: 'above', uid };
  const ownerReferences = [{ apiVersion: 'nexusos.dev/v1alpha1', kind: 'Run', ...parentRef }];
  const called = Object.entries(CHILDREN).map(([name, choice]) => {
    const spec = 'spec' in choice ? choice.spec : {};
    const one = run(NAMESPACE, name, { ...choice, spec: { ...spec, parentRef } });
    return { ...one, metadata: { ...one.metadata, ownerReferences } };
  });
  await user.applies(...called);
}

function isFinished(one: Found | undefined): boolean {
  return ['Succeeded', 'Failed', 'Cancelled'].includes(one?.status?.phase ?? '');
}

interface LedgerStatus {
  readonly reservations?: readonly { readonly name: string }[];
  readonly trees?: readonly object[];
}

async function ledger(): Promise<LedgerStatus> {
  return (await user.sees<{ readonly status?: LedgerStatus }>('quotaledger/orchard'))?.status ?? {};
}

/** Whether all have ended, nothing is held, and what those below have used is told, so that the ledger has forgotten it. */
async function isOver(): Promise<boolean> {
  const seen = await runs();
  await play(seen);
  const { reservations = [], trees = [] } = await ledger();
  const isEnded = Object.keys(WANT).every((name) => isFinished(seen.get(name)));
  return isEnded && reservations.length === 0 && trees.length === 0;
}

/** Starts an operator and ends it with SIGKILL at its first write; false when all is over before it has written anything. */
async function isEndedAtNextWrite(ends: SeenWrite[]): Promise<boolean> {
  proxy.arm(async (write) => {
    ends.push(write);
    await (await starting).kill();
  });
  const starting = start();
  const operator = await starting;
  await eventually('it is ended, or all is over', async () => operator.hasEnded || (await isOver()));
  if (operator.hasEnded) return true;
  await operator.stop();
  return false;
}

/** Names of the pods that the API server has created, one for each time. */
async function createdPods(): Promise<readonly string[]> {
  const lines = (await readFile(cluster.auditLog ?? '', 'utf8')).split('\n').filter((line) => line !== '');
  return lines
    .map((line) => JSON.parse(line))
    .filter(({ verb, stage, objectRef: of, responseStatus }) => {
      const isPod = of?.resource === 'pods' && of.subresource === undefined && of.namespace === NAMESPACE;
      return isPod && verb === 'create' && stage === 'ResponseComplete' && responseStatus?.code === 201;
    })
    .map(({ objectRef }) => String(objectRef.name));
}

/** Micro run units. `1.5` -> 1500000n */
function micro(runUnits = '0'): bigint {
  const [whole = '0', part = ''] = runUnits.split('.');
  return BigInt(whole) * 1_000_000n + BigInt(part.padEnd(6, '0'));
}

test('Runs that call each other survive SIGKILL of the operator at every write: none is started twice, and what all have used adds up', async (t) => {
  t.timeout(9 * 60_000);
  await user.applies(run(NAMESPACE, 'above', { ...FOREVER, spec: { agentRef: { name: 'lead' } } }));
  const ends: SeenWrite[] = [];
  while (await isEndedAtNextWrite(ends)) {
    if (ends.length > MOST_ENDS) throw new Error(`still writing: ${JSON.stringify(ends.at(-1))}`);
  }
  t.log(`ended ${ends.length} times`);
  const pods = await createdPods();
  t.is(ends.filter(makesPod).length, 5);
  t.is(new Set(pods).size, pods.length, 'no pod is made twice');
  const seen = await runs();
  const attempts = Object.entries(WANT).flatMap(([name, want]) => {
    const { status } = seen.get(name)!;
    t.like(status, want, name);
    t.is(pods.filter((pod) => pod.startsWith(`${name}-`)).length, want.attempt, `pods of ${name}`);
    t.is(status?.usage?.attempts?.length, want.attempt, 'each attempt is settled, once');
    return status?.usage?.attempts ?? [];
  });
  const reservations = attempts.map(({ reservation }) => reservation);
  t.is(new Set(reservations).size, 5, 'each attempt by a reservation of its own');
  judgeTree(t, seen);
});

function makesPod({ verb, path, status }: SeenWrite): boolean {
  return verb === 'POST' && path.endsWith('/pods') && status === 201;
}

/** What the Run above tells of those below is what they tell of themselves. */
function judgeTree(t: ExecutionContext, seen: ReadonlyMap<string, Found>): void {
  const tree = seen.get('above')?.status?.tree;
  t.like(tree, { calls: 3, active: 0, succeeded: 1, failed: 1, cancelled: 1 });
  const used = Object.keys(CHILDREN).map((name) => micro(seen.get(name)?.status?.usage?.total?.runUnits));
  const sum = used.reduce((total, one) => total + one, 0n);
  t.true(sum > 0n);
  t.deepEqual([micro(tree?.runUnits.used), micro(tree?.runUnits.reserved)], [sum, 0n]);
}
