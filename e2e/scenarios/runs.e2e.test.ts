// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { attachSystem } from '#hack/system/attach';
import { eventually } from '#hack/tools/eventually';
import { FOREVER, phase, type Run, run, waits, type World, world } from '../run-world.ts';
import { User } from '../user.ts';

interface Pod {
  readonly spec: { readonly nodeName?: string; readonly runtimeClassName?: string };
  readonly status: { readonly phase?: string };
}

test('a Run is followed with wait, get and describe to its end', async (t) => {
  const place = await world(t, 'followed');
  const { user, namespace } = place;
  await user.applies(run(namespace, 'first'));
  await user.does(['wait', '-n', namespace, 'run/first', '--for=condition=Finished', '--timeout=120s']);
  const [header = '', row = ''] = (await user.does(['get', 'runs', '-n', namespace])).split('\n');
  t.deepEqual(header.split(/\s+/).filter(Boolean), ['NAME', 'AGENT', 'PHASE', 'QUEUE', 'REASON', 'AGE']);
  t.regex(row, /^first\s+worker\s+Succeeded\s+Succeeded\s/);
  const described = await user.does(['describe', 'run', 'first', '-n', namespace]);
  for (const said of [/Phase:\s+Succeeded/, /Type:\s+Finished/, /Type:\s+Admitted/]) t.regex(described, said);
  const [agents = '', worker = ''] = (await user.does(['get', 'ag', '-n', namespace])).split('\n');
  t.regex(agents, /^NAME\s+SHAPE\s+GPU\s+READY\s+REVISION\s+ACTIVE\s+QUEUED/);
  t.regex(worker, /^worker\s+job\s+True\s/);
});

test('no more Runs than the tenant may have, the rest say why they wait, and cancel makes room', async (t) => {
  const place = await world(t, 'narrow', { tenant: { quotas: { runs: { maxConcurrent: 1 } } } });
  const { user, namespace } = place;
  await user.applies(run(namespace, 'holds', FOREVER));
  await eventually('the first runs', async () => (await phase(place, 'holds')) === 'Running');
  await user.applies(run(namespace, 'waits'));
  t.regex(await waits(place, 'waits', 'ConcurrencyExceeded'), /\b1\b/);
  t.is((await user.sees<Run>('-n', namespace, 'run/waits'))?.status?.queue?.position, 1);
  t.regex(
    await user.does(['get', 'run', 'waits', '-n', namespace]),
    /waits\s+worker\s+Queued\s+1\s+ConcurrencyExceeded/,
  );
  // Usage is written some seconds late; the first figures are those of namespaces.
  await eventually('the tenant shows that all of it is in use', async () =>
    /\sTrue\s+1\/1\s+1\/1\s/.test(await user.does(['get', 'tn', 'narrow'])),
  );

  await user.does([
    'patch',
    'run',
    'holds',
    '-n',
    namespace,
    '--type=merge',
    '-p',
    '{"spec":{"cancel":true}}',
  ]);
  await eventually('the first is cancelled', async () => (await phase(place, 'holds')) === 'Cancelled');
  await eventually('the next has succeeded', async () => (await phase(place, 'waits')) === 'Succeeded');
  const back = ['patch', 'run', 'holds', '-n', namespace, '--type=merge', '-p', '{"spec":{"cancel":false}}'];
  t.false((await user.tries(back)).ok, 'a cancellation cannot be taken back');
});

test('an Agent limits its own Runs', async (t) => {
  const place = await world(t, 'modest', { worker: { limits: { maxConcurrentRuns: 1 } } });
  await place.user.applies(run(place.namespace, 'holds', FOREVER));
  await eventually('the first runs', async () => (await phase(place, 'holds')) === 'Running');
  await place.user.applies(run(place.namespace, 'waits'));
  t.not(await waits(place, 'waits', 'AgentConcurrencyExceeded'), '');
});

test('a Run of a GPU class has its devices on that pool, within the quota of the tenant', async (t) => {
  const place = await world(t, 'cards', {
    tenant: { quotas: { gpus: [{ class: 'l4', count: 1 }] } },
    worker: { gpu: { class: 'l4' } },
  });
  const { user, namespace } = place;
  await user.applies(run(namespace, 'draws', FOREVER));
  await eventually('it runs', async () => (await phase(place, 'draws')) === 'Running');
  const [pod] = await podsOf(place, 'draws');
  const node = await user.sees<{ readonly metadata: { readonly labels: Record<string, string> } }>(
    `node/${pod?.spec.nodeName}`,
  );
  t.is(node?.metadata.labels['nvidia.com/gpu.product'], 'NVIDIA-L4');
  await user.applies(run(namespace, 'waits'));
  t.regex(await waits(place, 'waits', 'GPUQuotaExceeded'), /l4/);
});

test('a tenant with a long queue does not hold up another', async (t) => {
  const crowd = await world(t, 'crowd', { tenant: { quotas: { runs: { maxConcurrent: 2 } } } });
  const lone = await world(t, 'lone');
  const names = Array.from({ length: 120 }, (_, index) => `many-${index}`);
  await crowd.user.applies(...names.map((name) => run(crowd.namespace, name)));
  await lone.user.applies(run(lone.namespace, 'only'));
  await eventually('the only one has succeeded', async () => (await phase(lone, 'only')) === 'Succeeded');
  const { items = [] } =
    (await crowd.user.sees<{ readonly items: readonly Run[] }>('-n', crowd.namespace, 'runs')) ?? {};
  const queued = items.filter(({ status }) => status?.phase === undefined || status.phase === 'Queued');
  t.true(queued.length > names.length / 2, `${queued.length} of ${names.length} still wait`);
});

test('tier Hard: on nodes of its own, in the sandbox, and nobody else there', async (t) => {
  const user = new User(await attachSystem());
  const dedicated = { 'nexusos.dev/dedicated': 'fortress' };
  const taint = { key: 'nexusos.dev/dedicated', value: 'fortress', effect: 'NoSchedule' };
  const resources = { cpu: '8', memory: '32Gi', pods: '20' };
  await user.does(
    ['create', '-f', '-'],
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'fortress-0', labels: { type: 'kwok', 'kubernetes.io/os': 'linux', ...dedicated } },
      spec: { taints: [taint] },
      status: { capacity: resources, allocatable: resources },
    }),
  );
  t.teardown(() => user.does(['delete', 'node', 'fortress-0']));
  await user.applies({
    apiVersion: 'node.k8s.io/v1',
    kind: 'RuntimeClass',
    metadata: { name: 'sandbox' },
    handler: 'sandbox',
  });
  const isolation = { tier: 'Hard', runtimeClassName: 'sandbox' };
  const place = await world(t, 'fortress', { tenant: { isolation } });
  await user.applies(run(place.namespace, 'inside', FOREVER));
  await eventually('it runs', async () => (await phase(place, 'inside')) === 'Running');
  const [pod] = await podsOf(place, 'inside');
  t.like(pod?.spec, { nodeName: 'fortress-0', runtimeClassName: 'sandbox' });

  const neighbour = await world(t, 'neighbour');
  await user.applies(run(neighbour.namespace, 'outside', FOREVER));
  await eventually('it runs', async () => (await phase(neighbour, 'outside')) === 'Running');
  t.not((await podsOf(neighbour, 'outside'))[0]?.spec.nodeName, 'fortress-0');
});

async function podsOf({ user, namespace }: World, name: string): Promise<readonly Pod[]> {
  const list = await user.sees<{ readonly items: readonly Pod[] }>(
    '-n',
    namespace,
    'pods',
    '-l',
    `nexusos.dev/run=${name}`,
  );
  return list?.items ?? [];
}
