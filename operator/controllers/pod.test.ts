// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import { FINALIZERS, LABELS } from '#crds/v1alpha1/names';
import { eventually } from '#hack/tools/eventually';
import type { KubeObject } from '../core/object.ts';
import { isPodFinished } from '../core/run/outcome.ts';
import { RUNS } from '../core/resources.ts';
import { PODS } from './shared/workloads.ts';
import {
  becomes,
  createRun,
  listAll,
  makeAgent,
  makeTenant,
  type OwnWorkloadRig,
  reservationsOf,
  runOf,
  startWorkloadRig,
} from './testing/workload-rig.ts';

// Of its own: the operator comes and goes.
const test = anyTest.serial as TestFn<OwnWorkloadRig>;
const place = { namespace: 'kept-main' };
const FOREVER = { 'kwok.nexusos.dev/duration': '600s' };

test.before(async (t) => {
  const rig = await startWorkloadRig();
  t.context = rig;
  await makeTenant(rig, 'kept', { namespaces: [{ suffix: 'main' }] });
  await makeAgent(rig, { ...place, name: 'agent' });
});
test.after.always((t) => t.context?.close());

function podsOf(rig: OwnWorkloadRig, run: string): Promise<readonly KubeObject[]> {
  return listAll(rig, PODS, { ...place, labelSelector: `${LABELS.run}=${run}` });
}

async function runs(rig: OwnWorkloadRig, name: string): Promise<void> {
  await createRun(rig, { ...place, name }, { annotations: FOREVER });
  await becomes(rig, { ...place, name }, { phase: 'Running' });
}

/** Deletes the pod of a Run, and waits until its containers have ended. */
async function loses(rig: OwnWorkloadRig, name: string): Promise<void> {
  const [pod] = await podsOf(rig, name);
  await rig.client.delete(PODS, { ...place, name: pod?.metadata.name ?? '' });
  await eventually(`${name} has ended`, async () => (await podsOf(rig, name)).every(isPodFinished));
}

async function isLetGo(rig: OwnWorkloadRig, name: string): Promise<void> {
  await eventually(`the pod of ${name} is gone`, async () => (await podsOf(rig, name)).length === 0);
}

test('the end of a pod that is deleted while no operator is there is known all the same', async (t) => {
  const rig = t.context;
  await runs(rig, 'unseen');
  await rig.restartOperator('kill', async () => {
    await loses(rig, 'unseen');
    t.is((await podsOf(rig, 'unseen')).length, 1, 'it is kept');
  });
  const { status } = await becomes(rig, { ...place, name: 'unseen' }, { phase: 'Failed' });
  t.is(status?.error?.code, 'conflict');
  t.like(status?.usage?.attempts, [{ pods: [{ basis: 'ContainerStatus' }] }]);
  await isLetGo(rig, 'unseen');
});

test('a Run that was deleted while no operator is there leaves nothing behind', async (t) => {
  const rig = t.context;
  await runs(rig, 'orphaned');
  await rig.restartOperator('kill', async () => {
    await rig.client.delete(RUNS, { ...place, name: 'orphaned' });
    await eventually('its pod is being deleted', async () =>
      (await podsOf(rig, 'orphaned')).every(({ metadata }) => metadata.deletionTimestamp !== undefined),
    );
    t.deepEqual(
      (await podsOf(rig, 'orphaned')).map(({ metadata }) => metadata.finalizers),
      [[FINALIZERS.pod]],
    );
  });
  await isLetGo(rig, 'orphaned');
  await eventually('its place is given back', async () => (await reservationsOf(rig, 'kept')).length === 0);
});

test('pods of a Run that has ended stay as long as the Run, and go with it', async (t) => {
  const rig = t.context;
  const key = { ...place, name: 'ended' };
  await createRun(rig, key);
  await becomes(rig, key, { phase: 'Succeeded' });
  await rig.restartOperator('kill');
  const [pod] = await podsOf(rig, 'ended');
  t.is(pod?.metadata.deletionTimestamp, undefined);
  t.deepEqual(pod?.metadata.finalizers, [FINALIZERS.pod]);
  await rig.client.delete(RUNS, key);
  await isLetGo(rig, 'ended');
});

test('a pod whose Run has ended is let go though the Run stays', async (t) => {
  const rig = t.context;
  const key = { ...place, name: 'outlived' };
  await createRun(rig, key);
  const { status } = await becomes(rig, key, { phase: 'Succeeded' });
  await rig.client.delete(PODS, { ...place, name: status?.child?.name ?? '' });
  await isLetGo(rig, 'outlived');
  t.is((await runOf(rig, key))?.status?.phase, 'Succeeded');
});
