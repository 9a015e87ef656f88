// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import { type Cluster, startCluster } from '#hack/cluster/cluster';
import { installChart } from '#hack/system/chart';
import { type OperatorProcess, startOperator } from '#hack/system/operator-process';
import { type CrashProxy, type SeenWrite, startCrashProxy } from '../crash-proxy.ts';
import { eventually } from '#hack/tools/eventually';
import { snapshotTenant } from '../snapshot.ts';

/**
 * No write of the operator goes undisturbed: it is ended with SIGKILL when the API server has done the write, before it hears
 * of that, started again, ended at the next write, and so on until nothing is left to write. An end before a write would be the
 * end after the one before it, or before the first the story's beginning, as an operator takes nothing along. What lies between
 * two ends must be lawful, and the tenant must come to the very state that another one reaches in peace. Leases, Events and
 * reviews are no part of that state, and let through.
 */

const TENANTS = '/apis/nexusos.dev/v1alpha1/tenants';
/** No story needs more; one that would not end is a fault. */
const MOST_ENDS = 80;
/** Between two writes of an operator that leads, on a machine that others keep busy. */
const SILENCE_MS = 5000;

interface Bench {
  readonly cluster: Cluster;
  readonly proxy: CrashProxy;
}

interface Story {
  /** What the user does. */
  readonly act: (bench: Bench, tenant: string) => Promise<void>;
  readonly isOver: (bench: Bench, tenant: string) => Promise<boolean>;
}

/** In the order of a tenant's life: each begins where the one before it ends. */
const STORIES: Readonly<Record<string, Story>> = {
  'creating a tenant': { act: create, isOver: isReady },
  'making a service': { act: serve, isOver: (bench, tenant) => hasPods(bench, tenant, { old: 0 }) },
  'changing a service': {
    act: (bench, tenant) => changeService(bench, tenant),
    isOver: async (bench, tenant) =>
      (await hasPods(bench, tenant, { old: 1 })) && (await isOfLastRevision(bench, tenant)),
  },
  'removing a service': {
    act: removeService,
    isOver: async (bench, tenant) => (await service(bench, tenant)) === undefined && isUsed(bench, tenant, 0),
  },
  'changing a tenant': { act: change, isOver: isReady },
  'deleting a tenant': {
    act: remove,
    isOver: async ({ cluster }, tenant) => (await snapshotTenant(cluster, tenant)).length === 0,
  },
};

let bench: Bench;
test.before(async () => {
  const cluster = await startCluster({ kwok: false });
  await installChart(cluster);
  const ca = Buffer.from(cluster.caData, 'base64').toString();
  bench = { cluster, proxy: await startCrashProxy(cluster.url, ca) };
});
test.after.always(async () => {
  await bench?.proxy.close();
  await bench?.cluster.stop();
});

for (const [title, story] of Object.entries(STORIES)) {
  test.serial(`${title} survives SIGKILL of the operator at every write`, async (t) => {
    t.timeout(10 * 60_000);
    const calm = await inPeace(story, 'calm');
    const ends = await withEnds(t, story, { tenant: 'crash', want: calm.snapshot });
    t.log(`${calm.writes.length} writes in peace, ended ${ends.length} times`);
    const tried = new Set(ends.filter(({ status }) => status < 400).map(({ what }) => inSomeNamespace(what)));
    t.true(calm.writes.length > 0, 'it writes, and does so through the proxy');
    t.deepEqual(
      calm.writes.filter((write) => !tried.has(inSomeNamespace(write))),
      [],
      'writes that nothing was ended at',
    );
  });
}

/** How the story goes with an operator that lives: its end, and every write that took effect, by a name that tenants share. */
async function inPeace(story: Story, tenant: string) {
  bench.proxy.arm();
  const operator = await start();
  try {
    await story.act(bench, tenant);
    await becomesLeader(operator);
    await untilOver(story, tenant);
  } finally {
    await operator.stop();
  }
  const snapshot = await snapshotTenant(bench.cluster, tenant);
  const writes = bench.proxy.writes().filter(({ status }) => status < 400);
  return { snapshot, writes: writes.map((write) => nameOf(write, tenant)) };
}

/** A write that the operator was ended at. */
interface End {
  readonly what: string;
  /** Of the API server's answer: what was refused is no write that took effect. */
  readonly status: number;
}

/** Plays the story with an operator that is ended at its first write, until one has nothing to write. Returns those writes. */
async function withEnds(
  t: ExecutionContext,
  story: Story,
  { tenant, want }: { readonly tenant: string; readonly want: readonly string[] },
): Promise<readonly End[]> {
  const lawful = new Set([...(await snapshotTenant(bench.cluster, tenant)), ...want].map(idOf));
  const ends: End[] = [];
  await story.act(bench, tenant);
  while (await isEndedAtNextWrite(story, tenant, ends)) {
    const found = (await snapshotTenant(bench.cluster, tenant)).map(idOf);
    t.deepEqual(
      found.filter((id, index) => !lawful.has(id) || found.indexOf(id) !== index),
      [],
      `neither before nor after the story, but after ${ends.at(-1)?.what}`,
    );
    if (ends.length > MOST_ENDS) throw new Error(`still writing: ${ends.at(-1)?.what}`);
  }
  t.deepEqual(await snapshotTenant(bench.cluster, tenant), want);
  return ends;
}

/** Starts an operator and ends it at its first write; false when it is silent and the story over. */
async function isEndedAtNextWrite(story: Story, tenant: string, ends: End[]): Promise<boolean> {
  bench.proxy.arm(async (write) => {
    ends.push({ what: nameOf(write, tenant), status: write.status });
    await (await starting).kill();
  });
  const starting = start();
  const operator = await starting;
  await becomesLeader(operator);
  await untilOver(story, tenant, () => operator.hasEnded);
  if (operator.hasEnded) return true;
  await operator.stop();
  return bench.proxy.writes().length > 0;
}

/** Resolves when it leads, as before that it is silent, or has ended at its first write. */
async function becomesLeader(operator: OperatorProcess): Promise<void> {
  await eventually(
    'it leads',
    async () => operator.hasEnded || /^nexusos_leader 1$/m.test(await operator.metrics()),
  );
}

/** Always as the same replica, so that it takes its own lease up again at once. */
function start(): Promise<OperatorProcess> {
  const { cluster, proxy } = bench;
  return startOperator(cluster, { apiServer: proxy.url, env: { NEXUSOS_IDENTITY: 'crash-test' } });
}

/** Waits until the story is over and the operator has written nothing for a while, or until the operator `hasEnded`. */
async function untilOver(story: Story, tenant: string, hasEnded: () => boolean = () => false): Promise<void> {
  let seen = -1;
  let since = performance.now();
  await eventually('the story is over, and the operator silent', async () => {
    const writes = bench.proxy.writes().length;
    if (writes !== seen) since = performance.now();
    seen = writes;
    if (hasEnded()) return true;
    return performance.now() - since > SILENCE_MS && (await story.isOver(bench, tenant));
  });
}

function nameOf({ verb, path }: SeenWrite, tenant: string): string {
  return `${verb} ${path}`.replaceAll(tenant, '<tenant>');
}

/**
 * A write without the name of its namespace. Quota that moves between two of them while operators come and go takes fewer
 * steps than in peace, or others: a ResourceQuota that is made late is made with its final grant, and not replaced.
 */
function inSomeNamespace(what: string): string {
  return what.replace(/<tenant>-(one|two)\b/, '<tenant>-<namespace>');
}

/** 'RoleBinding acme-main/x {...}' -> 'RoleBinding acme-main/x' */
function idOf(line: string): string {
  return line.split(' ', 2).join(' ');
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

const AGENTS = (tenant: string) => `/apis/nexusos.dev/v1alpha1/namespaces/${tenant}-one/agents`;

/** Pods of it find no node here, and wait: that is how it stands. */
async function serve({ cluster }: Bench, tenant: string): Promise<void> {
  const resources = { requests: { cpu: '100m', memory: '64Mi' } };
  await cluster.admin.create(AGENTS(tenant), {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'Agent',
    metadata: { name: 'chat', namespace: `${tenant}-one` },
    spec: { shape: 'service', container: { image: 'registry.example/chat:1', resources } },
  });
}

/** Another image and another port: what was created is taken over, and rolled to another revision. */
async function changeService({ cluster }: Bench, tenant: string): Promise<void> {
  const spec = { container: { image: 'registry.example/chat:2' }, service: { port: 9000 } };
  const patch = JSON.stringify({ spec });
  const args = ['patch', 'agent', 'chat', '-n', `${tenant}-one`, '--type=merge', '-p', patch];
  const done = await cluster.kubectl(args);
  if (done.code !== 0) throw new Error(done.stderr);
}

async function removeService({ cluster }: Bench, tenant: string): Promise<void> {
  const done = await cluster.kubectl(['delete', 'agent', 'chat', '-n', `${tenant}-one`, '--wait=false']);
  if (done.code !== 0) throw new Error(done.stderr);
}

interface Served {
  readonly status?: {
    readonly activeRevision?: { readonly number: number };
    readonly service?: {
      readonly replicas: number;
      readonly updatedReplicas: number;
      readonly address: string;
    };
    readonly conditions?: readonly { readonly type: string; readonly reason: string }[];
  };
}

async function agent({ cluster }: Bench, tenant: string): Promise<Served['status']> {
  return ((await cluster.admin.get(`${AGENTS(tenant)}/chat`)) as Served | undefined)?.status;
}

/** The Deployment, or anything else of the name. */
async function service({ cluster }: Bench, tenant: string): Promise<object | undefined> {
  const within = `namespaces/${tenant}-one`;
  const paths = [
    `/apis/apps/v1/${within}/deployments/chat`,
    `/api/v1/${within}/services/chat`,
    `/apis/policy/v1/${within}/poddisruptionbudgets/chat`,
  ];
  const found = await Promise.all(paths.map((path) => cluster.admin.get(path)));
  return found.find((one) => one !== undefined);
}

/** Whether it waits for one new pod, beside so many of the revision before, which stay until that is ready. */
async function hasPods(bench: Bench, tenant: string, { old }: { readonly old: number }): Promise<boolean> {
  const { service: seen, conditions = [] } = (await agent(bench, tenant)) ?? {};
  const waits = conditions.some(({ type, reason }) => type === 'Ready' && reason === 'Unavailable');
  const isWhole = seen?.replicas === old + 1 && seen.updatedReplicas === 1;
  return waits && isWhole && isUsed(bench, tenant, old + 1);
}

async function isOfLastRevision(bench: Bench, tenant: string): Promise<boolean> {
  const status = await agent(bench, tenant);
  return status?.activeRevision?.number === 2 && status.service?.address.endsWith(':9000') === true;
}

/** Whether the Tenant has told that so many pods are there. */
async function isUsed({ cluster }: Bench, tenant: string, pods: number): Promise<boolean> {
  type Used = {
    readonly status?: { readonly usage?: readonly { readonly name: string; readonly used: string }[] };
  };
  const { status } = ((await cluster.admin.get(`${TENANTS}/${tenant}`)) ?? {}) as Used;
  return status?.usage?.some(({ name, used }) => name === 'pods' && used === String(pods)) === true;
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
