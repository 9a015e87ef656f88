// SPDX-License-Identifier: Apache-2.0
// Nobody looks at who waits while nothing changes; what changes is told all the same.
import anyTest, { type TestFn } from 'ava';
import { eventually } from '#hack/tools/eventually';
import { AGENTS, RUNS } from '../core/resources.ts';
import { metricOf } from './testing/leadership.ts';
import {
  becomes,
  createRun,
  makeAgent,
  makeTenant,
  type OwnWorkloadRig,
  runOf,
  startWorkloadRig,
} from './testing/workload-rig.ts';

const test = anyTest.serial as TestFn<OwnWorkloadRig>;
const namespace = 'news-main';
const WAITING = ['waits-0', 'waits-1', 'waits-2'];
const BUSY = { phase: 'Queued', reason: 'ConcurrencyExceeded' } as const;
const FOR_LONG = { annotations: { 'kwok.nexusos.dev/duration': '50m' } };

test.before(async (t) => {
  const rig = await startWorkloadRig();
  t.context = rig;
  await makeTenant(rig, 'news', { namespaces: [{ suffix: 'main' }], quotas: { runs: { maxConcurrent: 1 } } });
  await makeAgent(rig, { namespace, name: 'agent' });
});
test.after.always((t) => t.context.close());

/** How long nobody is to be looked at: longer than it took until a place was looked at again by itself. */
const QUIET_MS = 40_000;

test('Runs that wait are looked at by nobody while nothing changes', async (t) => {
  const rig = t.context;
  await createRun(rig, { namespace, name: 'holder' }, FOR_LONG);
  await becomes(rig, { namespace, name: 'holder' }, { phase: 'Running' });
  for (const name of WAITING) await createRun(rig, { namespace, name });
  for (const name of WAITING) await becomes(rig, { namespace, name }, BUSY);
  const looks = () =>
    metricOf(rig, 'controller_runtime_reconcile_total', { controller: 'run', result: 'requeue_after' });
  let [seen, since] = [await looks(), performance.now()];
  t.true(seen > 0, 'nothing is counted');
  await eventually('nobody is looked at', async () => {
    const now = await looks();
    if (now !== seen) [seen, since] = [now, performance.now()];
    return performance.now() - since >= QUIET_MS;
  });
});

test('who waits for something else by now says so', async (t) => {
  const rig = t.context;
  const agent = { namespace, name: 'agent' };
  await rig.client.patch(AGENTS, agent, { body: { spec: { gpu: { class: 'nobody-has-it', count: 1 } } } });
  for (const name of WAITING)
    await becomes(rig, { namespace, name }, { phase: 'Queued', reason: 'AgentNotReady' });
  await rig.client.patch(AGENTS, agent, { body: { spec: { gpu: null } } });
  for (const name of WAITING) await becomes(rig, { namespace, name }, BUSY);
  t.pass();
});

test('a place near the head is told when somebody ahead is gone, though no ledger is written for that', async (t) => {
  const rig = t.context;
  const [first, second] = [
    { namespace, name: 'waits-0' },
    { namespace, name: 'waits-1' },
  ] as const;
  const placeOf = async () => (await runOf(rig, second))?.status?.queue?.position;
  await eventually('it is the second', async () => (await placeOf()) === 2);
  await rig.client.patch(RUNS, first, { body: { spec: { cancel: true } } });
  await eventually('it is the first', async () => (await placeOf()) === 1);
  t.pass();
});
