// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import { attachCluster } from '#hack/cluster/attach';
import { isDeepEqual } from '../core/compare.ts';
import { RefusedError } from '../core/errors.ts';
import type { KubeObject } from '../core/object.ts';
import { createLog } from '../telemetry/log.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics.ts';
import { Cache } from './cache.ts';
import { Effects, isStale, UNFINISHED } from './effects.ts';
import { EVENTS } from './events.ts';
import { REFLECTOR_TIMING } from './reflector.ts';
import { eventually } from '#hack/tools/eventually';
import {
  becomesReady,
  changeWidget,
  createWidget,
  type Rig,
  startRig,
  sumOf,
  writesWhenPoked,
} from './testing/rig.ts';
import type { SeenRequest } from './testing/fault-proxy.ts';
import type { WriteFence } from './version-fence.ts';
import {
  CONFIG_MAPS,
  createWidgetWorld,
  makeWidget,
  type WidgetControllerOptions,
  type WidgetWorld,
} from './testing/widgets.ts';

/** Objects with rules, and what somebody makes of them by adding a key. */
const RESHAPED: Record<string, { readonly ours: Record<string, unknown>; readonly theirs: unknown }> = {
  'a port of a NetworkPolicy becomes a range': {
    ours: {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      spec: { podSelector: {}, policyTypes: ['Egress'], egress: [{ ports: [{ port: 53 }] }] },
    },
    theirs: { spec: { egress: [{ ports: [{ port: 53, protocol: 'TCP', endPort: 65535 }] }] } },
  },
  'a rule of a Role is for one name only': {
    ours: {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
    },
    theirs: { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'], resourceNames: ['one'] }] },
  },
};
const FINALIZER = 'test.nexusos.dev/widget';
const CONFLICT = JSON.stringify({ kind: 'Status', code: 409, reason: 'Conflict', message: 'moved on' });
const UNFENCED: WriteFence = { check: () => Promise.resolve() };

async function rigOf(t: ExecutionContext, controller: WidgetControllerOptions): Promise<Rig> {
  const { kubeconfigPath } = await attachCluster();
  const rig = await startRig({ kubeconfigPath, controller });
  t.teardown(() => rig.close());
  return rig;
}

/** How many applies of objects at `path` were sent. */
function appliesOf(rig: Rig, path: string): number {
  return rig.proxy.requests.filter((seen) => seen.method === 'PATCH' && seen.path.endsWith(path)).length;
}

/** Effects without a manager around them, and so without any watch. */
async function effectsOf(
  t: ExecutionContext,
): Promise<{ readonly effects: Effects; readonly world: WidgetWorld; readonly metrics: Metrics }> {
  const world = await createWidgetWorld((await attachCluster()).kubeconfigPath);
  t.teardown(() => world.close());
  const metrics = createMetrics();
  const shared = { client: world.client, metrics, log: createLog({ level: 'silent' }) };
  const cache = new Cache({ ...shared, timing: REFLECTOR_TIMING, indexes: [] });
  return { effects: new Effects({ ...shared, cache, controller: 'widget' }), world, metrics };
}

test('what names the version it was decided on overwrites nothing newer, and is decided again', async (t) => {
  const rig = await rigOf(t, { namesVersions: true });
  const { client, namespace } = rig.world;
  const key = { namespace, name: 'a-copy-0' };
  await createWidget(rig, 'a', { copies: 1, text: 'old' });
  await becomesReady(rig, 'a');

  rig.proxy.watches.fateOf = (line, path) => (path.endsWith('/configmaps') ? 'drop' : { tell: line });
  await client.patch(CONFIG_MAPS, key, { body: { data: { text: 'theirs' } } });
  await changeWidget(rig, 'a', { text: 'new' });
  const applies = () =>
    rig.proxy.requests.filter((seen) => seen.method === 'PATCH' && seen.path.endsWith('/a-copy-0'));
  const refused = () => applies().filter((seen) => seen.status === 409).length;
  await eventually('it was refused and tried again', () => refused() >= 2);
  t.deepEqual((await client.get(CONFIG_MAPS, key))?.['data'], { text: 'theirs' });

  rig.proxy.heal();
  await client.patch(CONFIG_MAPS, key, { body: { metadata: { labels: { seen: 'again' } } } });
  await becomesReady(rig, 'a');
  t.deepEqual((await client.get(CONFIG_MAPS, key))?.['data'], { text: 'new' });
  t.is(await sumOf(rig.metrics, 'controller_runtime_reconcile_errors_total'), 0, 'a conflict is no error');
});

test('a field of what was created goes when it is no longer wanted, also after a failure on the way', async (t) => {
  const rig = await rigOf(t, {});
  const { client, namespace } = rig.world;
  const key = { namespace, name: 'a-copy-0' };
  const becomes = (data: Readonly<Record<string, string>>) =>
    eventually(`it holds ${Object.keys(data).join()}`, async () => {
      const found = (await client.get(CONFIG_MAPS, key))?.['data'];
      return isDeepEqual(found, data) || Promise.reject(new Error(JSON.stringify(found)));
    });
  await createWidget(rig, 'a', { copies: 1, text: '=one' });
  await becomes({ one: '' });
  // The first write of a change is the apply; the one that fails turns the ownership.
  let writes = 0;
  const isSecond = ({ method, path }: SeenRequest) => {
    if (method !== 'PATCH' || !path.endsWith('/a-copy-0')) return false;
    writes += 1;
    return writes === 2;
  };
  rig.proxy.inject({ kind: 'answer', status: 409, body: CONFLICT }, isSecond, 1);
  await changeWidget(rig, 'a', { text: '=two' });
  await becomes({ two: '' });
  t.is(writes, 2, 'the failure was met');
  await changeWidget(rig, 'a', { text: '=three' });
  await becomes({ three: '' });
});

test('what was decided on an old version of the object is not carried out, also where the status stays', async (t) => {
  const rig = await rigOf(t, {});
  const { client, namespace } = rig.world;
  const key = { namespace, name: 'a-copy-0' };
  await createWidget(rig, 'a', { copies: 1, text: 'oldest' });
  await becomesReady(rig, 'a');
  await changeWidget(rig, 'a', { text: 'old' });
  // Its data is as wanted before the take-over of what was created has ended: only then is no apply under way.
  await eventually('it is as wanted', async () => {
    const found = await client.get(CONFIG_MAPS, key);
    const hash = found?.metadata.annotations?.[ANNOTATIONS.appliedHash];
    return isDeepEqual(found?.['data'], { text: 'old' }) && hash !== UNFINISHED;
  });
  await becomesReady(rig, 'a');
  const before = appliesOf(rig, '/a-copy-0');

  rig.proxy.watches.fateOf = (line, path) => (path.endsWith('/widgets') ? 'drop' : { tell: line });
  await changeWidget(rig, 'a', { text: 'new' });
  await client.patch(CONFIG_MAPS, key, { body: { data: { text: 'theirs' } } });
  await eventually('it is as the newest version wants it', async () => {
    const data = (await client.get(CONFIG_MAPS, key))?.['data'];
    return isDeepEqual(data, { text: 'new' });
  });
  t.is(appliesOf(rig, '/a-copy-0'), before + 1, 'the old text was never applied');
  t.is(await sumOf(rig.metrics, 'controller_runtime_reconcile_errors_total'), 0, 'a conflict is no error');
});

test('a write of ours that the watch is silent about proves nothing', async (t) => {
  const rig = await rigOf(t, {});
  const { client, namespace } = rig.world;
  const copyOf = (name: string) => client.get(CONFIG_MAPS, { namespace, name: `${name}-copy-0` });
  for (const name of ['a', 'b']) {
    await createWidget(rig, name, { copies: 1, text: 'oldest' });
    await becomesReady(rig, name);
    await changeWidget(rig, name, { text: 'old' });
    await eventually('what was created is applied', async () => {
      const found = await copyOf(name);
      const hash = found?.metadata.annotations?.[ANNOTATIONS.appliedHash];
      return isDeepEqual(found?.['data'], { text: 'old' }) && hash !== UNFINISHED;
    });
    await becomesReady(rig, name);
  }
  rig.proxy.watches.fateOf = (line, path) => (path.endsWith('/widgets') ? 'drop' : { tell: line });
  await changeWidget(rig, 'a', { text: 'new' });
  const applies = appliesOf(rig, '/a-copy-0');
  const writes = () => rig.proxy.requests.filter((seen) => seen.path.endsWith('/widgets/b/status')).length;
  const before = writes();
  await client.delete(CONFIG_MAPS, { namespace, name: 'b-copy-0' });
  await eventually('the status of b was written', () => Promise.resolve(writes() > before));
  await client.patch(CONFIG_MAPS, { namespace, name: 'a-copy-0' }, { body: { data: { text: 'theirs' } } });
  await eventually('it is as the newest version wants it', async () =>
    isDeepEqual((await copyOf('a'))?.['data'], { text: 'new' }),
  );
  t.is(appliesOf(rig, '/a-copy-0'), applies + 1, 'the old text was never applied');
});

test('a version that moves on, though all is as wanted, costs no write', async (t) => {
  const rig = await rigOf(t, { namesVersions: true });
  const { client, namespace } = rig.world;
  await createWidget(rig, 'a', { copies: 1, text: 'x' });
  await becomesReady(rig, 'a');
  t.false(await writesWhenPoked(rig, ['a']));
  const events = () => sumOf(rig.metrics, 'nexusos_watch_events_total', 'configmaps');
  const before = await events();
  const body = { metadata: { labels: { theirs: 'yes' } } };
  await client.patch(CONFIG_MAPS, { namespace, name: 'a-copy-0' }, { body });
  await eventually('the new version was seen', async () => (await events()) > before);
  t.false(await writesWhenPoked(rig, ['a']));
});

test('a controller that keeps quiet about what goes well tells only the rest', async (t) => {
  const rig = await rigOf(t, { tells: ({ reason }) => reason === 'AllThere' });
  const { client, namespace } = rig.world;
  await createWidget(rig, 'a', { copies: 1 });
  await becomesReady(rig, 'a');
  let told: readonly KubeObject[] = [];
  await eventually('AllThere was told', async () => {
    told = (await client.list(EVENTS, { namespace }).next()).value?.items ?? [];
    return told.some((event) => event['reason'] === 'AllThere');
  });
  // Events are written in order: Making would be among them.
  t.deepEqual(
    told.map((event) => event['reason']),
    ['AllThere'],
  );
});

for (const [sentence, { ours, theirs }] of Object.entries(RESHAPED)) {
  test(`put right once, and then left alone: ${sentence}`, async (t) => {
    const { effects, world, metrics } = await effectsOf(t);
    const { client, namespace } = world;
    const wanted = { ...ours, metadata: { name: 'a', namespace } } as unknown as KubeObject;
    const resource = await client.resourceOf(wanted.apiVersion, wanted.kind);
    const look = async () => {
      const { metadata: _, ...rest } = (await client.get(resource, wanted.metadata)) ?? wanted;
      return rest;
    };
    await effects.apply(wanted, UNFENCED);
    const before = await look();
    await effects.apply(wanted, UNFENCED);
    t.is(await sumOf(metrics, 'nexusos_effects_total'), 1, 'what the API server fills in is no difference');
    await client.patch(resource, wanted.metadata, { body: theirs });
    t.notDeepEqual(await look(), before);
    await effects.apply(wanted, UNFENCED);
    await effects.apply(wanted, UNFENCED);
    t.deepEqual(await look(), before);
    t.is(await sumOf(metrics, 'nexusos_effects_total'), 2);
  });
}

test('what may not be replaced as it is wanted is refused, and what has moved on is stale', async (t) => {
  const { effects, world } = await effectsOf(t);
  const { client, namespace } = world;
  const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'fixed', namespace } };
  const made = await client.create(CONFIG_MAPS, { ...configMap, immutable: true, data: { a: 'b' } }, 'test');
  const refused = await t.throwsAsync(effects.replace({ ...made, data: { a: 'c' } }, UNFENCED));
  t.true(refused instanceof RefusedError);
  t.regex(refused.message, /^ConfigMap .*\/fixed: .*immutable/);
  await client.patch(CONFIG_MAPS, made.metadata, { body: { metadata: { labels: { seen: 'again' } } } });
  t.true(isStale(await t.throwsAsync(effects.replace(made, UNFENCED))));
});

test('what is deleted as it was seen is kept when it has changed since, and any other is not', async (t) => {
  const { effects, world } = await effectsOf(t);
  const { client, namespace } = world;
  const make = async (name: string) => {
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace } };
    const made = await client.create(CONFIG_MAPS, object, 'test');
    await client.patch(CONFIG_MAPS, made.metadata, { body: { data: { is: 'done' } } });
    const { uid = '', resourceVersion = '' } = made.metadata;
    return { ref: { apiVersion: 'v1', kind: 'ConfigMap', namespace, name, uid }, resourceVersion };
  };
  const seen = await make('seen');
  const error = await t.throwsAsync(
    effects.remove({ ref: seen.ref, asSeen: seen.resourceVersion }, UNFENCED),
  );
  t.true(isStale(error), 'it is looked at again');
  const kept = await client.get(CONFIG_MAPS, seen.ref);
  t.deepEqual(kept?.['data'], { is: 'done' });
  await effects.remove({ ref: seen.ref, asSeen: kept?.metadata.resourceVersion ?? '' }, UNFENCED);
  t.is(await client.get(CONFIG_MAPS, seen.ref), undefined);

  const other = await make('other');
  await effects.remove({ ref: other.ref }, UNFENCED);
  t.is(await client.get(CONFIG_MAPS, other.ref), undefined);
});

test('a finalizer that comes off an object that is gone is off', async (t) => {
  const { effects, world } = await effectsOf(t);
  const { client, widgets, namespace } = world;
  const made = await client.create(widgets, makeWidget(world, 'a'), 'test');
  const held = await effects.addFinalizer(widgets, made, FINALIZER);
  t.deepEqual(held.metadata.finalizers, [FINALIZER]);
  const key = { namespace, name: 'a' };
  await client.patch(widgets, key, { body: { metadata: { finalizers: [] } } });
  await client.delete(widgets, key);
  await t.notThrowsAsync(effects.removeFinalizer(widgets, held, FINALIZER));

  const namesake = makeWidget(world, 'a');
  const metadata = { ...namesake.metadata, finalizers: [FINALIZER] };
  await client.create(widgets, { ...namesake, metadata }, 'test');
  const error = await t.throwsAsync(effects.removeFinalizer(widgets, held, FINALIZER));
  t.true(isStale(error), 'a namesake keeps its own');
  t.deepEqual((await client.get(widgets, key))?.metadata.finalizers, [FINALIZER]);
  await client.patch(widgets, key, { body: { metadata: { finalizers: [] } } });
});
