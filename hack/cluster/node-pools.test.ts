// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { defaultNodePoolsFile, nodePoolObjects, parseNodePools, readNodePools } from './node-pools.ts';

const good = `
pools:
  - name: small
    nodes: 2
    labels: { zone: a }
    taints: [{ key: nvidia.com/gpu, value: present, effect: NoSchedule }]
    resources: { cpu: "4", memory: 8Gi, pods: "10", nvidia.com/gpu: "1" }
`;

const refused = {
  'no pools at all': { text: 'pools: []', want: /pools: / },
  'an empty file': { text: '', want: /file: / },
  'text that is not YAML': { text: 'pools: [', want: /does not describe node pools/ },
  'a field that does not exist': {
    text: good.replace('nodes: 2', 'nodes: 2\n    count: 3'),
    want: /pools\.0: .*count/,
  },
  'no nodes': { text: good.replace('nodes: 2', 'nodes: 0'), want: /pools\.0\.nodes: / },
  'a name that no node may have': {
    text: good.replace('small', 'Small_Pool'),
    want: /pools\.0\.name: must be lower-case/,
  },
  'a resource that is no quantity': {
    text: good.replace('8Gi', 'lots'),
    want: /resources\.memory: must be a quantity/,
  },
  'a resource without quotes': { text: good.replace('cpu: "4"', 'cpu: 4'), want: /resources\.cpu: / },
  'no cpu': { text: good.replace('cpu: "4", ', ''), want: /resources: must tell cpu, memory and pods/ },
  'an effect that does not exist': { text: good.replace('NoSchedule', 'Never'), want: /taints\.0\.effect: / },
  'the same name twice': {
    text: good + good.replace('\npools:\n', ''),
    want: /pools: two pools have the same name/,
  },
};

for (const [title, { text, want }] of Object.entries(refused)) {
  test(`refused: ${title}`, (t) => {
    const error = t.throws(() => parseNodePools(text, 'pools.yaml'));
    t.regex(error.message, /^pools\.yaml does not describe node pools:\n/);
    t.regex(error.message, want);
  });
}

test('a pool becomes nodes with its labels, taints and resources', (t) => {
  const objects = nodePoolObjects(parseNodePools(good, 'pools.yaml'));
  t.deepEqual(
    objects.map(({ path }) => path),
    ['/api/v1/nodes', '/api/v1/nodes'],
  );
  t.like(objects[1]?.object, {
    metadata: {
      name: 'small-1',
      labels: {
        'nexusos.dev/node-pool': 'small',
        type: 'kwok',
        zone: 'a',
        'kubernetes.io/hostname': 'small-1',
      },
    },
    spec: { taints: [{ key: 'nvidia.com/gpu', value: 'present', effect: 'NoSchedule' }] },
    status: { allocatable: { cpu: '4', 'nvidia.com/gpu': '1' } },
  });
});

test('the pools we ship: one without GPUs, H100, A100 by MIG and L4, every GPU node tainted', async (t) => {
  const pools = await readNodePools(defaultNodePoolsFile);
  t.deepEqual(
    pools.map(({ name }) => name),
    ['cpu', 'h100', 'a100-mig', 'l4', 'h100-dra'],
  );
  for (const { name, labels, taints } of pools.filter((pool) => pool.name !== 'cpu')) {
    t.truthy(labels['nvidia.com/gpu.product'], name);
    t.deepEqual(taints, [{ key: 'nvidia.com/gpu', value: 'present', effect: 'NoSchedule' }], name);
  }
});
