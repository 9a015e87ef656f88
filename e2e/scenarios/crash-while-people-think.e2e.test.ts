// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type Cluster, startCluster } from '#hack/cluster/cluster';
import { installChart } from '#hack/system/chart';
import { type OperatorProcess, startOperator } from '#hack/system/operator-process';
import { eventually } from '#hack/tools/eventually';
import { type CrashProxy, startCrashProxy } from '../crash-proxy.ts';
import { agent, run } from '../run-world.ts';
import { tenantManifest, User } from '../user.ts';

/**
 * A Run that is approved, asks, is answered and ends, with an operator that is ended with SIGKILL at every one of its writes, when the
 * API server has done it and before it hears of that. People decide and answer whenever they are asked, also while no operator is there.
 */

interface Found {
  readonly metadata: { readonly uid: string };
  readonly spec: { readonly approval?: object; readonly answers?: Readonly<Record<string, object>> };
  readonly status?: {
    readonly phase?: string;
    readonly attempt?: number;
    readonly approval?: { readonly outcome?: string };
    readonly question?: { readonly number: number; readonly answeredAt?: string };
    readonly usage?: { readonly attempts?: readonly { readonly attempt: number }[] };
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
    }[];
  };
}

const NAMESPACE = 'thinkers-main';
const SAYS = 'kwok.nexusos.dev/termination-message';
const QUESTION = JSON.stringify({ inputRequired: { prompt: 'Which?', state: 's' } });
/** The story needs some ten writes. */
const MOST_ENDS = 40;

let cluster: Cluster;
let proxy: CrashProxy;
let user: User;
test.before(async () => {
  cluster = await startCluster();
  await installChart(cluster);
  proxy = await startCrashProxy(cluster.url, Buffer.from(cluster.caData, 'base64').toString());
  user = new User(cluster);
  const operator = await start();
  await user.applies(tenantManifest('thinkers', { quotas: { runs: { maxConcurrent: 2 } } }));
  await user.awaitsReady('tenant/thinkers');
  await user.applies(agent(NAMESPACE, { approval: { approvers: 'Anyone' } }));
  await user.awaitsReady('-n', NAMESPACE, 'agent/worker');
  await operator.stop();
});
test.after.always(async () => {
  await proxy?.close();
  await cluster?.stop();
});

/** Always as the same replica, so that it takes its own lease up again at once. */
function start(): Promise<OperatorProcess> {
  return startOperator(cluster, { apiServer: proxy.url, env: { NEXUSOS_IDENTITY: 'crash-test' } });
}

function patch(change: object): Promise<string> {
  const words = JSON.stringify(change);
  return user.does(['patch', 'run/asks', '-n', NAMESPACE, '--type=merge', '-p', words]);
}

async function found(): Promise<Found> {
  const one = await user.sees<Found>('-n', NAMESPACE, 'run/asks');
  if (one === undefined) throw new Error('the Run is gone');
  return one;
}

/** People do what they are asked for. Returns whether the Run has come to its end. */
async function people(): Promise<boolean> {
  const one = await found();
  await approve(one);
  await answer(one);
  return ['Succeeded', 'Failed', 'Cancelled'].includes(one.status?.phase ?? '');
}

async function approve({ spec, status }: Found): Promise<void> {
  if (status?.approval === undefined || spec.approval !== undefined) return;
  await patch({ spec: { approval: { decision: 'Approved' } } });
}

async function answer({ spec, status }: Found): Promise<void> {
  const { number, answeredAt } = status?.question ?? {};
  if (number === undefined || answeredAt !== undefined || spec.answers?.[number] !== undefined) return;
  const annotations = { [SAYS]: 'done' };
  await patch({ metadata: { annotations }, spec: { answers: { [number]: { text: 'this' } } } });
}

/** Starts an operator and ends it at its first write; undefined when the Run has ended and nothing is left to write. */
async function endAtNextWrite(): Promise<string | undefined> {
  const ends: string[] = [];
  proxy.arm(async ({ verb, path }) => {
    ends.push(`${verb} ${path}`);
    await (await starting).kill();
  });
  const starting = start();
  const operator = await starting;
  let silentSince = performance.now();
  await eventually('the operator has ended, or nothing is left to do', async () => {
    const isOver = await people();
    if (operator.hasEnded) return true;
    if (!isOver) silentSince = performance.now();
    return performance.now() - silentSince > 5000;
  });
  if (!operator.hasEnded) await operator.stop();
  return ends[0];
}

/** Writes that the operator was ended at, one after the other, until nothing is left to write. */
async function withEnds(): Promise<readonly string[]> {
  const ends: string[] = [];
  for (;;) {
    const end = await endAtNextWrite();
    if (end === undefined) return ends;
    ends.push(end);
    if (ends.length > MOST_ENDS) throw new Error(`still writing: ${ends.slice(-5).join(', ')}`);
  }
}

test('a Run that people approve and answer runs each attempt once, whenever the operator is killed', async (t) => {
  t.timeout(10 * 60_000);
  await user.applies(run(NAMESPACE, 'asks', { annotations: { [SAYS]: QUESTION } }));
  const ends = await withEnds();
  t.log(`ended ${ends.length} times: ${ends.join(', ')}`);
  const ofRun = ends.filter((one) => one.endsWith('/runs/asks/status'));
  // Asks for approval, is approved, asks, is answered, has ended. That it is admitted may be written with what comes next.
  t.true(ofRun.length >= 5, ofRun.join(', '));
  t.is(ends.filter((one) => /^POST .+\/pods$/.test(one)).length, 2);
  const { status } = await found();
  t.like(status, {
    phase: 'Succeeded',
    attempt: 2,
    approval: { outcome: 'Approved' },
    question: { number: 1 },
    usage: { attempts: [{ attempt: 1 }, { attempt: 2 }] },
  });
  const pods = await user.does(['get', 'pods', '-n', NAMESPACE, '-l', 'nexusos.dev/run=asks', '-o', 'name']);
  t.is(pods.trim().split('\n').length, 2);
  const ledger = await user.sees<{ readonly status?: { readonly reservations?: readonly object[] } }>(
    'quotaledger/thinkers',
  );
  t.deepEqual(ledger?.status?.reservations, []);
});
