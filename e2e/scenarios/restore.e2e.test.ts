// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import test from 'ava';
import { type Cluster, startCluster } from '#hack/cluster/cluster';
import { installChart } from '#hack/system/chart';
import { startOperator } from '#hack/system/operator-process';
import { eventually } from '#hack/tools/eventually';
import { backUpEtcd, restoreEtcd } from '../etcd-backup.ts';
import { agent, FOREVER, phase, type Run, run, type RunChoice, type World } from '../run-world.ts';
import { tenantManifest, User } from '../user.ts';

const TENANT = 'rewound';
const OPERATOR = 'system:serviceaccount:nexusos-system:nexusos-operator';
const BRIEF: RunChoice = { annotations: { 'kwok.nexusos.dev/duration': '1s' } };
const EARLY = names('early', 5);
const LATER = names('later', 8);

function names(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index + 1}`);
}

interface PodList {
  readonly items: readonly { readonly metadata: { readonly name: string; readonly uid: string } }[];
}

interface Ledger {
  readonly status?: { readonly reservations?: readonly { readonly name: string }[] };
}

/** A request that was answered. */
interface Answered {
  readonly stage: string;
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly requestURI: string;
  readonly objectRef?: {
    readonly resource: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: {
    readonly code: number;
    readonly details?: { readonly causes?: readonly { readonly reason?: string }[] };
  };
}

/** All requests that were answered, in their order, as the audit log tells. */
async function answered({ auditLog }: Cluster): Promise<readonly Answered[]> {
  const lines = (await readFile(auditLog ?? '', 'utf8')).trimEnd().split('\n');
  const all = lines.map((line) => JSON.parse(line) as Answered);
  return all.filter(({ stage }) => stage === 'ResponseComplete');
}

/** Names of the pods that were made in a namespace. */
function podsMade(requests: readonly Answered[], namespace: string): readonly string[] {
  return requests.flatMap(({ verb, objectRef, responseStatus }) => {
    const isPod = objectRef?.resource === 'pods' && objectRef.subresource === undefined;
    const isMade = isPod && verb === 'create' && responseStatus?.code === 201;
    return isMade && objectRef.namespace === namespace ? [objectRef.name ?? ''] : [];
  });
}

/** What the operator was refused for good: by a missing right, or by a policy, which are answered alike; not since its namespace goes. */
function forbidden(requests: readonly Answered[]): readonly string[] {
  return requests
    .filter(({ user, responseStatus }) => user.username === OPERATOR && responseStatus?.code === 403)
    .filter(({ responseStatus }) => !(responseStatus?.details?.causes ?? []).some(isOfEnding))
    .map(({ requestURI }) => requestURI);
}

/** Whether nothing is made in a namespace, since that goes: who has not seen that yet may ask. */
function isOfEnding({ reason }: { readonly reason?: string }): boolean {
  return reason === 'NamespaceTerminating';
}

function padding(index: number) {
  const metadata = { name: `padding-${index % 10}`, namespace: 'default' };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { index: String(index) } };
}

/** More than is written by the time that everybody has seen what was restored: versions that have come that far again tell nobody anything. */
async function writesMuch(user: User, count: number): Promise<void> {
  const writers = Array.from({ length: 10 }, (_, index) => index);
  await Promise.all(
    writers.map(async (first) => {
      for (let index = first; index < count; index += writers.length) await user.applies(padding(index));
    }),
  );
}

function ends(place: World, name: string, want = 'Succeeded'): Promise<unknown> {
  return eventually(`${name} is ${want}`, async () => {
    const found = await phase(place, name);
    if (found !== want) throw new Error(`it is ${found}`);
    return true;
  });
}

test('an operator that runs on when a backup of etcd is restored goes by what was restored, and by nothing else', async (t) => {
  const cluster = await startCluster({ audit: true });
  t.teardown(() => cluster.stop());
  await installChart(cluster);
  const operator = await startOperator(cluster);
  t.teardown(() => operator.stop());
  const user = new User(cluster);
  const namespace = `${TENANT}-main`;
  const place: World = { user, namespace };
  const manifest = tenantManifest(TENANT, { quotas: { runs: { maxConcurrent: 3 } } });
  const podsOf = async (name: string) => {
    const child = (await user.sees<Run>('-n', namespace, `run/${name}`))?.status?.child?.name;
    const pods = (await user.sees<PodList>('pods', '-n', namespace))?.items ?? [];
    return pods.filter(({ metadata }) => metadata.name === child).map(({ metadata }) => metadata.uid);
  };
  await user.applies(manifest);
  await user.awaitsReady(`tenant/${TENANT}`);
  await user.applies(agent(namespace));
  await user.awaitsReady('-n', namespace, 'agent/worker');

  // One that runs, one that has ended, some that are under way, and some that wait.
  await user.applies(run(namespace, 'lasting', FOREVER));
  await ends(place, 'lasting', 'Running');
  const lasting = await podsOf('lasting');
  t.is(lasting.length, 1);
  await user.applies(...EARLY.map((name) => run(namespace, name, BRIEF)));
  await ends(place, EARLY[0] ?? '');
  await backUpEtcd(cluster);

  // All of this is lost: Runs that end, that are cancelled, that are deleted, and that are made, some of which are under way or wait.
  for (const name of EARLY) await ends(place, name);
  const [deleted = ''] = EARLY.slice(-1);
  await user.does(['delete', `run/${deleted}`, '-n', namespace]);
  const cancel = ['patch', 'run/lasting', '-n', namespace, '--type=merge', '-p', '{"spec":{"cancel":true}}'];
  await user.does(cancel);
  await ends(place, 'lasting', 'Cancelled');
  await user.applies(...LATER.map((name) => run(namespace, name, BRIEF)));
  await ends(place, LATER[1] ?? '');
  await writesMuch(user, 500);
  const before = await restoreEtcd(cluster, () => answered(cluster));

  // What was under way, or waited, when the backup was made comes to its end, and what ran runs on.
  for (const name of EARLY) await ends(place, name);
  await ends(place, 'lasting', 'Running');
  t.deepEqual(await podsOf('lasting'), lasting);
  const runs = await user.sees<{ readonly items: readonly object[] }>('runs', '-n', namespace);
  t.is(runs?.items.length, EARLY.length + 1);
  // A name that only the lost time knew is one as any other.
  const [again = ''] = LATER;
  await user.applies(run(namespace, again, BRIEF));
  await ends(place, again);
  const since = (await answered(cluster)).slice(before.length);
  const made = podsMade(since, namespace);
  t.is(new Set(made).size, made.length, made.join());
  const known = [...EARLY.slice(1), again];
  t.deepEqual(
    made.filter((pod) => !known.some((name) => pod.startsWith(`${name}-`))),
    [],
    'what the restored state does not know, or has seen to its end, is not started',
  );
  // Nothing is held for what is no more, and nothing is stuck.
  await eventually('one place is taken', async () => {
    const ledger = await user.sees<Ledger>(`quotaledger/${TENANT}`);
    const held = (ledger?.status?.reservations ?? []).map(({ name }) => name).join();
    if (held !== 'lasting') throw new Error(`there are reservations of ${held}`);
    return true;
  });
  await user.does(cancel);
  await ends(place, 'lasting', 'Cancelled');
  t.false(operator.hasEnded, 'it is the same process still');
  await user.does(['annotate', `tenant/${TENANT}`, `nexusos.dev/confirm-deletion=${TENANT}`]);
  await user.does(['delete', `tenant/${TENANT}`]);
  t.is(await user.sees(`tenant/${TENANT}`), undefined);
  // Watches that cannot go on would be tried again all the time. An API server that has just been started knows no roles at first.
  t.deepEqual(forbidden((await answered(cluster)).slice(before.length + since.length)), []);
});
