// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import test from 'ava';
import { attachSystem } from '#hack/system/attach';
import { eventually } from '#hack/tools/eventually';
import { FOREVER, phase, type Run, run, waits, type World, world } from '../run-world.ts';
import { User } from '../user.ts';

const CLASS = 'scarce';
const RESOURCE = 'example.com/scarce';
const TAINT = 'nvidia.com/gpu';
const NODES = ['scarce-0', 'scarce-1', 'scarce-2'];

/** A node with two devices that no others have. */
function node(name: string) {
  const resources = { cpu: '8', memory: '32Gi', pods: '20', [RESOURCE]: '2' };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { type: 'kwok', 'kubernetes.io/os': 'linux' } },
    spec: { taints: [{ key: TAINT, value: 'present', effect: 'NoSchedule' }] },
    status: { capacity: resources, allocatable: resources },
  };
}

interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly creationTimestamp: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly phase: string;
    readonly containerStatuses?: readonly [
      {
        readonly state: { readonly terminated?: { readonly startedAt: string; readonly finishedAt: string } };
      },
    ];
  };
}

async function podsOf({ user, namespace }: World, name: string): Promise<readonly Pod[]> {
  const found = await user.does([
    'get',
    'pods',
    '-n',
    namespace,
    '-l',
    `nexusos.dev/run=${name}`,
    '-o',
    'json',
  ]);
  return (JSON.parse(found) as { readonly items: readonly Pod[] }).items;
}

/** From when a Run had its first pod to when its last container had ended, in milliseconds. */
async function spanOf(place: World, name: string): Promise<readonly [number, number]> {
  const pods = await podsOf(place, name);
  const begins = pods.map(({ metadata }) => Date.parse(metadata.creationTimestamp));
  const ends = pods.map(({ status }) =>
    Date.parse(status.containerStatuses?.[0].state.terminated?.finishedAt ?? ''),
  );
  return [Math.min(...begins), Math.max(...ends)];
}

test('of gangs that fit one at a time none holds a part of the devices: one after the other runs, and all end', async (t) => {
  const user = new User(await attachSystem());
  const spec = { resourceName: RESOURCE, tolerations: [{ key: TAINT, operator: 'Exists' }] };
  await user.applies({
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'GPUClass',
    metadata: { name: CLASS },
    spec,
  });
  t.teardown(() => user.does(['delete', 'gpuc', CLASS]));
  for (const name of NODES) {
    await user.does(['create', '-f', '-'], JSON.stringify(node(name)));
    t.teardown(() => user.does(['delete', 'node', name, '--ignore-not-found']));
  }
  // All six devices, on three nodes: whoever has one of them keeps every other from starting.
  const choice = {
    tenant: { quotas: { gpus: [{ class: CLASS, count: 6 }] } },
    worker: { gpu: { class: CLASS, count: 2 }, gang: { pods: 3 } },
  };
  const places = [await world(t, 'quartet', choice), await world(t, 'sextet', choice)] as const;
  const runs = places.flatMap((place) => ['first', 'second'].map((name) => ({ place, name })));
  const annotations = { 'kwok.nexusos.dev/duration': '2s' };
  await Promise.all(runs.map(({ place, name }) => user.applies(run(place.namespace, name, { annotations }))));

  await eventually('one waits and says for how much', async () => {
    const said = await Promise.all(
      runs.map(({ place, name }) => user.condition('Ready', '-n', place.namespace, `run/${name}`)),
    );
    return said.some((one) =>
      /asks for 6 devices of class scarce, for 3 pods with 2 each; \d are free now/.test(one?.message ?? ''),
    );
  });
  for (const { place, name } of runs) {
    await eventually(
      `${place.namespace}/${name} has succeeded`,
      async () => (await phase(place, name)) === 'Succeeded',
    );
  }
  const spans = await Promise.all(runs.map(({ place, name }) => spanOf(place, name)));
  const inOrder = spans.toSorted(([a], [b]) => a - b);
  for (const [i, [begins]] of inOrder.entries()) {
    const before = inOrder[i - 1];
    t.true(before === undefined || begins >= before[1], `${JSON.stringify(inOrder)} overlap`);
  }
  for (const { place, name } of runs) {
    const pods = await podsOf(place, name);
    t.is(pods.length, 3);
    t.is(new Set(pods.map((pod) => pod.spec.nodeName)).size, 3, 'two devices are on one node');
  }
});

test('a gang of which not all pods can be made in time gives all back, waits, and starts when there is room', async (t) => {
  const worker = { gang: { pods: 3, startTimeoutSeconds: 10 } };
  const place = await world(t, 'septet', { worker });
  const { user, namespace } = place;
  // Of somebody else: the ledger knows nothing of it, so the Run is admitted.
  const metadata = { name: 'theirs', namespace };
  await user.does(
    ['create', '-f', '-'],
    JSON.stringify({ apiVersion: 'v1', kind: 'ResourceQuota', metadata, spec: { hard: { pods: '2' } } }),
  );
  await eventually('it is counted', async () => {
    const found = await user.does(['get', 'resourcequota', 'theirs', '-n', namespace, '-o', 'json']);
    const { status } = JSON.parse(found) as { readonly status?: { readonly hard?: object } };
    return status?.hard !== undefined;
  });
  await user.applies(run(namespace, 'short', FOREVER));
  await eventually('two of three are there', async () => (await podsOf(place, 'short')).length === 2);
  const message = await waits(place, 'short', 'GangNotStarted');
  t.regex(message, /of its 3 pods 2 were made and 2 started, .*exceeded quota: theirs/);
  await eventually('it is back in the queue', async () => (await phase(place, 'short')) === 'Queued');
  const live = (await podsOf(place, 'short')).filter((pod) => pod.status.phase === 'Running');
  t.deepEqual(live, [], 'the two that were made are ended');
  await user.does(['delete', 'resourcequota', 'theirs', '-n', namespace]);
  await eventually('it runs', async () => (await phase(place, 'short')) === 'Running');
  const found = await user.sees<Run>('-n', namespace, 'run/short');
  t.like(found?.status, { attempt: 2, retries: undefined });
});

/** A pod as a tenant would make it. */
function plainPod(namespace: string, metadata: object) {
  const resources = { requests: { cpu: '100m', memory: '64Mi' } };
  const capabilities = { drop: ['ALL'] };
  const securityContext = { allowPrivilegeEscalation: false, capabilities };
  const image = { image: 'registry.example/evil:1', imagePullPolicy: 'Always' };
  const containers = [{ name: 'agent', ...image, resources, securityContext }];
  const spec = {
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    containers,
  };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { namespace, ...metadata }, spec };
}

test('what looks like a pod of a gang is none: its labels are refused, and what it shares cannot be taken away', async (t) => {
  const place = await world(t, 'octet', { worker: { gang: { pods: 3 } } });
  const { user, namespace } = place;
  await user.applies(run(namespace, 'model', FOREVER));
  await eventually('it runs', async () => (await phase(place, 'model')) === 'Running');
  const [first] = await podsOf(place, 'model');
  const { labels } = first!.metadata;
  const as = '--as=octet-admin';
  const index = { 'nexusos.dev/index': '0', 'nexusos.dev/attempt': '1' };
  const forgeries = [
    { forged: labels, told: /NexusOS makes (this|its pods)/ },
    { forged: index, told: /nexusos\.dev\/index=0/ },
  ];
  for (const { forged, told } of forgeries) {
    const pod = JSON.stringify(plainPod(namespace, { name: 'forged', labels: forged }));
    const said = await user.tries(['create', as, '-f', '-'], pod);
    t.false(said.ok);
    t.regex(said.text, told);
  }
  const service = ['service', '-n', namespace, '-l', 'nexusos.dev/run=model'];
  const said = await user.tries(['delete', as, ...service]);
  t.false(said.ok);
  t.regex(said.text, /NexusOS makes this/);
});

test('who takes the name of a pod of a gang has it, and the Run fails whole, with nothing left of it', async (t) => {
  const place = await world(t, 'nonet', { worker: { gang: { pods: 3 } } });
  const { user, namespace } = place;
  await user.applies(run(namespace, 'robbed', { ...FOREVER, spec: { suspend: true } }));
  const { uid } = (await user.sees<{ readonly metadata: { readonly uid: string } }>(
    '-n',
    namespace,
    'run/robbed',
  ))!.metadata;
  const digest = createHash('sha256').update(uid).digest('hex').slice(0, 10);
  const name = `robbed-${digest}-1-1`;
  await user.does(['create', '--as=nonet-admin', '-f', '-'], JSON.stringify(plainPod(namespace, { name })));
  await user.does([
    'patch',
    'run',
    'robbed',
    '-n',
    namespace,
    '--type=merge',
    '-p',
    '{"spec":{"suspend":false}}',
  ]);
  const message = await waits(place, 'robbed', 'WorkloadRefused');
  await eventually('it has failed', async () => (await phase(place, 'robbed')) === 'Failed');
  t.regex(message, new RegExp(`Pod ${namespace}/${name} exists`));
  const left = (await podsOf(place, 'robbed')).filter((pod) => pod.status.phase === 'Running');
  t.deepEqual(left, []);
  t.is(
    (await user.sees<Pod>('-n', namespace, `pod/${name}`))?.status.phase !== 'Failed',
    true,
    'theirs is theirs',
  );
});
