// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import { eventually } from '#hack/tools/eventually';
import type { Run } from '../core/run/run.ts';
import {
  attachWorkloadRig,
  becomes,
  createRun,
  makeAgent,
  makeTenant,
  runOf,
  type WorkloadRig,
} from './testing/workload-rig.ts';

const test = anyTest as TestFn<WorkloadRig>;

test.before(async (t) => {
  t.context = await attachWorkloadRig();
});
test.after.always((t) => t.context.close());

/** A tenant with one namespace and an Agent, and the Runs that are made there at once. */
async function makeRuns(rig: WorkloadRig, tenant: string, runs: object): Promise<readonly string[]> {
  const namespace = `${tenant}-main`;
  await makeTenant(rig, tenant, { namespaces: [{ suffix: 'main' }], quotas: { runs } });
  await makeAgent(rig, { namespace, name: 'agent' });
  // Once that has gone all the way, the others wait for nothing but their turn.
  await createRun(rig, { namespace, name: 'warm-up' });
  await becomes(rig, { namespace, name: 'warm-up' }, { phase: 'Succeeded' });
  const names = Array.from({ length: 6 }, (_, i) => `run-${i}`);
  await Promise.all(names.map((name) => createRun(rig, { namespace, name })));
  return names;
}

function ms(instant: string | undefined): number {
  return Date.parse(instant ?? '');
}

test('Runs that are created faster than the rate wait for their turn, know when it is, and all start', async (t) => {
  const rig = t.context;
  const namespace = 'rated-main';
  const names = await makeRuns(rig, 'rated', { createPerSecond: 1, createBurst: 2 });
  const told = await eventually('one waits for its turn', async () => {
    const runs = await Promise.all(names.map((name) => runOf(rig, { namespace, name })));
    return runs.find((run) => run?.status?.queue?.reason === 'RateLimited');
  });
  t.regex(told.status?.queue?.message ?? '', /1 a second, and 2 at once .* goes on at \d{4}-\d\d-\d\dT/);
  const ended: Run[] = [];
  for (const name of names) ended.push(await becomes(rig, { namespace, name }, { phase: 'Succeeded' }));
  // Six, of which two at once: the last is four steps after the first. Both are told in whole seconds.
  const first = Math.min(...ended.map(({ metadata }) => ms(metadata.creationTimestamp)));
  const last = Math.max(...ended.map(({ status }) => ms(status?.admittedAt)));
  t.true(last - first >= 4000, `${last - first} ms from the first creation to the last start`);
});

test('beyond the queue they are refused with rate_limited', async (t) => {
  const rig = t.context;
  const namespace = 'thronged-main';
  await makeRuns(rig, 'thronged', { createPerSecond: 1, createBurst: 1, maxQueued: 1 });
  const refused = await eventually('one is refused', async () => {
    const names = Array.from({ length: 6 }, (_, i) => `run-${i}`);
    const runs = await Promise.all(names.map((name) => runOf(rig, { namespace, name })));
    return runs.find((run) => run?.status?.phase === 'Failed');
  });
  t.like(refused.status?.error, { code: 'rate_limited', retryable: true });
  t.regex(refused.status?.error?.message ?? '', /quotas\.runs\.maxQueued/);
});

test('a burst without a rate is refused, since it would bound nothing', async (t) => {
  const quotas = { runs: { createBurst: 5 } };
  const error = await t.throwsAsync(makeTenant(t.context, 'burst-only', { quotas }));
  t.regex(error?.message ?? '', /createBurst.*needs createPerSecond/);
});
