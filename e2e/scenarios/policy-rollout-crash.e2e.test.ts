// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import { type DrilledStatus, RollbackDrill } from '#hack/system/rollback-drill';
import { eventually } from '#hack/tools/eventually';
import { type AdmissionWorld, startAdmission } from '../admission-world.ts';
import { EndsAtWrites } from '../ends-at-writes.ts';
import { tenantManifest } from '../user.ts';

interface World extends AdmissionWorld {
  readonly drill: RollbackDrill;
  readonly ends: EndsAtWrites;
}

const test = anyTest.serial as TestFn<World>;
const REPLICAS = 3;
const COHORTS = [
  { percent: 50, soakSeconds: 0 },
  { percent: 100, soakSeconds: 0 },
];

test.before(async (t) => {
  const world = await startAdmission({ replicas: REPLICAS });
  t.context = world as World;
  await world.user.applies(tenantManifest('unbroken'));
  await world.user.awaitsReady('tenant/unbroken');
  const drill = new RollbackDrill(world.cluster, { webhooks: world.webhooks, namespace: 'unbroken-main' });
  t.context = { ...world, drill } as World;
  await drill.applies('1.0.0', { rollout: { maxNewlyDeniedPercent: 100 } });
  await drill.decides('1.0.0');
  await world.operator.stop();
  t.context = { ...world, drill, ends: await EndsAtWrites.open(world.cluster, 'unbroken') };
});
test.after.always(async ({ context }) => {
  await context.drill?.watch.stop();
  await context.ends?.close();
  await context.close?.();
});

/** What has become of revisions, the last first, as `Active` or `Superseded`. */
function outcomes({ history = [] }: DrilledStatus): readonly string[] {
  return history.map(({ outcome }) => outcome);
}

/** Ends the operator at every write until this version, and no other, decides on all replicas. */
async function comesTo({ drill, ends }: World, isIt: (status: DrilledStatus) => boolean) {
  return ends.until(async () => {
    const status = await drill.status();
    return isIt(status) && status.replicas?.enforcing === REPLICAS && status.candidateRevision === undefined;
  });
}

test('a version goes through its cohorts to all, though the operator is ended at every write', async (t) => {
  t.timeout(8 * 60_000);
  const { drill } = t.context;
  const { activeRevision: before, history = [] } = await drill.status();
  const since = performance.now();
  await drill.applies('2.0.0', { rollout: { steps: COHORTS } });
  const made = await comesTo(
    t.context,
    (status) => status.phase === 'Active' && status.activeRevision !== before,
  );
  const stages = made.filter(({ path }) => path.endsWith('/policypacks/drilled/status'));
  t.true(stages.length >= 5, `named, shadow, two cohorts, active: ${made.map(({ path }) => path).join(' ')}`);
  await drill.decides('2.0.0');
  const after = await drill.status();
  t.is(after.previousRevision, before);
  t.deepEqual(
    outcomes(after),
    ['Active', 'Superseded', ...history.map(({ outcome }) => outcome)],
    'each once',
  );
  t.is(after.rejected, undefined);
  t.deepEqual(drill.watch.mixed(since), []);
});

test('going back comes to the same, though the operator is ended at every write', async (t) => {
  t.timeout(8 * 60_000);
  const { drill } = t.context;
  const { previousRevision: target, activeRevision: from, history = [] } = await drill.status();
  const since = performance.now();
  await drill.asks({ rollbackTo: target });
  const made = await comesTo(t.context, ({ activeRevision }) => activeRevision === target);
  t.true(made.length >= 1, 'the pack');
  await drill.hasGoneOverTo('1.0.0');
  const after = await drill.status();
  t.is(after.previousRevision, from);
  t.deepEqual(
    outcomes(after),
    ['Active', 'RolledBack', ...history.map(({ outcome }) => outcome)],
    'each once',
  );
  t.deepEqual(drill.watch.mixed(since), []);
});

test('a version that comes while another is in its cohort takes its place, though the operator is ended at every write', async (t) => {
  t.timeout(8 * 60_000);
  const { drill, ends } = t.context;
  const { activeRevision: before } = await drill.status();
  const operator = await ends.start();
  await drill.asks({ rollbackTo: null });
  await drill.applies('3.0.0', { rollout: { steps: [{ percent: 50, soakSeconds: 600 }] } });
  const waiting = await eventually('it is in its cohort', async () => {
    const status = await drill.status();
    return status.phase === 'Cohort' ? status : undefined;
  });
  await operator.kill();
  const since = performance.now();
  await drill.applies('4.0.0', { rollout: { steps: COHORTS } });
  await comesTo(t.context, ({ phase, activeRevision }) => phase === 'Active' && activeRevision !== before);
  await drill.decides('4.0.0');
  const { history = [], activeRevision } = await drill.status();
  const first = history.filter(({ revision }) => revision === waiting.candidateRevision);
  t.deepEqual(
    first.map(({ outcome }) => outcome),
    ['Withdrawn'],
    'the first never decided for all, and nothing is held against it',
  );
  t.not(activeRevision, waiting.candidateRevision);
  t.deepEqual(drill.watch.mixed(since), []);
});
