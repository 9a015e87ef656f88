// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import type { Run } from '../core/run/run.ts';
import { RUNS } from './shared/resources.ts';
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

test('Runs of a session go one after the other in the order of their creation, and no other waits for them', async (t) => {
  const rig = t.context;
  const running = await tally(rig, { resource: RUNS, namespace }, (run) => isUnderWay(run as Run, 'chat'));
  const stuck = { annotations: { 'kwok.nexusos.dev/duration': '600s' }, spec: { session: 'chat' } };
  await createRun(rig, { namespace, name: 'long' }, stuck);
  await becomes(rig, { namespace, name: 'long' }, { phase: 'Running' });
  const names = Array.from({ length: 5 }, (_, i) => `next-${i}`);
  const choice = { annotations: { 'kwok.nexusos.dev/duration': '100ms' }, spec: { session: 'chat' } };
  await Promise.all(names.map((name) => createRun(rig, { namespace, name }, choice)));
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
  const inOrder = (of: (run: Run) => string) =>
    ended.toSorted((a, b) => (of(a) < of(b) ? -1 : 1)).map(({ metadata }) => metadata.name);
  const created = inOrder(({ metadata }) => `${metadata.creationTimestamp} ${metadata.uid}`);
  const started = new Map(ended.map(({ metadata, status }) => [metadata.name, status?.admittedAt ?? '']));
  for (const [i, name] of created.entries()) {
    const before = started.get(created[i - 1] ?? '') ?? '';
    t.true(before <= (started.get(name) ?? ''), `${name} started before ${created[i - 1]}`);
  }
});
