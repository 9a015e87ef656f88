// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import type { Run } from '../core/run/run.ts';
import { RUNS } from '../core/resources.ts';
import { tally } from './testing/concurrency.ts';
import {
  attachWorkloadRig,
  becomes,
  createRun,
  makeAgent,
  makeTenant,
  type WorkloadRig,
} from './testing/workload-rig.ts';

const test = anyTest.serial as TestFn<WorkloadRig>;
const namespace = 'session-main';

test.before(async (t) => {
  const rig = await attachWorkloadRig();
  t.context = rig;
  await makeTenant(rig, 'session', { namespaces: [{ suffix: 'main' }] });
  await makeAgent(rig, { namespace, name: 'agent' });
});
test.after.always((t) => t.context.close());

function isUnderWay(run: Run, session: string): boolean {
  const { phase = 'Queued' } = run.status ?? {};
  return run.spec.session === session && ['Admitted', 'Running'].includes(phase);
}

/** Number of the reservation by which a Run was admitted: the order in which Runs of a tenant start. */
function serialOf({ status }: Run): number {
  return status?.usage?.attempts?.[0]?.reservation ?? 0;
}

test('Runs of a session go one after the other in the order of their creation, and no other waits for them', async (t) => {
  const rig = t.context;
  const running = await tally(rig, { resource: RUNS, namespace }, (run) => isUnderWay(run as Run, 'chat'));
  const stuck = { annotations: { 'kwok.nexusos.dev/duration': '600s' }, spec: { session: 'chat' } };
  await createRun(rig, { namespace, name: 'long' }, stuck);
  await becomes(rig, { namespace, name: 'long' }, { phase: 'Running' });
  const names = ['five', 'four', 'three', 'two', 'one', 'last'];
  const choice = { annotations: { 'kwok.nexusos.dev/duration': '100ms' }, spec: { session: 'chat' } };
  // Within the same second, most of them: their names, and what tells them apart for Kubernetes, say nothing of their order.
  for (const name of names) await createRun(rig, { namespace, name }, choice);
  for (const name of names) {
    const { status } = await becomes(rig, { namespace, name }, { phase: 'Queued', reason: 'SessionBusy' });
    t.regex(status?.queue?.message ?? '', /Run [a-z0-9-]+ of the same session goes first/);
  }
  await createRun(rig, { namespace, name: 'other' }, { spec: { session: 'another chat' } });
  await becomes(rig, { namespace, name: 'other' }, { phase: 'Succeeded' });
  await rig.client.patch(RUNS, { namespace, name: 'long' }, { body: { spec: { cancel: true } } });
  const ended: Run[] = [];
  for (const name of names) ended.push(await becomes(rig, { namespace, name }, { phase: 'Succeeded' }));
  await running.stop();
  t.is(running.most, 1, 'Runs of the session at one time');
  const started = ended.toSorted((a, b) => serialOf(a) - serialOf(b)).map(({ metadata }) => metadata.name);
  t.deepEqual(started, names);
});
