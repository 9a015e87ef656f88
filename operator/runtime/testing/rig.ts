// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from 'node:crypto';
import { isDeepEqual } from '../../core/compare.ts';
import type { KubeObject } from '../../core/object.ts';
import { createLog } from '../../telemetry/log.ts';
import { createMetrics, type Metrics } from '../../telemetry/metrics.ts';
import { type Client, createClient } from '../client.ts';
import type { LeaderElectionOptions } from '../leader-election.ts';
import { createManager, type Manager } from '../manager.ts';
import type { ReflectorTiming } from '../reflector.ts';
import { eventually } from '#hack/tools/eventually';
import { FaultProxy } from './fault-proxy.ts';
import {
  CONFIG_MAPS,
  createWidgetWorld,
  makeWidget,
  type Widget,
  widgetController,
  type WidgetControllerOptions,
  type WidgetWorld,
} from './widgets.ts';

/** A manager of widgets that reaches the real API server through a fault proxy. */
export interface Rig {
  readonly world: WidgetWorld;
  readonly proxy: FaultProxy;
  readonly manager: Manager;
  readonly metrics: Metrics;
  /** The poke that each widget carried when it was reconciled last, by name. */
  readonly pokes: ReadonlyMap<string, string | undefined>;
  close(): Promise<void>;
}

/** How a rig differs from the usual. */
export interface RigOptions {
  readonly kubeconfigPath: string;
  readonly timing?: Partial<ReflectorTiming>;
  readonly controller?: WidgetControllerOptions;
  /** How many widgets are worked on at one time; by default as many as by default. */
  readonly concurrency?: number;
  readonly leaderElection?: (world: WidgetWorld) => LeaderElectionOptions;
  /** Called before the manager starts. */
  readonly prepare?: (rig: Omit<Rig, 'close'>) => void;
}

/** Label that pokes a widget. */
const POKED = 'poked';
const QUICK = { baseMs: 20, maxMs: 500, jitter: 0.5 };

/** Starts a world, a proxy and a manager; resolves when its stores are filled. */
export async function startRig(options: RigOptions): Promise<Rig> {
  const world = await createWidgetWorld(options.kubeconfigPath);
  const proxy = await FaultProxy.start(world.credentials);
  const metrics = createMetrics();
  const pokes = new Map<string, string | undefined>();
  const client: Client = createClient({ credentials: proxy.credentials, metrics, timeoutMs: 20_000 });
  const manager = createManager({
    client,
    controllers: [noting(widgetController(world, options.controller), pokes)],
    identity: world.namespace,
    namespace: world.namespace,
    leaderElection: options.leaderElection?.(world),
    ...(options.concurrency !== undefined && { concurrency: options.concurrency }),
    metrics,
    log: createLog({ level: process.env['NEXUSOS_TEST_LOG'] === undefined ? 'silent' : 'debug' }),
    timing: { idleMs: 90_000, backoff: QUICK, ...options.timing },
  });
  options.prepare?.({ world, proxy, manager, metrics, pokes });
  await manager.start();
  return {
    world,
    proxy,
    manager,
    metrics,
    pokes,
    async close() {
      proxy.heal();
      await manager.stop();
      await client.close();
      await proxy.close();
      await world.close();
    },
  };
}

/** The widget of `name` as the API server holds it. */
export async function widgetOf({ world }: Pick<Rig, 'world'>, name: string): Promise<Widget | undefined> {
  const object = await world.client.get(world.widgets, { namespace: world.namespace, name });
  return object as Widget | undefined;
}

/** Makes a widget, past the proxy. */
export function createWidget(
  { world }: Pick<Rig, 'world'>,
  name: string,
  spec: Widget['spec'],
): Promise<KubeObject> {
  return world.client.create(world.widgets, makeWidget(world, name, spec), 'test');
}

/** Changes the spec of a widget, past the proxy. */
export function changeWidget(
  { world }: Pick<Rig, 'world'>,
  name: string,
  spec: Widget['spec'],
): Promise<KubeObject> {
  return world.client.patch(world.widgets, { namespace: world.namespace, name }, { body: { spec } });
}

/** ConfigMaps that the widget of `uid` owns, by name. */
export async function ownedOf({ world }: Pick<Rig, 'world'>, uid: string): Promise<Map<string, KubeObject>> {
  const owned = new Map<string, KubeObject>();
  for await (const page of world.client.list(CONFIG_MAPS, { namespace: world.namespace })) {
    for (const object of page.items) {
      if (object.metadata.ownerReferences?.some((one) => one.uid === uid) === true) {
        owned.set(object.metadata.name, object);
      }
    }
  }
  return owned;
}

/** Waits until the widget of `name` says that it is ready, and until it is so. Returns it. */
export async function becomesReady(rig: Pick<Rig, 'world'>, name: string): Promise<Widget> {
  let found: Widget | undefined;
  await eventually(`widget ${name} is ready and all of it is there`, async () => {
    found = await widgetOf(rig, name);
    return found !== undefined && isReady(found) && (await isCarriedOut(rig, found));
  });
  if (found === undefined) throw new Error('unreachable: the wait has found it');
  return found;
}

/** Whether the last status speaks of the last spec, and says Ready. */
export function isReady({ metadata, status }: Widget): boolean {
  const ready = status?.conditions.find((one) => one.type === 'Ready');
  return ready?.status === 'True' && ready.observedGeneration === metadata.generation;
}

/**
 * Has every widget of `names` reconciled once more.
 *
 * @returns whether that wrote anything at all.
 */
export async function writesWhenPoked(rig: Rig, names: readonly string[]): Promise<boolean> {
  const { client, namespace, widgets } = rig.world;
  const poke = randomUUID();
  await eventually('nothing is under way', () => isIdle(rig.metrics));
  const before = await writesOf(rig.metrics);
  for (const name of names) {
    const body = { metadata: { labels: { [POKED]: poke } } };
    await client.patch(widgets, { namespace, name }, { body });
  }
  await eventually(
    'every poked widget was reconciled',
    async () => names.every((name) => rig.pokes.get(name) === poke) && (await isIdle(rig.metrics)),
  );
  return (await writesOf(rig.metrics)) !== before;
}

/** Whether no reconcile runs, and none waits. */
export async function isIdle(metrics: Metrics): Promise<boolean> {
  // What waits first: a key that is taken between the two looks is seen by the second one.
  const waiting = await sumOf(metrics, 'workqueue_depth');
  return waiting === 0 && (await sumOf(metrics, 'controller_runtime_active_workers')) === 0;
}

/** The controller, which notes the poke that each widget carries when it is looked at. */
function noting(
  controller: ReturnType<typeof widgetController>,
  pokes: Map<string, string | undefined>,
): ReturnType<typeof widgetController> {
  return {
    ...controller,
    parse(object) {
      pokes.set(object.metadata.name, object.metadata.labels?.[POKED]);
      return controller.parse?.(object) ?? (object as Widget);
    },
  };
}

/** Writes that were sent so far. */
export function writesOf(metrics: Metrics): Promise<number> {
  return sumOf(metrics, 'nexusos_effects_total');
}

/** Reconciles so far. */
export function passesOf(metrics: Metrics): Promise<number> {
  return sumOf(metrics, 'controller_runtime_reconcile_total');
}

/** Sum over all labels of the metric `name`, or over those lines that hold `part`. */
export async function sumOf(metrics: Metrics, name: string, part = ''): Promise<number> {
  const lines = (await metrics.text())
    .split('\n')
    .filter((line) => line.startsWith(name) && line.includes(part));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

async function isCarriedOut(rig: Pick<Rig, 'world'>, { metadata, spec }: Widget): Promise<boolean> {
  const owned = await ownedOf(rig, metadata.uid ?? '');
  const copies = Array.from({ length: spec.copies ?? 0 }, (_, i) => `${metadata.name}-copy-${i}`);
  const names = [...copies, `${metadata.name}-once`];
  const hasText = copies.every((name) => isDeepEqual(owned.get(name)?.['data'], { text: spec.text ?? '' }));
  return hasText && isDeepEqual([...owned.keys()].toSorted(), names.toSorted());
}
