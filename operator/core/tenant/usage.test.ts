// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject } from '../object.ts';
import { makeLedger, makeObserved, makeTenant } from './testing/objects.ts';
import { tenantUsage, usageSummary } from './usage.ts';

function quota(namespace: string, used: Record<string, string>): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'nexusos', namespace },
    status: { used },
  };
}

function reservation(uid: string, gpuClass?: string, gpus?: number) {
  return {
    uid,
    namespace: 'acme-dev',
    name: uid,
    agent: 'a',
    attempt: 1,
    ...(gpuClass && { gpuClass, gpus }),
  };
}

const TENANT = makeTenant({
  quotas: {
    compute: { 'requests.cpu': '4', 'requests.memory': '8Gi' },
    objects: { pods: 10 },
    gpus: [
      { class: 'h100', count: 8 },
      { class: 'l4', count: 2 },
    ],
    runs: { maxConcurrent: 5, maxQueued: 100 },
  },
});
const LEDGER = makeLedger(TENANT, {
  reservations: [reservation('a', 'h100', 4), reservation('b', 'h100', 2), reservation('c')],
});

test('use is summed over namespaces and told against every quota, by name', (t) => {
  const observed = makeObserved({
    ledger: LEDGER,
    queuedRuns: 7,
    resourceQuotas: [
      quota('acme-dev', { 'requests.cpu': '1500m', 'requests.memory': '512Mi', pods: '3' }),
      quota('acme-prod', { 'requests.cpu': '1', 'requests.memory': '512Mi', pods: '1', secrets: '4' }),
    ],
  });
  t.deepEqual(
    tenantUsage(TENANT, observed).map(({ name, used, limit }) => `${name} ${used}/${limit}`),
    [
      'gpus/h100 6/8',
      'gpus/l4 0/2',
      'pods 4/10',
      'requests.cpu 2500m/4',
      'requests.memory 1Gi/8Gi',
      'runs.concurrent 3/5',
      'runs.queued 7/100',
    ],
  );
});

test('a tenant without quotas has no usage to tell', (t) => {
  t.deepEqual(tenantUsage(makeTenant(), makeObserved({ ledger: LEDGER })), []);
});

test('figures for kubectl get', (t) => {
  t.deepEqual(usageSummary(TENANT, LEDGER), { runs: '3/5', gpus: '6/10' });
  t.deepEqual(usageSummary(TENANT, undefined), { runs: '0/5', gpus: '0/10' });
  t.deepEqual(usageSummary(makeTenant(), LEDGER), { runs: '3' });
});

test('a Run that waits to take over from another uses nothing yet', (t) => {
  const taking = { ...reservation('d', 'h100', 4), awaits: [1] };
  const ledger = makeLedger(TENANT, { reservations: [reservation('a', 'h100', 4), taking] });
  t.like(usageSummary(TENANT, ledger), { runs: '1/5', gpus: '4/10' });
});
