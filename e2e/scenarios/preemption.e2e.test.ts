// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { eventually } from '#hack/tools/eventually';
import { FOREVER, phase, run, waits, world } from '../run-world.ts';

const RUNS = { maxConcurrent: 1, preemption: 'LowerPriority' };

test('an urgent Run ends one of lower priority where the tenant allows it, which goes on when that has ended', async (t) => {
  const place = await world(t, 'urgency', { tenant: { quotas: { runs: RUNS } } });
  const { user, namespace } = place;
  const isIn = (name: string, wanted: string) =>
    eventually(`${name} is ${wanted}`, async () => (await phase(place, name)) === wanted);
  await user.applies(run(namespace, 'batch', FOREVER));
  await isIn('batch', 'Running');
  await user.applies(run(namespace, 'dry', { spec: { priority: 10, dryRun: true } }));
  t.regex(await waits(place, 'dry', 'DryRun'), /Preempting.*urgency-main\/batch/);
  t.is(await phase(place, 'batch'), 'Running');

  await user.applies(run(namespace, 'urgent', { ...FOREVER, spec: { priority: 10 } }));
  await isIn('urgent', 'Running');
  await isIn('batch', 'Queued');
  const { status } = (await user.sees<{
    readonly status: { readonly preemptions?: number; readonly retries?: object };
  }>('-n', namespace, 'run/batch'))!;
  t.like(status, { preemptions: 1, retries: undefined });
  const about = ['get', 'events', '-n', namespace, '--field-selector', 'reason=Preempted', '-o', 'name'];
  await eventually('one Event tells of it', async () => (await user.does(about)).trim() !== '');
  t.regex(
    await user.does([...about.slice(0, -1), 'jsonpath={.items[*].message}']),
    /made room for Run urgency-main\/urgent of priority 10/,
  );

  await user.applies(run(namespace, 'late', { spec: { priority: 5 } }));
  await waits(place, 'late', 'ConcurrencyExceeded');
  t.is(await phase(place, 'urgent'), 'Running');

  await user.does([
    'patch',
    'run',
    'urgent',
    '-n',
    namespace,
    '--type=merge',
    '-p',
    '{"spec":{"cancel":true}}',
  ]);
  await isIn('late', 'Succeeded');
  await isIn('batch', 'Running');
});

test('Runs of an Agent that is not preemptible are never ended for others', async (t) => {
  const place = await world(t, 'untouched', {
    tenant: { quotas: { runs: RUNS } },
    worker: { preemptible: false },
  });
  const { user, namespace } = place;
  await user.applies(run(namespace, 'batch', FOREVER));
  await eventually('it runs', async () => (await phase(place, 'batch')) === 'Running');
  await user.applies(run(namespace, 'urgent', { spec: { priority: 10 } }));
  await waits(place, 'urgent', 'ConcurrencyExceeded');
  t.is(await phase(place, 'batch'), 'Running');
});
