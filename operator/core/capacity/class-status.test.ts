// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { GPUClassSpec, GPUClassStatus } from '#crds/v1alpha1/gpu-class';
import { ago, makeClass, NOW } from '../run/testing/make.ts';
import { planGPUClass } from './class-status.ts';
import type { SupplySources } from './supply.ts';
import { makeHolder, makeNode, supplyOf } from './testing/make.ts';

interface Case {
  readonly spec?: Partial<GPUClassSpec>;
  readonly given?: Partial<SupplySources>;
  readonly want: { readonly status: string; readonly reason: string };
}

const CASES: Readonly<Record<string, Case>> = {
  'nodes have devices': {
    given: { nodes: [makeNode('a')] },
    want: { status: 'True', reason: 'Available' },
  },
  'no node has any': { want: { status: 'False', reason: 'NoNodes' } },
  'no node has any, and one is made on demand': {
    spec: { provisioning: 'OnDemand' },
    want: { status: 'True', reason: 'OnDemand' },
  },
  'the DeviceClass is not there': {
    spec: { deviceClassName: 'gpu.nvidia.com' },
    want: { status: 'False', reason: 'DeviceClassNotFound' },
  },
  'the DeviceClass cannot be counted': {
    spec: { deviceClassName: 'odd' },
    given: {
      deviceClasses: [
        {
          apiVersion: 'resource.k8s.io/v1',
          kind: 'DeviceClass',
          metadata: { name: 'odd' },
          spec: { selectors: [{ cel: { expression: 'device.driver.startsWith("gpu")' } }] },
        },
      ],
    },
    want: { status: 'True', reason: 'NotCounted' },
  },
};

for (const [sentence, { spec = {}, given = {}, want }] of Object.entries(CASES)) {
  test(sentence, (t) => {
    const gpuClass = makeClass('gpu', spec);
    const { status } = planGPUClass(gpuClass, supplyOf({ gpuClasses: [gpuClass], ...given }), NOW);
    t.like(
      status.conditions?.find(({ type }) => type === 'Ready'),
      want,
    );
  });
}

const gpuClass = makeClass('gpu');
const SUPPLY = supplyOf({
  nodes: [makeNode('a', { pool: 'p' }), makeNode('b', { pool: 'p' }), makeNode('c', { gpus: 4 })],
  pods: [makeHolder('a', 3), makeHolder('c', 4)],
});

test('devices are counted over all nodes, and by pool', (t) => {
  const { status, result } = planGPUClass(gpuClass, SUPPLY, NOW);
  t.like(status, { nodes: 3, capacity: 20, allocated: 7, free: 13, largestFree: 8, countedAt: ago(0) });
  t.deepEqual(status.pools, [
    { name: '', nodes: 1, capacity: 4, allocated: 4, free: 0, largestFree: 0 },
    { name: 'p', nodes: 2, capacity: 16, allocated: 3, free: 13, largestFree: 8 },
  ]);
  t.is(result.kind, 'done');
});

function writtenAgo(seconds: number, more: Partial<GPUClassStatus> = {}) {
  const { status } = planGPUClass(gpuClass, SUPPLY, NOW);
  return { ...gpuClass, status: { ...status, countedAt: ago(seconds), ...more } };
}

test('what is as it was is not written again, however old', (t) => {
  const settled = writtenAgo(3600);
  const { status, result } = planGPUClass(settled, SUPPLY, NOW);
  t.deepEqual(status, settled.status);
  t.is(result.kind, 'done');
});

test('a spec that has changed is observed, though the figures are the same', (t) => {
  const before = writtenAgo(60);
  const changed = { ...before, metadata: { ...before.metadata, generation: 2 } };
  t.like(planGPUClass(changed, SUPPLY, NOW).status, { observedGeneration: 2, countedAt: ago(60) });
});

test('other figures are written at once, if the last were not written just now', (t) => {
  const { status } = planGPUClass(writtenAgo(5, { free: 12 }), SUPPLY, NOW);
  t.like(status, { free: 13, countedAt: ago(0) });
});

test('else they wait for their time', (t) => {
  const { status, result } = planGPUClass(writtenAgo(2, { free: 12 }), SUPPLY, NOW);
  t.like(status, { free: 12, countedAt: ago(2) });
  t.like(result, { kind: 'requeueAfter', afterMs: 3000 });
});

test('a pool that changes is news, though the sums are the same', (t) => {
  const written = writtenAgo(60);
  const pools = written.status.pools?.toReversed() ?? [];
  t.is(planGPUClass(writtenAgo(60, { pools }), SUPPLY, NOW).status.countedAt, ago(0));
});
