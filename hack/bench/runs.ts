// SPDX-License-Identifier: Apache-2.0
import type { KubeObject, Resource } from '#operator/core/object';
import { startOperator } from '../system/operator-process.ts';
import { type AuditedWrite, auditedWrites, auditPosition } from './audit-writes.ts';
import { type BenchEnvironment, isReady, TENANTS } from './environment.ts';
import { watchObjects } from './object-watch.ts';
import { componentPid, startTimer } from './processor-timer.ts';
import type { Figure } from './report.ts';
import { percentile } from './statistics.ts';
import { secondsUntilDone } from './until-done.ts';

const CREATORS = 16;
const TENANT_COUNT = 10;
const ADMISSIONS = 100;
/** How long a simulated pod runs: short beside everything else that happens to it. */
const RUNS_FOR = { 'kwok.nexusos.dev/duration': '10ms' };
const IMAGE = 'registry.example.com/bench:1';
const RESOURCES = { requests: { cpu: '10m', memory: '8Mi' } };

const PODS: Resource = { apiVersion: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };
const JOBS: Resource = { apiVersion: 'batch/v1', kind: 'Job', plural: 'jobs', namespaced: true };
const AGENTS: Resource = {
  apiVersion: TENANTS.apiVersion,
  kind: 'Agent',
  plural: 'agents',
  namespaced: true,
};
const RUNS: Resource = { apiVersion: TENANTS.apiVersion, kind: 'Run', plural: 'runs', namespaced: true };

/**
 * `count` Runs of one pod each from nothing to Succeeded, beside as many plain pods and as many plain Jobs that nobody but
 * Kubernetes looks after, in one run; then how long a single Run takes to be admitted. The bars are those of design section 8.
 */
export async function measureRuns(environment: BenchEnvironment, count: number): Promise<readonly Figure[]> {
  const { cluster, auditLog, operatorUser } = environment;
  const ended = (resource: Resource, objects: readonly KubeObject[]) =>
    secondsUntilDone(environment.client, { width: CREATORS, resource, objects, isDone: hasEnded });
  const kubernetes = {
    'API server': await componentPid(cluster, 'kube-apiserver'),
    etcd: await componentPid(cluster, 'etcd'),
    'controller manager': await componentPid(cluster, 'kube-controller-manager'),
  };
  const podTimer = await startTimer(kubernetes);
  const pods = await ended(PODS, numbers(count).map(plainPod));
  const podTimes = await podTimer.figures('plain pod', count);
  const jobs = await ended(JOBS, numbers(count).map(plainJob));
  const operator = await startOperator(cluster);
  await makeTenants(environment);
  const from = await auditPosition(auditLog);
  const runTimer = await startTimer({ operator: operator.pid, ...kubernetes });
  const runs = await ended(
    RUNS,
    numbers(count).map((number) => run(`run-${number}`, number)),
  );
  const runTimes = await runTimer.figures('Run', count);
  const writes = await auditedWrites(auditLog, from);
  const admitted = await millisecondsUntilAdmitted(environment);
  await operator.stop();
  const ours = writes.filter(({ user }) => user === operatorUser);
  return [
    { name: `floor: ${count} plain pods, created to ended`, value: count / pods, unit: '/s' },
    { name: `the same in Jobs`, value: count / jobs, unit: '/s' },
    { name: `${count} Runs, created to Succeeded`, value: count / runs, unit: '/s' },
    { name: 'Runs / plain pods', value: pods / runs, unit: '', bar: { atLeast: 0.7 } },
    { name: 'writes per Run, of everybody', value: writes.length / count, unit: '', bar: { atMost: 8 } },
    { name: 'of these, of the operator', value: ours.length / count, unit: '', bar: { atMost: 4 } },
    ...sharesOf(writes, count),
    ...podTimes,
    ...runTimes,
    { name: 'created to admitted, p50', value: percentile(admitted, 0.5), unit: 'ms' },
    {
      name: 'created to admitted, p99',
      value: percentile(admitted, 0.99),
      unit: 'ms',
      bar: { atMost: 1000 },
    },
  ];
}

function hasEnded(object: KubeObject): boolean {
  const { phase, succeeded } = (object['status'] ?? {}) as {
    readonly phase?: string;
    readonly succeeded?: number;
  };
  if (phase === 'Failed') throw new Error(`${object.kind} ${object.metadata.name} has failed`);
  return phase === 'Succeeded' || succeeded === 1;
}
/** From the answer to the creation of a Run until a watch shows it admitted, one Run at a time. */
async function millisecondsUntilAdmitted({ client }: BenchEnvironment): Promise<readonly number[]> {
  const admitted = new Set<string>();
  const waits = new Map<string, () => void>();
  const watch = watchObjects(client, RUNS, ({ metadata: { name }, ...object }) => {
    const { admittedAt } = (object['status'] ?? {}) as { readonly admittedAt?: string };
    if (admittedAt === undefined) return;
    admitted.add(name);
    waits.get(name)?.();
  });
  await watch.started;
  const samples: number[] = [];
  for (let number = 0; number < ADMISSIONS; number += 1) {
    const name = `single-${number}`;
    await client.create(RUNS, run(name, number), 'bench');
    const answeredAt = performance.now();
    const { promise: isAdmitted, resolve } = Promise.withResolvers<void>();
    waits.set(name, resolve);
    if (!admitted.has(name)) await Promise.race([isAdmitted, watch.broken]);
    samples.push(performance.now() - answeredAt);
  }
  watch.stop();
  return samples;
}

async function makeTenants(environment: BenchEnvironment): Promise<void> {
  const tenants = numbers(TENANT_COUNT).map(tenant);
  await secondsUntilDone(environment.client, {
    width: CREATORS,
    resource: TENANTS,
    objects: tenants,
    isDone: isReady,
  });
  const agents = numbers(TENANT_COUNT).map(agent);
  await secondsUntilDone(environment.client, {
    width: CREATORS,
    resource: AGENTS,
    objects: agents,
    isDone: isReady,
  });
}

function numbers(count: number): readonly number[] {
  return Array.from({ length: count }, (_, number) => number);
}

/** A tenant whose quota holds no Run back. */
function tenant(number: number): KubeObject {
  return {
    apiVersion: TENANTS.apiVersion,
    kind: 'Tenant',
    metadata: { name: `bench-${number}` },
    spec: { namespaces: [{ suffix: 'main' }] },
  };
}

function agent(number: number): KubeObject {
  return {
    apiVersion: AGENTS.apiVersion,
    kind: 'Agent',
    metadata: { name: `agent-${number}`, namespace: namespaceOf(number) },
    spec: { container: { image: IMAGE, resources: RESOURCES } },
  };
}

/** One of many Runs, which are dealt out to the tenants in turn. */
function run(name: string, number: number): KubeObject {
  const tenantNumber = number % TENANT_COUNT;
  return {
    apiVersion: RUNS.apiVersion,
    kind: 'Run',
    metadata: { name, namespace: namespaceOf(tenantNumber), annotations: RUNS_FOR },
    spec: { agentRef: { name: `agent-${tenantNumber}` } },
  };
}

function namespaceOf(tenantNumber: number): string {
  return `bench-${tenantNumber}-main`;
}

const POD = {
  restartPolicy: 'Never',
  containers: [{ name: 'agent', image: IMAGE, resources: RESOURCES }],
};

function plainPod(number: number): KubeObject {
  const metadata = { name: `pod-${number}`, namespace: 'default', annotations: RUNS_FOR };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: POD };
}

function plainJob(number: number): KubeObject {
  const template = { metadata: { annotations: RUNS_FOR }, spec: POD };
  const metadata = { name: `job-${number}`, namespace: 'default' };
  return { apiVersion: 'batch/v1', kind: 'Job', metadata, spec: { backoffLimit: 0, template } };
}

/** Writes of each kind and writer, the most frequent first; what happens to few Runs only is left out. */
function sharesOf(writes: readonly AuditedWrite[], count: number): readonly Figure[] {
  const byName = new Map<string, number>();
  for (const write of writes) {
    const name = `${write.verb} ${write.what} by ${write.user.split(':').at(-1) ?? ''}${write.code >= 400 ? `, answered ${write.code}` : ''}`;
    byName.set(name, (byName.get(name) ?? 0) + 1);
  }
  return [...byName]
    .filter(([, found]) => found >= count / 100)
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, found]) => ({ name, value: found / count, unit: '' }));
}
