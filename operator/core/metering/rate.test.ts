// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { GPUClassSpec } from '#crds/v1alpha1/gpu-class';
import { makeAgent, makeClass } from '../run/testing/make.ts';
import { rateOf, shareOf } from './rate.ts';

const MIG = { sharing: 'Partitioned', resourceName: 'nvidia.com/mig-3g.20gb' } as const;

const shares: Record<string, { readonly spec: Partial<GPUClassSpec>; readonly want: string }> = {
  'whole cards': { spec: {}, want: '1/1' },
  'a MIG profile': { spec: MIG, want: '3/7' },
  'a compute instance of a MIG profile': {
    spec: { ...MIG, resourceName: 'nvidia.com/mig-1c.3g.20gb' },
    want: '1/7',
  },
  'a MIG profile with attributes': {
    spec: { ...MIG, resourceName: 'nvidia.com/mig-1g.10gb.me' },
    want: '1/7',
  },
  'a card with another number of slices, as its class says': {
    spec: { ...MIG, share: { parts: 2, of: 4 } },
    want: '2/4',
  },
  'time-slicing of which nobody has said how many share a card': {
    spec: { sharing: 'Shared', resourceName: 'nvidia.com/gpu.shared' },
    want: '1/1',
  },
  'time-slicing in eight': {
    spec: { sharing: 'Shared', resourceName: 'nvidia.com/gpu.shared', share: { parts: 1, of: 8 } },
    want: '1/8',
  },
  'a name that only looks like a profile': {
    spec: { ...MIG, resourceName: 'example.com/mig-9g.20gb' },
    want: '1/1',
  },
};

for (const [name, { spec, want }] of Object.entries(shares)) {
  test(`share: ${name}`, (t) => {
    const { parts, of } = shareOf(makeClass('c', spec).spec);
    t.is(`${parts}/${of}`, want);
  });
}

test('an attempt is charged by what it reserves, tier and class', (t) => {
  const agent = makeAgent({ tier: 'heavy' }).spec;
  const resources = { requests: { cpu: '1500m', memory: '2Gi' }, limits: {} };
  const gpu = { class: makeClass('a100-3g', { ...MIG, multiplierPercent: 150 }), count: 2 };
  t.deepEqual(rateOf({ agent, resources, gpu, timeoutSeconds: 600 }), {
    formula: 1,
    tier: 'heavy',
    tierPercent: 150,
    cpuMillicores: 1500,
    memoryBytes: 2 * 1024 ** 3,
    gpu: { class: 'a100-3g', count: 2, parts: 3, of: 7, multiplierPercent: 150 },
    maxSeconds: 630,
  });
});

test('an attempt that reserves nothing, or more than an API number holds', (t) => {
  const agent = makeAgent().spec;
  const none = rateOf({ agent, resources: { requests: {}, limits: {} }, timeoutSeconds: 600 });
  t.like(none, { cpuMillicores: 0, memoryBytes: 0 });
  const much = rateOf({
    agent,
    resources: { requests: { cpu: '9E', memory: '9E' }, limits: {} },
    timeoutSeconds: 600,
  });
  t.like(much, { cpuMillicores: Number.MAX_SAFE_INTEGER, memoryBytes: Number.MAX_SAFE_INTEGER });
});
