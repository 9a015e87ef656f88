// SPDX-License-Identifier: Apache-2.0
import type { KubeObject, Resource } from '#operator/core/object';
import { startOperator } from '../system/operator-process.ts';
import { millisecondsUntilAdmitted } from './admission-times.ts';
import { auditedWrites, auditPosition, sharesOf } from './audit-writes.ts';
import type { BenchEnvironment } from './environment.ts';
import { componentPid, startTimer } from './processor-timer.ts';
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
import { secondsUntilDone } from './until-done.ts';

const TENANT_COUNT = 10;
const ADMISSIONS = 100;

const PODS: Resource = { apiVersion: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };
const JOBS: Resource = { apiVersion: 'batch/v1', kind: 'Job', plural: 'jobs', namespaced: true };

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
  const pods = await ended(PODS, named('pod', count).map(plainPod));
  const podTimes = await podTimer.figures('plain pod', count);
  const jobs = await ended(JOBS, named('job', count).map(plainJob));
  const operator = await startOperator(cluster);
  const tenants = named('bench', TENANT_COUNT);
  await makeTenants(environment, tenants);
  // What Kubernetes still writes of the Jobs, and what is written of new tenants, is not of Runs.
  await untilQuiet(auditLog);
  const from = await auditPosition(auditLog);
  const runTimer = await startTimer({ operator: operator.pid, ...kubernetes });
  const runs = await ended(RUNS, dealOut(tenants, named('run', count)));
  const runTimes = await runTimer.figures('Run', count);
  const writes = await auditedWrites(auditLog, from);
  const admitted = await millisecondsUntilAdmitted(environment.client, {
    names: named('single', ADMISSIONS),
    tenants,
  });
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
