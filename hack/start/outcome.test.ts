// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject } from '#operator/core/object';
import { isSettled, judge } from './outcome.ts';
import type { Snapshot } from './snapshot.ts';

function object(kind: string, name: string, rest: Readonly<Record<string, unknown>> = {}): KubeObject {
  const { labels, namespace, ...fields } = rest;
  const metadata = {
    name,
    uid: `uid-of-${name}`,
    ...(labels !== undefined && { labels }),
    ...(namespace !== undefined && { namespace }),
  };
  return { apiVersion: 'v1', kind, metadata, ...fields } as KubeObject;
}

const READY = { conditions: [{ type: 'Ready', status: 'True', reason: 'Fine', message: '' }] };
const NOT_READY = { conditions: [{ type: 'Ready', status: 'False', reason: 'Slow', message: 'not yet' }] };

/** One tenant, an agent on an L4 and one without GPU, a Run of each, and a node for each. */
function snapshot(changes: Partial<Snapshot> = {}): Snapshot {
  const namespace = 'acme-prod';
  const run = (name: string, agent: string) =>
    object('Run', name, { namespace, spec: { agentRef: { name: agent } }, status: { phase: 'Succeeded' } });
  return {
    tenants: [object('Tenant', 'acme', { status: READY })],
    agents: [
      object('Agent', 'seer', { namespace, spec: { gpu: { class: 'l4', count: 1 } }, status: READY }),
      object('Agent', 'scribe', { namespace, spec: {}, status: READY }),
    ],
    runs: [run('sees', 'seer'), run('writes', 'scribe')],
    gpuClasses: [
      object('GPUClass', 'l4', {
        spec: { resourceName: 'nvidia.com/gpu', nodeSelector: { 'nvidia.com/gpu.product': 'NVIDIA-L4' } },
      }),
    ],
    nodes: [
      object('Node', 'l4-0', {
        labels: {
          'nexusos.dev/node-pool': 'l4',
          'nvidia.com/gpu.present': 'true',
          'nvidia.com/gpu.product': 'NVIDIA-L4',
        },
      }),
      object('Node', 'cpu-0', { labels: { 'nexusos.dev/node-pool': 'cpu' } }),
    ],
    pods: [pod('sees', 'l4-0', '1'), pod('writes', 'cpu-0')],
    claims: [],
    slices: [],
    ...changes,
  };
}

function pod(run: string, nodeName: string, gpus?: string): KubeObject {
  return object('Pod', `${run}-pod`, {
    labels: { 'nexusos.dev/run-uid': `uid-of-${run}` },
    spec: {
      nodeName,
      containers: [{ resources: { limits: { ...(gpus !== undefined && { 'nvidia.com/gpu': gpus }) } } }],
    },
  });
}

test('what the samples promise is kept', (t) => {
  t.deepEqual(
    judge(snapshot()).map(({ what, ok, detail }) => [what, ok, detail]),
    [
      ['tenants Ready', true, '1 of 1'],
      ['agents Ready', true, '2 of 2'],
      ['runs Succeeded', true, '2 of 2'],
      ['runs on their node pools', true, '2 of 2'],
    ],
  );
  t.true(isSettled(snapshot()));
});

const BROKEN: Readonly<Record<string, { changes: Partial<Snapshot>; want: readonly [string, RegExp] }>> = {
  'nothing at all is no success': { changes: { runs: [] }, want: ['runs Succeeded', /0 of 0/] },
  'a tenant that is not Ready': {
    changes: { tenants: [object('Tenant', 'acme', { status: NOT_READY })] },
    want: ['tenants Ready', /0 of 1; acme: not yet/],
  },
  'a Run that failed': {
    changes: { runs: [object('Run', 'r', { namespace: 'n', spec: {}, status: { phase: 'Failed' } })] },
    want: ['runs Succeeded', /n\/r: Failed/],
  },
  'a GPU Run on a CPU node': {
    changes: { pods: [pod('sees', 'cpu-0', '1'), pod('writes', 'cpu-0')] },
    want: ['runs on their node pools', /its class is l4, and it is on cpu/],
  },
  'a GPU Run that got no GPU': {
    changes: { pods: [pod('sees', 'l4-0'), pod('writes', 'cpu-0')] },
    want: ['runs on their node pools', /holds no nvidia\.com\/gpu/],
  },
  'a Run without GPU on a GPU node': {
    changes: { pods: [pod('sees', 'l4-0', '1'), pod('writes', 'l4-0')] },
    want: ['runs on their node pools', /writes: needs no GPU and is on l4/],
  },
  'a Run that never had a pod': {
    changes: { pods: [pod('sees', 'l4-0', '1')] },
    want: ['runs on their node pools', /writes: no pod of it is on a node/],
  },
};

for (const [title, { changes, want }] of Object.entries(BROKEN)) {
  test(`noticed: ${title}`, (t) => {
    const verdict = judge(snapshot(changes)).find((one) => one.what === want[0]);
    t.false(verdict!.ok);
    t.regex(verdict!.detail, want[1]);
  });
}

test('it is not settled while a Run is under way or a tenant was not looked at', (t) => {
  const running = object('Run', 'r', { namespace: 'n', spec: {}, status: { phase: 'Running' } });
  t.false(isSettled(snapshot({ runs: [running] })));
  t.false(isSettled(snapshot({ tenants: [object('Tenant', 'new')] })));
  t.false(isSettled(snapshot({ runs: [] })));
});
