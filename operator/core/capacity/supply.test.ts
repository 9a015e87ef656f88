// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { LABELS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../object.ts';
import { makeClass } from '../run/testing/make.ts';
import { sumDevices } from './class-status.ts';
import { requestedDevices } from './pod-devices.ts';
import { deviceSelection } from './resource-slices.ts';
import type { ClassSupply, SupplySources } from './supply.ts';
import { GPU, makeHolder, makeNode, supplyOf } from './testing/make.ts';

const TAINT = { key: GPU, value: 'present', effect: 'NoSchedule' };
const H100 = makeClass('h100', { nodeSelector: { product: 'H100' } });
const ALSO_H100 = makeClass('also-h100', { nodeSelector: { product: 'H100' } });
const DRA = makeClass('dra', { deviceClassName: 'gpu.nvidia.com' });

function slice(node: string, more: object = {}): KubeObject {
  const devices = ['gpu-0', 'gpu-1', 'gpu-2'].map((name) => ({
    name,
    attributes: { type: { string: 'gpu' } },
  }));
  const pool = { name: node, generation: 1, resourceSliceCount: 1 };
  const metadata = { name: `slice-of-${node}` };
  const spec = { driver: 'gpu.nvidia.com', nodeName: node, pool, devices, ...more };
  return { apiVersion: 'resource.k8s.io/v1', kind: 'ResourceSlice', metadata, spec };
}

function deviceClass(expression: string): KubeObject {
  const spec = { selectors: [{ cel: { expression } }] };
  return {
    apiVersion: 'resource.k8s.io/v1',
    kind: 'DeviceClass',
    metadata: { name: 'gpu.nvidia.com' },
    spec,
  };
}

function claim(device: string, more: object = {}): KubeObject {
  const results = [{ driver: 'gpu.nvidia.com', pool: 'd', device, request: 'gpu', ...more }];
  const metadata = { name: device, namespace: 'x', labels: { [LABELS.runUid]: 'run-1' } };
  const status = { allocation: { devices: { results } } };
  return { apiVersion: 'resource.k8s.io/v1', kind: 'ResourceClaim', metadata, status };
}

const NVIDIA = deviceClass(
  `device.driver == 'gpu.nvidia.com' && device.attributes["gpu.nvidia.com"].type == "gpu"`,
);
const ON_DEMAND = { gpuClasses: [DRA], nodes: [makeNode('d', { gpus: 0 })], deviceClasses: [NVIDIA] };

interface Case {
  readonly given: Partial<SupplySources>;
  /** nodes, capacity, allocated, free, largestFree of each class. */
  readonly want: Readonly<Record<string, readonly number[]>>;
}

const CASES: Readonly<Record<string, Case>> = {
  'devices of nodes are counted, and the largest block is on one node': {
    given: {
      nodes: [makeNode('a'), makeNode('b', { gpus: 4 })],
      pods: [makeHolder('a', 5), makeHolder('a', 1)],
    },
    want: { gpu: [2, 12, 6, 6, 4] },
  },
  'a cordoned node, one that is not ready and one that nobody hears of have none that are free': {
    given: {
      nodes: [
        makeNode('a', { cordoned: true }),
        makeNode('b', { ready: 'False' }),
        makeNode('c', { ready: 'Unknown' }),
      ],
      pods: [makeHolder('a', 2)],
    },
    want: { gpu: [3, 24, 2, 0, 0] },
  },
  'nor has a node under pressure': {
    given: {
      nodes: [makeNode('a', { taints: [{ key: 'node.kubernetes.io/disk-pressure', effect: 'NoSchedule' }] })],
    },
    want: { gpu: [1, 8, 0, 0, 0] },
  },
  'a node that is being deleted neither': {
    given: {
      nodes: [{ ...makeNode('a'), metadata: { name: 'a', deletionTimestamp: '2026-11-21T12:00:00Z' } }],
    },
    want: { gpu: [1, 8, 0, 0, 0] },
  },
  'a pod that has ended holds nothing': {
    given: { nodes: [makeNode('a')], pods: [{ ...makeHolder('a', 8), status: { phase: 'Succeeded' } }] },
    want: { gpu: [1, 8, 0, 8, 8] },
  },
  'a node whose taint the class does not tolerate, or whose labels it does not select, is not of the class': {
    given: {
      gpuClasses: [H100, makeClass('tolerant', { tolerations: [{ key: GPU, operator: 'Exists' }] })],
      nodes: [
        makeNode('a', { taints: [TAINT] }),
        makeNode('b', { labels: { product: 'H100' }, taints: [TAINT] }),
      ],
    },
    want: { h100: [0, 0, 0, 0, 0], tolerant: [2, 16, 0, 16, 8] },
  },
  'a toleration compares value and effect': {
    given: {
      gpuClasses: [
        makeClass('other', { tolerations: [{ key: GPU, value: 'absent' }] }),
        makeClass('same', { tolerations: [{ key: GPU, value: 'present', effect: 'NoSchedule' }] }),
      ],
      nodes: [makeNode('a', { taints: [TAINT] })],
    },
    want: { other: [0, 0, 0, 0, 0], same: [1, 8, 0, 8, 8] },
  },
  'two classes of the same devices count the same ones': {
    given: {
      gpuClasses: [H100, ALSO_H100],
      nodes: [makeNode('a', { labels: { product: 'H100' } })],
      pods: [makeHolder('a', 3)],
    },
    want: { h100: [1, 8, 3, 5, 5], 'also-h100': [1, 8, 3, 5, 5] },
  },
  'devices of dynamic resource allocation are counted one by one': {
    given: { ...ON_DEMAND, slices: [slice('d')], claims: [claim('gpu-1'), claim('gpu-9')] },
    want: { dra: [1, 3, 1, 2, 2] },
  },
  'an administrator who looks at a device takes none': {
    given: { ...ON_DEMAND, slices: [slice('d')], claims: [claim('gpu-1', { adminAccess: true })] },
    want: { dra: [1, 3, 0, 3, 3] },
  },
  'only the newest generation of a pool counts': {
    given: {
      ...ON_DEMAND,
      slices: [slice('d'), slice('d', { pool: { name: 'd', generation: 2 }, devices: [{ name: 'gpu-0' }] })],
    },
    want: { dra: [0, 0, 0, 0, 0] },
  },
  'a device with a taint is not offered': {
    given: {
      ...ON_DEMAND,
      deviceClasses: [deviceClass(`device.driver == "gpu.nvidia.com"`)],
      slices: [slice('d', { devices: [{ name: 'a', taints: [{ effect: 'NoExecute' }] }, { name: 'b' }] })],
    },
    want: { dra: [1, 1, 0, 1, 1] },
  },
};

for (const [sentence, { given, want }] of Object.entries(CASES)) {
  test(sentence, (t) => {
    const supply = supplyOf(given);
    for (const [name, figures] of Object.entries(want)) {
      const sums = sumDevices(supply.classes.get(name)?.places ?? [], supply);
      const { nodes, capacity, allocated, free, largestFree } = sums;
      t.deepEqual([nodes, capacity, allocated, free, largestFree], figures, name);
    }
  });
}

const UNCOUNTED: Readonly<
  Record<
    string,
    { readonly given: Partial<SupplySources>; readonly want: NonNullable<ClassSupply['uncounted']> }
  >
> = {
  'a DeviceClass that is not there': { given: { deviceClasses: [] }, want: 'DeviceClassNotFound' },
  'a selector that is more than equality': {
    given: { deviceClasses: [deviceClass(`device.capacity["x"].memory.isGreaterThan(quantity("40Gi"))`)] },
    want: 'NotCounted',
  },
  'a device that hangs on no one node': {
    given: { deviceClasses: [NVIDIA], slices: [slice('d', { nodeName: undefined, allNodes: true })] },
    want: 'NotCounted',
  },
  'devices that share their parts': {
    given: {
      deviceClasses: [deviceClass(`device.driver == 'gpu.nvidia.com'`)],
      slices: [slice('d', { devices: [{ name: 'mig', consumesCounters: [{}] }] })],
    },
    want: 'NotCounted',
  },
};

for (const [sentence, { given, want }] of Object.entries(UNCOUNTED)) {
  test(`not counted: ${sentence}`, (t) => {
    const supply = supplyOf({ gpuClasses: [DRA], nodes: [makeNode('d')], ...given });
    t.is(supply.classes.get('dra')?.uncounted, want);
  });
}

test('a Run is seated when its pod is on a node with devices, or its claim has them', (t) => {
  const supply = supplyOf({
    ...ON_DEMAND,
    pods: [makeHolder('d', 1, 'run-2'), makeHolder('d', 1)],
    claims: [claim('gpu-1')],
  });
  t.deepEqual([...supply.seated.keys()].toSorted(), ['run-1', 'run-2']);
});

function asks(gpus: number, more: object = {}) {
  return { resources: { limits: { [GPU]: String(gpus) } }, ...more };
}

function askedBy(initContainers: readonly object[], containers: readonly object[]) {
  const spec = { initContainers, containers };
  return requestedDevices({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec });
}

test('a pod asks for its containers and sidecars together, or for its largest init container', (t) => {
  t.deepEqual(askedBy([], [asks(1), asks(2), { resources: { requests: { cpu: '1' } } }]), { [GPU]: 3 });
  t.deepEqual(askedBy([asks(4)], [asks(1)]), { [GPU]: 4 });
  t.deepEqual(askedBy([asks(1, { restartPolicy: 'Always' }), asks(4)], [asks(2)]), { [GPU]: 5 });
  t.deepEqual(askedBy([], [{}]), {});
});

test('a DeviceClass without selectors selects every device', (t) => {
  const all = deviceSelection({ ...NVIDIA, spec: {} });
  t.true(all?.({ id: 'x', driver: 'any', node: 'n', attributes: new Map() }));
});
