// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { attachSystem } from '#hack/system/attach';
import { eventually } from '#hack/tools/eventually';
import { phase, run, waits, world } from '../run-world.ts';
import { User } from '../user.ts';

const CLASS = 'rare';
const RESOURCE = 'example.com/rare';
const NODE = 'rare-0';
/** Nobody else's pods are to be on a node that comes and goes. */
const TAINT = 'nvidia.com/gpu';

/** A node with four devices that no other node has. */
function node() {
  const resources = { cpu: '8', memory: '32Gi', pods: '20', [RESOURCE]: '4' };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: NODE, labels: { type: 'kwok', 'kubernetes.io/os': 'linux' } },
    spec: { taints: [{ key: TAINT, value: 'present', effect: 'NoSchedule' }] },
    status: { capacity: resources, allocatable: resources },
  };
}

/** A pod of nobody's tenant that holds all of them. */
function occupant() {
  const resources = { limits: { [RESOURCE]: '4' } };
  const containers = [{ name: 'theirs', image: 'registry.example/theirs:1', resources }];
  const metadata = { name: 'occupant', namespace: 'default' };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName: NODE, containers } };
}

/** The cells of the class in `kubectl get`, by column. */
async function row(user: User): Promise<Readonly<Record<string, string>>> {
  const [header = '', cells = ''] = (await user.does(['get', 'gpuc', CLASS])).split('\n');
  const starts = [...header.matchAll(/\S+/g)].map(({ index }) => index);
  const cut = (line: string) => starts.map((from, i) => line.slice(from, starts[i + 1]).trim());
  const values = cut(cells);
  return Object.fromEntries(cut(header).map((name, i) => [name, values[i] ?? '']));
}

async function shows(user: User, wanted: Readonly<Record<string, string>>): Promise<boolean> {
  const found = await row(user);
  if (Object.entries(wanted).every(([column, value]) => found[column] === value)) return true;
  throw new Error(`found ${JSON.stringify(found)}`);
}

test('kubectl shows what is free of a class; a Run waits for it with a word, and starts when it is free', async (t) => {
  const user = new User(await attachSystem());
  await user.applies({
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'GPUClass',
    metadata: { name: CLASS },
    spec: { resourceName: RESOURCE, tolerations: [{ key: TAINT, operator: 'Exists' }] },
  });
  t.teardown(() => user.does(['delete', 'gpuc', CLASS]));
  await eventually('no node has any', () => shows(user, { CAPACITY: '0', FREE: '0', READY: 'False' }));
  const place = await world(t, 'collector', {
    tenant: { quotas: { gpus: [{ class: CLASS, count: 8 }] } },
    worker: { gpu: { class: CLASS, count: 2 } },
  });
  await user.applies(run(place.namespace, 'early'));
  t.regex(await waits(place, 'early', 'NoNodes'), /no node that it may be on has any/);

  await user.does(['create', '-f', '-'], JSON.stringify(node()));
  t.teardown(() => user.does(['delete', 'node', NODE, '--ignore-not-found']));
  await eventually('it ran on the new node', async () => (await phase(place, 'early')) === 'Succeeded');
  await eventually('all are free', () => shows(user, { CAPACITY: '4', FREE: '4', READY: 'True' }));

  await user.does(['create', '-f', '-'], JSON.stringify(occupant()));
  t.teardown(() => user.does(['delete', 'pod', 'occupant', '-n', 'default', '--ignore-not-found']));
  await eventually('none is free', () => shows(user, { CAPACITY: '4', FREE: '0', READY: 'True' }));
  await user.applies(run(place.namespace, 'late'));
  t.regex(await waits(place, 'late', 'NoFreeDevices'), /asks for 2 devices of class rare/);
  await user.does(['delete', 'pod', 'occupant', '-n', 'default']);
  await eventually('it runs', async () => (await phase(place, 'late')) === 'Succeeded');
  await eventually('all are free again', () => shows(user, { FREE: '4' }));
  await user.does(['delete', 'node', NODE]);
  await eventually('the node is missed', () => shows(user, { CAPACITY: '0', FREE: '0', READY: 'False' }));
});
