// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import test from 'ava';
import { type Cluster, startCluster } from '#hack/cluster/cluster';
import { installChart } from '#hack/system/chart';
import { type OperatorProcess, startOperator } from '#hack/system/operator-process';
import { eventually } from '#hack/tools/eventually';
import { type CrashProxy, type SeenWrite, startCrashProxy } from '../crash-proxy.ts';
import { agent, phase, type Run, run, type World } from '../run-world.ts';
import { tenantManifest, User } from '../user.ts';

const NAMESPACE = 'phoenix-main';
const PODS = 4;
/** A Run of four pods takes some ten writes; one that would not end is a fault. */
const MOST_ENDS = 40;

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

/** Always as the same replica, so that it takes its own lease up again at once. */
function start(): Promise<OperatorProcess> {
  return startOperator(cluster, { apiServer: proxy.url, env: { NEXUSOS_IDENTITY: 'phoenix' } });
}

interface AuditedPod {
  readonly verb: string;
  readonly stage: string;
  readonly objectRef?: {
    readonly resource: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code: number };
}

/** Names of the pods that the API server has created, one for each time. */
async function createdPods(): Promise<readonly string[]> {
  const lines = (await readFile(cluster.auditLog ?? '', 'utf8')).split('\n').filter((line) => line !== '');
  const entries = lines.map((line) => JSON.parse(line) as AuditedPod);
  return entries
    .filter(({ verb, stage, objectRef: of, responseStatus }) => {
      const isPod = of?.resource === 'pods' && of.subresource === undefined && of.namespace === NAMESPACE;
      return isPod && verb === 'create' && stage === 'ResponseComplete' && responseStatus?.code === 201;
    })
    .map(({ objectRef }) => objectRef?.name ?? '');
}

/** Starts an operator and ends it with SIGKILL at its first write; false when `isOver` before it has written anything. */
async function isEndedAtNextWrite(ends: SeenWrite[], isOver: () => Promise<boolean>): Promise<boolean> {
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

test('a gang survives SIGKILL of the operator at every write: it is carried on, and no pod is made twice', async (t) => {
  t.timeout(8 * 60_000);
  const user = new User(cluster);
  const place: World = { user, namespace: NAMESPACE };
  const prepared = await start();
  await user.applies(tenantManifest('phoenix', { quotas: { runs: { maxConcurrent: 2 } } }));
  await user.awaitsReady('tenant/phoenix');
  await user.applies(agent(NAMESPACE, { gang: { pods: PODS, startTimeoutSeconds: 900 } }));
  await user.awaitsReady('-n', NAMESPACE, 'agent/worker');
  await prepared.stop();
  await user.applies(run(NAMESPACE, 'reborn', { annotations: { 'kwok.nexusos.dev/duration': '1s' } }));

  const ends: SeenWrite[] = [];
  const isOver = async () => {
    const ledger = await user.sees<{ readonly status?: { readonly reservations?: readonly object[] } }>(
      'quotaledger/phoenix',
    );
    return (
      (await phase(place, 'reborn')) === 'Succeeded' && (ledger?.status?.reservations ?? []).length === 0
    );
  };
  while (await isEndedAtNextWrite(ends, isOver)) {
    if (ends.length > MOST_ENDS) throw new Error(`still writing: ${JSON.stringify(ends.at(-1))}`);
  }
  const atPods = ends.filter(
    ({ verb, path, status }) => verb === 'POST' && path.endsWith('/pods') && status === 201,
  );
  t.is(atPods.length, PODS, 'it was ended between all of them');
  const { status } = (await user.sees<Run>('-n', NAMESPACE, 'run/reborn'))!;
  const names = Array.from({ length: PODS }, (_, index) => `${status?.child?.name}-${index}`);
  t.deepEqual((await createdPods()).toSorted(), names);
  t.like(status, { attempt: 1, phase: 'Succeeded', gang: { pods: PODS, succeeded: PODS } });
});
