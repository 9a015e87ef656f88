// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import { eventually } from '#hack/tools/eventually';
import {
  attachWorkloadRig,
  becomes,
  createRun,
  makeAgent,
  makeTenant,
  runOf,
  type WorkloadRig,
} from './testing/workload-rig.ts';
import { RUNS } from '../core/resources.ts';

const test = anyTest.serial as TestFn<WorkloadRig>;
const namespace = 'aging-main';

test.before(async (t) => {
  const rig = await attachWorkloadRig();
  t.context = rig;
  await makeTenant(rig, 'aging', {
    namespaces: [{ suffix: 'main' }],
    quotas: { runs: { maxConcurrent: 1, priorityAgingSeconds: 1 } },
  });
  await makeAgent(rig, { namespace, name: 'agent' });
});
test.after.always((t) => t.context.close());

test('a Run that has waited for longer than the priority of others is worth goes before them', async (t) => {
  const rig = t.context;
  const annotations = { 'kwok.nexusos.dev/duration': '600s' };
  const create = (name: string, priority: number) =>
    createRun(rig, { namespace, name }, { annotations, spec: { priority } });
  const ends = (name: string) =>
    rig.client.patch(RUNS, { namespace, name }, { body: { spec: { cancel: true } } });
  const waits = (name: string) =>
    becomes(rig, { namespace, name }, { phase: 'Queued', reason: 'ConcurrencyExceeded' });
  await create('first', 0);
  await becomes(rig, { namespace, name: 'first' }, { phase: 'Running' });
  await create('patient', 0);
  const { metadata } = await waits('patient');
  const createdMs = Date.parse(metadata.creationTimestamp ?? '');
  await eventually('it has waited for more than three seconds', () => Date.now() - createdMs > 4000);
  await create('hasty', 3);
  await waits('hasty');
  await create('urgent', 1000);
  await waits('urgent');

  await ends('first');
  await becomes(rig, { namespace, name: 'urgent' }, { phase: 'Running' });
  await ends('urgent');
  await becomes(rig, { namespace, name: 'patient' }, { phase: 'Running' });
  t.is((await runOf(rig, { namespace, name: 'hasty' }))?.status?.phase, 'Queued');
  await ends('patient');
  await becomes(rig, { namespace, name: 'hasty' }, { phase: 'Running' });
  await ends('hasty');
});
