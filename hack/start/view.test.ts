// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject } from '#operator/core/object';
import { changes, tell } from './changes.ts';
import { renderFrame } from './frame.ts';
import { poolUse } from './node-pools.ts';
import type { Snapshot } from './snapshot.ts';
import { alignTable, fit } from './table.ts';

const EMPTY: Snapshot = {
  tenants: [],
  agents: [],
  runs: [],
  gpuClasses: [],
  nodes: [],
  pods: [],
  claims: [],
  slices: [],
};

function run(name: string, phase: string, status: object = {}): KubeObject {
  const spec = { agentRef: { name: 'scribe' } };
  return {
    apiVersion: 'v1',
    kind: 'Run',
    metadata: { name, namespace: 'n' },
    spec,
    status: { phase, ...status },
  };
}

function node(name: string, pool: string, allocatable: object): KubeObject {
  const conditions = [{ type: 'Ready', status: 'True' }];
  const labels = { 'nexusos.dev/node-pool': pool };
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, status: { allocatable, conditions } };
}

function pod(nodeName: string, phase: string, gpus: string): KubeObject {
  const containers = [{ resources: { limits: { 'nvidia.com/gpu': gpus } } }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { nodeName, containers },
    status: { phase },
  };
}

test('columns are aligned, and long text is cut', (t) => {
  t.deepEqual(alignTable(['A', 'B', 'C'], [['long', '', 'x y'], ['b']]), ['A     B  C', 'long     x y', 'b']);
  t.is(fit('abcdef', 6), 'abcdef');
  t.is(fit('abcdefg', 6), 'abcde…');
});

test('only changes are told, each once', (t) => {
  const before = tell({ ...EMPTY, runs: [run('a', 'Queued'), run('b', 'Running'), run('c', 'Succeeded')] });
  const waits = { queue: { message: 'waits for its turn' } };
  const now = tell({ ...EMPTY, runs: [run('a', 'Queued', waits), run('b', 'Running')] });
  t.deepEqual(changes(before, now), ['run n/a: Queued: waits for its turn', 'run n/c: deleted']);
  t.deepEqual(changes(now, now), []);
  const ended = tell({ ...EMPTY, runs: [run('a', 'Queued', waits), run('b', 'Running')] }, 'ended with 1');
  t.deepEqual(changes(now, ended), ['operator: ended with 1']);
});

test('use of a pool counts devices of pods that still run, and of claims', (t) => {
  const snapshot: Snapshot = {
    ...EMPTY,
    nodes: [
      node('l4-0', 'l4', { cpu: '8', 'nvidia.com/gpu': '4' }),
      node('l4-1', 'l4', { cpu: '8', 'nvidia.com/gpu': '4' }),
      node('dra-0', 'dra', { cpu: '8' }),
    ],
    pods: [pod('l4-0', 'Running', '3'), pod('l4-1', 'Succeeded', '2'), pod('elsewhere', 'Running', '1')],
    slices: [
      {
        apiVersion: 'resource.k8s.io/v1',
        kind: 'ResourceSlice',
        metadata: { name: 's' },
        spec: { nodeName: 'dra-0', driver: 'gpu.x', pool: { name: 'dra-0' }, devices: [{}, {}] },
      },
    ],
    claims: [
      {
        apiVersion: 'resource.k8s.io/v1',
        kind: 'ResourceClaim',
        metadata: { name: 'c' },
        status: { allocation: { devices: { results: [{ driver: 'gpu.x', pool: 'dra-0' }] } } },
      },
    ],
  };
  t.deepEqual(poolUse(snapshot), [
    { name: 'dra', nodes: 1, readyNodes: 1, pods: 0, devices: [{ name: 'gpu.x', used: 1, total: 2 }] },
    {
      name: 'l4',
      nodes: 2,
      readyNodes: 2,
      pods: 1,
      devices: [{ name: 'nvidia.com/gpu', used: 3, total: 8 }],
    },
  ]);
});

test('a frame fits the screen', (t) => {
  const runs = Array.from({ length: 30 }, (_, i) => run(`run-${i}`, 'Failed', { error: { message: 'x' } }));
  const roomy = renderFrame({ ...EMPTY, runs }, { columns: 200, rows: 50 });
  t.true(roomy.includes('… and 18 older'));
  const tight = renderFrame({ ...EMPTY, runs }, { columns: 10, rows: 8 });
  t.is(tight.length, 8);
  t.true(tight.every((line) => line.length <= 10));
});
