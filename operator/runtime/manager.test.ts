// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import { attachCluster } from '#hack/cluster/attach';
import { ReconcileError } from '../core/errors.ts';
import type { KubeObject } from '../core/object.ts';
import { DONE } from '../core/plan.ts';
import { EVENTS } from './events.ts';
import { LEASES } from './lease.ts';
import { eventually } from '#hack/tools/eventually';
import {
  becomesReady,
  changeWidget,
  createWidget,
  ownedOf,
  type Rig,
  type RigOptions,
  startRig,
  sumOf,
  widgetOf,
  writesOf,
  writesWhenPoked,
} from './testing/rig.ts';
import { CONFIG_MAPS, type WidgetWorld } from './testing/widgets.ts';

const FINALIZER = 'test.nexusos.dev/widget';
/** Short, so that a test of its end takes seconds; long enough to be got while others have the processors. */
const QUICK_LEASE = { leaseDurationMs: 9000, renewDeadlineMs: 6000, retryPeriodMs: 300 };
/** One that no test sees the end of. */
const LONG_LEASE = { leaseDurationMs: 600_000, renewDeadlineMs: 500_000, retryPeriodMs: 300 };

async function rigOf(t: ExecutionContext, options: Omit<RigOptions, 'kubeconfigPath'> = {}): Promise<Rig> {
  const { kubeconfigPath } = await attachCluster();
  const rig = await startRig({ kubeconfigPath, ...options });
  t.teardown(() => rig.close());
  return rig;
}

function elect(world: WidgetWorld) {
  return { namespace: world.namespace, name: 'leader', ...QUICK_LEASE };
}

async function eventsOf({ world }: Rig): Promise<readonly KubeObject[]> {
  const { value } = await world.client.list(EVENTS, { namespace: world.namespace }).next();
  return value?.items ?? [];
}

/** Waits until an Event of that reason is written: they are written beside the work, each after those before it. */
async function isTold(rig: Rig, reason: string): Promise<void> {
  await eventually(`${reason} was told`, async () =>
    (await eventsOf(rig)).some((event) => event['reason'] === reason),
  );
}

function readsOfConfigMaps({ proxy }: Rig): readonly string[] {
  const paths = proxy.requests.filter((seen) => seen.method === 'GET').map((seen) => seen.path);
  return paths.filter((path) => path.includes('/configmaps/'));
}

test('a widget is made, and a pass over it writes nothing', async (t) => {
  const rig = await rigOf(t);
  await createWidget(rig, 'a', { copies: 3, text: 'x' });
  await becomesReady(rig, 'a');
  t.false(await writesWhenPoked(rig, ['a']));
  t.is(await sumOf(rig.metrics, 'nexusos_effects_total', 'effect="apply"'), 3);
  t.is(await sumOf(rig.metrics, 'nexusos_effects_total', 'effect="create"'), 1);
  t.deepEqual(readsOfConfigMaps(rig), [], 'what a store does not find is not asked for');
});

/** By the name of a widget, up to its first dash. */
function groupOf({ metadata: { name } }: KubeObject): string {
  return name.split('-')[0] ?? '';
}

test('of so many workers as it is given, a group has all but an eighth at most, and others have one at once', async (t) => {
  const ends = new Map(['small', 'big'].map((group) => [group, Promise.withResolvers<void>()]));
  const holds = async (widget: KubeObject) => ends.get(groupOf(widget))?.promise;
  const rig = await rigOf(t, { concurrency: 12, controller: { group: groupOf, holds } });
  t.teardown(() => ends.forEach(({ resolve }) => resolve()));
  const isAt = async (waiting: number, working: number) =>
    (await sumOf(rig.metrics, 'workqueue_depth')) === waiting &&
    (await sumOf(rig.metrics, 'controller_runtime_active_workers')) === working;
  for (let i = 0; i < 14; i += 1) await createWidget(rig, `big-${i}`, { copies: 0 });
  await eventually('ten of twelve are at the big ones', () => isAt(4, 10));
  // Beside others a group has fewer, but those that are at something for long are not counted then: here that would be a matter of time.
  await createWidget(rig, 'small-0', { copies: 0 });
  await eventually('the small one is worked on', () => isAt(4, 11));
  ends.get('small')?.resolve();
  await eventually('the small one is done, and nobody has come to the big ones', () => isAt(4, 10));
  ends.get('big')?.resolve();
  await eventually('all are done', () => isAt(0, 0));
  t.pass();
});

test('a watch of metadata only costs no write either', async (t) => {
  const rig = await rigOf(t, { controller: { metadataOnly: true } });
  await createWidget(rig, 'a', { copies: 3, text: 'x' });
  await becomesReady(rig, 'a');
  t.false(await writesWhenPoked(rig, ['a']));
  t.deepEqual(readsOfConfigMaps(rig), []);
});

test('what somebody else changes is put right, and a field that is no longer wanted goes', async (t) => {
  const rig = await rigOf(t);
  const { client, namespace } = rig.world;
  await createWidget(rig, 'a', { copies: 1, text: 'x' });
  await becomesReady(rig, 'a');
  const key = { namespace, name: 'a-copy-0' };
  await client.patch(CONFIG_MAPS, key, { body: { data: { text: 'drift' } } });
  await eventually('the drift is repaired', async () => {
    const live = await client.get(CONFIG_MAPS, key);
    return JSON.stringify(live?.['data']) === '{"text":"x"}';
  });
  await client.delete(CONFIG_MAPS, key);
  await becomesReady(rig, 'a');
  await changeWidget(rig, 'a', { copies: 0 });
  const widget = await becomesReady(rig, 'a');
  t.deepEqual([...(await ownedOf(rig, widget.metadata.uid ?? '')).keys()], ['a-once']);
});

test('a finalizer goes on before the first effect and off after the last', async (t) => {
  const rig = await rigOf(t, { controller: { finalizer: FINALIZER } });
  const { client, widgets, namespace } = rig.world;
  await createWidget(rig, 'a', { copies: 2 });
  const widget = await becomesReady(rig, 'a');
  t.deepEqual(widget.metadata.finalizers, [FINALIZER]);
  const writes = rig.proxy.requests.filter((seen) => seen.method !== 'GET').map((seen) => seen.path);
  t.true(writes[0]?.endsWith('/widgets/a'), 'the first write is the finalizer');

  await client.delete(widgets, { namespace, name: 'a' });
  await eventually('the widget is gone', async () => (await widgetOf(rig, 'a')) === undefined);
  t.is((await ownedOf(rig, widget.metadata.uid ?? '')).size, 0, 'what it owned went before it');
  t.is(await sumOf(rig.metrics, 'controller_runtime_reconcile_errors_total'), 0);
});

test('what no longer fits its schema can still be deleted', async (t) => {
  const rig = await rigOf(t, { controller: { finalizer: FINALIZER } });
  const { client, widgets, namespace } = rig.world;
  await createWidget(rig, 'a', { copies: 1 });
  const widget = await becomesReady(rig, 'a');
  await changeWidget(rig, 'a', { copies: 1000 });
  await client.delete(widgets, { namespace, name: 'a' });
  await eventually('the widget is gone', async () => (await widgetOf(rig, 'a')) === undefined);
  t.is((await ownedOf(rig, widget.metadata.uid ?? '')).size, 0, 'what it owned went before it');
});

test('changes of conditions are told as Events, each once', async (t) => {
  const rig = await rigOf(t);
  await createWidget(rig, 'a', { copies: 1 });
  await becomesReady(rig, 'a');
  await isTold(rig, 'AllThere');
  const told = (await eventsOf(rig)).map((event) => `${String(event['type'])} ${String(event['reason'])}`);
  t.is(told.filter((one) => one === 'Normal AllThere').length, 1);
  t.false(told.some((one) => one.startsWith('Warning')));
});

test('a name that is taken by something else is an error that users see, and that heals', async (t) => {
  const rig = await rigOf(t);
  const { client, namespace } = rig.world;
  const stranger = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name: 'a-once' } };
  await client.create(CONFIG_MAPS, stranger, 'test');
  await createWidget(rig, 'a', { copies: 0 });
  await isTold(rig, 'ReconcileFailed');
  const event = (await eventsOf(rig)).find((one) => one['reason'] === 'ReconcileFailed');
  t.is(event?.['type'], 'Warning');
  t.regex(String(event?.['note']), /ConfigMap .*\/a-once exists, and Widget a does not own it/);
  await client.delete(CONFIG_MAPS, { namespace, name: 'a-once' });
  await becomesReady(rig, 'a');
  t.pass();
});

test('what the API server refuses is told in its own words', async (t) => {
  const rig = await rigOf(t);
  rig.proxy.inject(
    {
      kind: 'answer',
      status: 403,
      body: JSON.stringify({
        kind: 'Status',
        code: 403,
        reason: 'Forbidden',
        message: 'exceeded quota: small',
      }),
    },
    (seen) => seen.method === 'POST' && seen.path.endsWith('/configmaps'),
    3,
  );
  await createWidget(rig, 'a', { copies: 1 });
  await eventually('the refusal was told', async () =>
    (await eventsOf(rig)).some((event) => /exceeded quota: small/.test(String(event['note']))),
  );
  await becomesReady(rig, 'a');
  const refusals = (await eventsOf(rig)).filter((event) => event['reason'] === 'ReconcileFailed');
  t.is(refusals.length, 1, 'the same refusal is one Event, however often it is met');
});

test('that nothing can be made in a namespace that goes is no fault, is not told, and is tried again', async (t) => {
  const rig = await rigOf(t);
  const message = 'configmaps "a-copy-0" is forbidden: unable to create new content';
  const causes = [{ reason: 'NamespaceTerminating', field: 'metadata.namespace' }];
  const status = { kind: 'Status', code: 403, reason: 'Forbidden', message, details: { causes } };
  rig.proxy.inject(
    { kind: 'answer', status: 403, body: JSON.stringify(status) },
    (seen) => seen.method === 'POST' && seen.path.endsWith('/configmaps'),
    1,
  );
  await createWidget(rig, 'a', { copies: 1 });
  await becomesReady(rig, 'a');
  await isTold(rig, 'AllThere');
  t.is(await sumOf(rig.metrics, 'controller_runtime_reconcile_total', 'result="error"'), 1);
  t.is(await sumOf(rig.metrics, 'controller_runtime_reconcile_errors_total'), 0);
  const reasons = (await eventsOf(rig)).map((event) => event['reason']);
  t.false(reasons.includes('ReconcileFailed'), reasons.join());
});

test('what a pass tells is told though what it does fails, since its status is committed and it is not decided again', async (t) => {
  const rig = await rigOf(t, { controller: { tellsBeginning: true } });
  rig.proxy.inject(
    { kind: 'answer', status: 403, body: JSON.stringify({ kind: 'Status', code: 403, message: 'not now' }) },
    (seen) => seen.method === 'POST' && seen.path.endsWith('/configmaps'),
    1,
  );
  await createWidget(rig, 'a', { copies: 1 });
  await isTold(rig, 'ReconcileFailed');
  await becomesReady(rig, 'a');
  await isTold(rig, 'AllThere');
  t.is((await eventsOf(rig)).filter((event) => event['reason'] === 'Begun').length, 1);
});

test('an object that cannot be understood is Stalled, and ready once it is put right', async (t) => {
  const rig = await rigOf(t);
  await createWidget(rig, 'a', { copies: 1000 });
  await eventually('the widget is Stalled', async () =>
    ((await widgetOf(rig, 'a'))?.status?.conditions ?? []).some(
      (one) =>
        one.type === 'Stalled' && one.reason === 'InvalidSpec' && one.message.startsWith('spec.copies'),
    ),
  );
  t.false(await writesWhenPoked(rig, ['a']), 'saying it again writes nothing');
  await changeWidget(rig, 'a', { copies: 1 });
  const { status } = await becomesReady(rig, 'a');
  t.deepEqual(
    status?.conditions.map((one) => one.type),
    ['Ready'],
  );
});

test('a decision on an old version of the object writes nothing at all', async (t) => {
  const rig = await rigOf(t);
  const { client, namespace, widgets } = rig.world;
  await createWidget(rig, 'a', { copies: 1, text: 'old' });
  await becomesReady(rig, 'a');
  // The last that is written about it, though not the last that is seen of it.
  await isTold(rig, 'AllThere');
  rig.proxy.watches.fateOf = (line, path) => (path.endsWith('/widgets') ? 'drop' : { tell: line });
  await changeWidget(rig, 'a', { text: 'new' });
  const before = rig.proxy.requests.length;
  await client.delete(CONFIG_MAPS, { namespace, name: 'a-copy-0' });
  const since = () => rig.proxy.requests.slice(before).filter((seen) => seen.method !== 'GET');
  await eventually('the status was refused', () =>
    since().some((seen) => seen.path.endsWith('/status') && seen.status === 409),
  );
  t.deepEqual(
    since().filter((seen) => !seen.path.endsWith('/status')),
    [],
  );
  rig.proxy.heal();
  await client.patch(
    widgets,
    { namespace, name: 'a' },
    { body: { metadata: { labels: { seen: 'again' } } } },
  );
  await becomesReady(rig, 'a');
  t.is(await sumOf(rig.metrics, 'controller_runtime_reconcile_errors_total'), 0, 'a conflict is no error');
});

test('what fails is tried again; what cannot help is not, until the object changes', async (t) => {
  let left = 3;
  const rig = await rigOf(t, {
    controller: {
      failure: ({ metadata, spec }) => {
        if (spec.text === 'hopeless')
          return new ReconcileError('policy_blocked', 'no way', { terminal: true });
        left -= metadata.name === 'flaky' ? 1 : 0;
        return metadata.name === 'flaky' && left >= 0 ? new Error('not now') : undefined;
      },
    },
  });
  const count = (result: string) =>
    sumOf(rig.metrics, 'controller_runtime_reconcile_total', `result="${result}"`);
  await createWidget(rig, 'bad', { text: 'hopeless' });
  await eventually('it was refused', async () => (await count('terminal_error')) === 1);
  await createWidget(rig, 'flaky', { copies: 1 });
  await becomesReady(rig, 'flaky');
  t.is(await count('error'), 3);
  t.is(await count('terminal_error'), 1, 'not tried again all the while');
  await changeWidget(rig, 'bad', { text: 'fine' });
  await becomesReady(rig, 'bad');
});

test('what is to be tried again is, after a backoff, and that is no error', async (t) => {
  let left = 0;
  const again = { kind: 'retry', atMostMs: 100, why: 'for this test' } as const;
  const rig = await rigOf(t, { controller: { result: () => ((left -= 1) > 0 ? again : DONE) } });
  await createWidget(rig, 'a', { copies: 1 });
  await becomesReady(rig, 'a');
  // More than the events of one change could bring about.
  left = 20;
  await changeWidget(rig, 'a', { copies: 1, text: 'other' });
  await eventually('it was tried as often as it asked for', () => left <= 0);
  t.true((await sumOf(rig.metrics, 'workqueue_retries_total')) > 0);
  t.is(await sumOf(rig.metrics, 'controller_runtime_reconcile_errors_total'), 0);
});

test('a standby is ready, writes nothing, and leads soon after the leader stopped', async (t) => {
  // Nobody could wait for the end of such a lease: it must be given back.
  const first = await rigOf(t, { leaderElection: (world) => ({ ...elect(world), ...LONG_LEASE }) });
  await eventually('the first leads', () => first.manager.isLeader());
  const second = await rigOf(t, { leaderElection: () => ({ ...elect(first.world), ...LONG_LEASE }) });
  t.true(second.manager.ready());
  await createWidget(second, 'a', { copies: 1 });
  await eventually(
    'the standby has seen the widget',
    async () => (await sumOf(second.metrics, 'workqueue_depth')) > 0,
  );
  t.false(second.manager.isLeader());
  t.is(await writesOf(second.metrics), 0);
  await first.manager.stop();
  await becomesReady(second, 'a');
  t.true(second.manager.isLeader());
});

test('a leader that cannot renew writes nothing after its deadline, and does the rest when it leads again', async (t) => {
  const rig = await rigOf(t, { leaderElection: elect });
  await eventually('it leads', () => rig.manager.isLeader());
  const cut = rig.proxy.inject({ kind: 'cutBefore' }, (seen) => seen.path.includes('/leases'), 1e9);
  await eventually('it does not lead any more', () => !rig.manager.isLeader());
  const before = rig.proxy.requests.length;
  await createWidget(rig, 'a', { copies: 1 });
  await eventually('it has tried for the lease again', () => rig.proxy.requests.length > before + 2);
  const writes = rig.proxy.requests.slice(before).filter((seen) => seen.method !== 'GET');
  t.deepEqual(
    writes.filter((seen) => !seen.path.includes('/leases')),
    [],
  );
  cut.times = 0;
  // Only a leader makes it; with a lease of seconds that may be over by the time it is asked, on a busy machine.
  await becomesReady(rig, 'a');
});

test('a leader whose lease another took stops at once', async (t) => {
  // Long before it would stop by itself, for want of a renewal.
  const rig = await rigOf(t, { leaderElection: (world) => ({ ...elect(world), ...LONG_LEASE }) });
  await eventually('it leads', () => rig.manager.isLeader());
  const { client, namespace } = rig.world;
  const spec = { holderIdentity: 'another', leaseDurationSeconds: 600 };
  await client.patch(LEASES, { namespace, name: 'leader' }, { body: { spec } });
  await eventually('it has noticed', () => !rig.manager.isLeader());
  t.false(rig.manager.isLeader());
});
