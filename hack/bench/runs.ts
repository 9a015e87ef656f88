// SPDX-License-Identifier: Apache-2.0
import type { KubeObject, Resource } from '#operator/core/object';
import { startOperator } from '../system/operator-process.ts';
import { millisecondsUntilAdmitted } from './admission-times.ts';
import { type AuditedWrite, auditedWrites, auditPosition, sharesOf } from './audit-writes.ts';
import type { BenchEnvironment } from './environment.ts';
import { componentPid } from './processor-timer.ts';
import type { Figure } from './report.ts';
import { untilQuiet } from './until-quiet.ts';
import {
  BRIEFLY,
  CREATORS,
  dealOut,
  hasEnded,
  IMAGE,
  makeTenants,
  named,
  RESOURCES,
  RUNS,
  runsFor,
} from './run-world.ts';
import { percentile } from './statistics.ts';
import { medianRate, type Pids, ratioFigures, timeFigures, timeTurn, type Turn, TURNS } from './turns.ts';
import { secondsUntilDone } from './until-done.ts';

const TENANT_COUNT = 10;
const ADMISSIONS = 100;
const WARM_UP = 200;

const PODS: Resource = { apiVersion: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };
const JOBS: Resource = { apiVersion: 'batch/v1', kind: 'Job', plural: 'jobs', namespaced: true };

/** What the turns are made on. */
interface Course {
  readonly environment: BenchEnvironment;
  readonly tenants: readonly string[];
  /** Of each kind in each turn. */
  readonly size: number;
  readonly pids: Pids;
}

/** What the turns have come to. */
interface Finish {
  readonly floor: readonly Turn[];
  readonly ours: readonly Turn[];
  /** What was written for the Runs, until nobody wrote any more. */
  readonly writes: readonly AuditedWrite[];
}

/**
 * Runs of one pod each from nothing to Succeeded, in turns with as many plain pods that nobody but Kubernetes looks after, on one control plane:
 * `count` of each, dealt out to the turns; beside them as many plain Jobs as are in a turn; then how long a single Run takes to be admitted.
 * The bars are those of design section 8.
 */
export async function measureRuns(environment: BenchEnvironment, count: number): Promise<readonly Figure[]> {
  const { cluster, operatorUser } = environment;
  const size = Math.ceil(count / TURNS);
  const jobs = size / (await untilEnded(environment, JOBS, named('job', size).map(plainJob)));
  const operator = await startOperator(cluster);
  const pids = {
    operator: operator.pid,
    'API server': await componentPid(cluster, 'kube-apiserver'),
    etcd: await componentPid(cluster, 'etcd'),
    'controller manager': await componentPid(cluster, 'kube-controller-manager'),
  };
  const tenants = named('bench', TENANT_COUNT);
  await makeTenants(environment, tenants);
  const { floor, ours, writes } = await takeTurns({ environment, tenants, size, pids });
  const admitted = await millisecondsUntilAdmitted(environment.client, {
    names: named('single', ADMISSIONS),
    tenants,
  });
  await operator.stop();
  const runs = size * TURNS;
  const ofOperator = writes.filter(({ user }) => user === operatorUser);
  return [
    { name: `floor: ${size} plain pods in a turn, created to ended`, value: medianRate(floor), unit: '/s' },
    { name: 'the same in Jobs, once', value: jobs, unit: '/s' },
    { name: `${size} Runs in a turn, created to Succeeded`, value: medianRate(ours), unit: '/s' },
    ...ratioFigures('Runs / plain pods', { floor, ours, atLeast: 0.7 }),
    { name: 'writes per Run, of everybody', value: writes.length / runs, unit: '', bar: { atMost: 8 } },
    { name: 'of these, of the operator', value: ofOperator.length / runs, unit: '', bar: { atMost: 4 } },
    ...sharesOf(writes, runs),
    ...timeFigures('plain pod', floor),
    ...timeFigures('Run', ours),
    { name: 'created to admitted, p50', value: percentile(admitted, 0.5), unit: 'ms' },
    {
      name: 'created to admitted, p99',
      value: percentile(admitted, 0.99),
      unit: 'ms',
      bar: { atMost: 1000 },
    },
  ];
}

async function takeTurns({ environment, tenants, size, pids }: Course): Promise<Finish> {
  const { auditLog } = environment;
  // The first ones are dearer: programs are still compiled, and connections made.
  await untilEnded(environment, RUNS, dealOut(tenants, named('first', WARM_UP)));
  await untilQuiet(auditLog);
  const floor: Turn[] = [];
  const ours: Turn[] = [];
  const writes: AuditedWrite[] = [];
  for (let turn = 0; turn < TURNS; turn += 1) {
    const pods = named(`pod-${turn}`, size).map(plainPod);
    const runs = dealOut(tenants, named(`run-${turn}`, size));
    floor.push(await timeTurn(pids, size, () => untilEnded(environment, PODS, pods)));
    const from = await auditPosition(auditLog);
    ours.push(await timeTurn(pids, size, () => untilEnded(environment, RUNS, runs)));
    // What is still written of them is theirs, and no burden of the next pods.
    await untilQuiet(auditLog);
    writes.push(...(await auditedWrites(auditLog, from)));
  }
  return { floor, ours, writes };
}

function untilEnded(
  { client }: BenchEnvironment,
  resource: Resource,
  objects: readonly KubeObject[],
): Promise<number> {
  return secondsUntilDone(client, { width: CREATORS, resource, objects, isDone: hasEnded });
}

const POD = {
  restartPolicy: 'Never',
  containers: [{ name: 'agent', image: IMAGE, resources: RESOURCES }],
};

function plainPod(name: string): KubeObject {
  const metadata = { name, namespace: 'default', annotations: runsFor(BRIEFLY) };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: POD };
}

function plainJob(name: string): KubeObject {
  const template = { metadata: { annotations: runsFor(BRIEFLY) }, spec: POD };
  const metadata = { name, namespace: 'default' };
  return { apiVersion: 'batch/v1', kind: 'Job', metadata, spec: { backoffLimit: 0, template } };
}
