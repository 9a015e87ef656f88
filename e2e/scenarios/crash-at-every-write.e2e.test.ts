// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import { type Cluster, startCluster } from '#hack/cluster/cluster';
import { installChart } from '#hack/system/chart';
import { type OperatorProcess, startOperator } from '#hack/system/operator-process';
import { type CrashProxy, startCrashProxy } from '../crash-proxy.ts';
import { eventually } from '../eventually.ts';
import { snapshotTenant } from '../snapshot.ts';

/**
 * The operator is ended with SIGKILL at its first write, at its second, and so on until a story needs no further write:
 * every second time before the API server sees the write, else before the operator hears the answer. Afterwards a new
 * operator must bring the tenant to the very state that it reaches undisturbed.
 */

const TENANTS = '/apis/nexusos.dev/v1alpha1/tenants';
/** No story needs more; a loop that would not end is a fault. */
const MOST_WRITES = 80;

interface Bench {
  readonly cluster: Cluster;
  readonly proxy: CrashProxy;
}

interface Story {
  /** Brings the tenant to where the story begins, with an operator that is not disturbed. */
  readonly before: (bench: Bench, tenant: string) => Promise<void>;
  /** What the user does, while the operator is to be ended. */
  readonly act: (bench: Bench, tenant: string) => Promise<void>;
  readonly isOver: (bench: Bench, tenant: string) => Promise<boolean>;
}

const stories: Readonly<Record<string, Story>> = {
  'creating a tenant': { before: async () => {}, act: create, isOver: isReady },
  'changing a tenant': {
    before: async (bench, tenant) => {
      await create(bench, tenant);
      await eventually(`${tenant} is Ready`, () => isReady(bench, tenant));
    },
    act: change,
    isOver: isReady,
  },
  'deleting a tenant': {
    before: async (bench, tenant) => {
      await create(bench, tenant);
      await eventually(`${tenant} is Ready`, () => isReady(bench, tenant));
    },
    act: remove,
    isOver: async (bench, tenant) => (await snapshotTenant(bench.cluster, tenant)).length === 0,
  },
};

for (const [title, story] of Object.entries(stories)) {
  test.serial(`${title} survives SIGKILL of the operator at every write`, async (t) => {
    t.timeout(15 * 60_000);
    await using cluster = await startCluster({ audit: true });
    await installChart(cluster);
    const proxy = await startCrashProxy(cluster.url, Buffer.from(cluster.caData, 'base64').toString());
    try {
      const tried = await tryEveryWrite(t, story, { cluster, proxy });
      t.log(`${tried} writes, each tried`);
      t.true(tried >= 3, 'a story of fewer writes tries nothing');
    } finally {
      await proxy.close();
    }
  });
}

async function tryEveryWrite(t: ExecutionContext, story: Story, bench: Bench): Promise<number> {
  const want = await undisturbed(story, bench);
  for (let write = 1; write <= MOST_WRITES; write += 1) {
    const tenant = `crash${write}`;
    const wasReached = await disturbed(story, bench, { tenant, write });
    t.deepEqual(await snapshotTenant(bench.cluster, tenant), want, `after the end at write ${write}`);
    if (!wasReached) return write - 1;
  }
  throw new Error(`still writing after ${MOST_WRITES} writes`);
}

async function undisturbed(story: Story, bench: Bench): Promise<readonly string[]> {
  const operator = await start(bench);
  await story.before(bench, 'calm0');
  await story.act(bench, 'calm0');
  await eventually('the undisturbed story is over', () => story.isOver(bench, 'calm0'), 60_000);
  const snapshot = await settledSnapshot(bench, 'calm0');
  await operator.stop();
  return snapshot;
}

/** Plays the story with an end at `write`; false when the story was over before. */
async function disturbed(
  story: Story,
  bench: Bench,
  { tenant, write }: { readonly tenant: string; readonly write: number },
): Promise<boolean> {
  bench.proxy.arm();
  const first = await start(bench);
  await story.before(bench, tenant);
  await settledSnapshot(bench, tenant);
  const { promise: crashed, resolve } = Promise.withResolvers<true>();
  const crash = (): void => {
    void first.kill().then(() => resolve(true));
  };
  bench.proxy.arm({ write, when: write % 2 === 0 ? 'before' : 'after', crash });
  await story.act(bench, tenant);
  const over = eventually('the story is over', () => story.isOver(bench, tenant), 60_000).then(
    () => false as const,
  );
  over.catch(() => undefined);
  let wasReached = await Promise.race([crashed, over]);
  if (!wasReached) {
    await settledSnapshot(bench, tenant);
    wasReached = first.hasEnded;
  }
  bench.proxy.arm();
  const second = wasReached ? await start(bench) : first;
  await eventually(
    `${tenant} recovers from the end at write ${write}`,
    () => story.isOver(bench, tenant),
    60_000,
  );
  await settledSnapshot(bench, tenant);
  await second.stop();
  return wasReached;
}

/** Through the proxy, always as the same replica, so that it takes its own lease up again at once. */
function start({ cluster, proxy }: Bench): Promise<OperatorProcess> {
  return startOperator(cluster, { apiServer: proxy.url, env: { NEXUSOS_IDENTITY: 'crash-test' } });
}

/** The snapshot once the operator has written nothing for a while. */
async function settledSnapshot({ cluster, proxy }: Bench, tenant: string): Promise<readonly string[]> {
  let seen = -1;
  let since = performance.now();
  await eventually('the operator falls silent', () => {
    const writes = proxy.writes().length;
    if (writes !== seen) since = performance.now();
    seen = writes;
    return performance.now() - since > 700;
  });
  return snapshotTenant(cluster, tenant);
}

async function create({ cluster }: Bench, tenant: string): Promise<void> {
  await cluster.admin.create(TENANTS, {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'Tenant',
    metadata: { name: tenant },
    spec: {
      owners: [
        { kind: 'User', name: 'ann', role: 'admin' },
        { kind: 'Group', name: 'devs', role: 'viewer' },
      ],
      namespaces: [{ suffix: 'one' }],
      quotas: { compute: { 'requests.cpu': '8' }, objects: { pods: 20 }, runs: { maxConcurrent: 3 } },
      containerDefaults: { defaultRequest: { cpu: '100m' } },
    },
  });
}

/** Another namespace, an owner less, another quota, other defaults: objects are made, changed and removed. */
async function change({ cluster }: Bench, tenant: string): Promise<void> {
  const patch = JSON.stringify({
    spec: {
      owners: [{ kind: 'User', name: 'ann', role: 'operator' }],
      namespaces: [{ suffix: 'one' }, { suffix: 'two' }],
      quotas: { compute: { 'requests.cpu': '6' } },
      containerDefaults: null,
      suspended: true,
    },
  });
  const done = await cluster.kubectl(['patch', 'tenant', tenant, '--type=merge', '-p', patch]);
  if (done.code !== 0) throw new Error(done.stderr);
}

async function remove({ cluster }: Bench, tenant: string): Promise<void> {
  const consent = `nexusos.dev/confirm-deletion=${tenant}`;
  await cluster.kubectl(['annotate', 'tenant', tenant, consent]);
  const done = await cluster.kubectl(['delete', 'tenant', tenant, '--wait=false']);
  if (done.code !== 0) throw new Error(done.stderr);
}

async function isReady({ cluster }: Bench, tenant: string): Promise<boolean> {
  const object = (await cluster.admin.get(`${TENANTS}/${tenant}`)) as
    | {
        readonly metadata: { readonly generation: number };
        readonly status?: {
          readonly observedGeneration?: number;
          readonly conditions?: readonly { readonly type: string; readonly status: string }[];
        };
      }
    | undefined;
  const { status } = object ?? {};
  return (
    status?.observedGeneration === object?.metadata.generation &&
    status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true
  );
}
