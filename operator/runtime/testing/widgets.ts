// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { setStanding } from '../../core/conditions.ts';
import type { Condition, KubeObject, Resource } from '../../core/object.ts';
import { DONE, type Plan, type PlanEvent, type Result } from '../../core/plan.ts';
import { type Client, createClient } from '../client.ts';
import { ownedBy, type Controller } from '../controller.ts';
import type { Credentials } from '../credentials.ts';
import { certificateCredentials } from './certificate-credentials.ts';
import { eventually } from '#hack/tools/eventually';

/** ConfigMaps, which widgets own. */
export const CONFIG_MAPS: Resource = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  namespaced: true,
};

/** A made-up kind with a status, of which the runtime knows nothing. */
export interface Widget extends KubeObject {
  readonly spec: { readonly copies?: number; readonly text?: string };
  readonly status?: WidgetStatus;
}

/** What the widget controller says. */
export interface WidgetStatus {
  readonly ready: number;
  readonly conditions: readonly Condition[];
}

const GROUP = 'test.nexusos.dev';
const WIDGETS: Resource = { apiVersion: `${GROUP}/v1`, kind: 'Widget', plural: 'widgets', namespaced: true };

/** A namespace that one test has for itself; the kind is there for all. */
export interface WidgetWorld {
  readonly widgets: Resource;
  readonly namespace: string;
  /** As the administrator, straight to the API server. */
  readonly client: Client;
  readonly credentials: Credentials;
  /** Deletes the namespace, and ends the client. */
  close(): Promise<void>;
}

/** Makes a world of its own in the cluster of `kubeconfigPath`; two at once do not meet. */
export async function createWidgetWorld(kubeconfigPath: string): Promise<WidgetWorld> {
  const credentials = await certificateCredentials(kubeconfigPath);
  const client = createClient({ credentials });
  const namespace = `widgets-${randomBytes(4).toString('hex')}`;
  const crds = await client.resourceOf('apiextensions.k8s.io/v1', 'CustomResourceDefinition');
  const namespaces = await client.resourceOf('v1', 'Namespace');
  await client.create(namespaces, plain(namespaces, namespace), 'test');
  await client.apply(crds, widgetDefinition(), 'test');
  await eventually('the kind is served', async () => {
    await client.list(WIDGETS, { namespace }).next();
    return true;
  });
  return {
    widgets: WIDGETS,
    namespace,
    client,
    credentials,
    async close() {
      await client.delete(namespaces, { name: namespace });
      await client.close();
    },
  };
}

/** A widget of `world`. */
export function makeWidget(world: WidgetWorld, name: string, spec: Widget['spec'] = {}): Widget {
  const { apiVersion, kind } = world.widgets;
  return { apiVersion, kind, metadata: { name, namespace: world.namespace }, spec };
}

/** How the test's controller differs from the usual. */
export interface WidgetControllerOptions {
  /** Clears away what a widget owns by itself, before the widget goes. */
  readonly finalizer?: string;
  /** Watches only the metadata of ConfigMaps. */
  readonly metadataOnly?: boolean;
  /** What is applied over a ConfigMap names the version of it that was seen. */
  readonly namesVersions?: boolean;
  /** Which Events of changed conditions are told; by default all. */
  readonly tells?: (event: PlanEvent) => boolean;
  /** Tells an Event, `Begun`, by the pass that writes the first status. */
  readonly tellsBeginning?: boolean;
  /** When to come back after a pass; by default when something changes. */
  readonly result?: () => Result;
  /** What a pass over a widget waits for. */
  readonly holds?: (widget: Widget) => Promise<void>;
  /** The fairness group of a widget; by default that of its namespace. */
  readonly group?: (widget: KubeObject) => string;
  /** What `observe` throws for a widget. */
  readonly failure?: (widget: Widget) => Error | undefined;
}

/**
 * The test's controller: each widget wants `copies` ConfigMaps that hold its text, made by apply, and one
 * that is made once by create; and says when they are there.
 */
export function widgetController(
  world: Pick<WidgetWorld, 'widgets' | 'namespace'>,
  options: WidgetControllerOptions = {},
): Controller<Widget, readonly KubeObject[], WidgetStatus> {
  const { widgets, namespace } = world;
  const base: Controller<Widget, readonly KubeObject[], WidgetStatus> = {
    name: 'widget',
    resource: widgets,
    watches: [
      {
        resource: CONFIG_MAPS,
        namespace,
        metadataOnly: options.metadataOnly === true,
        keys: ownedBy(widgets),
      },
    ],
    rbac: [],
    parse: (object) =>
      isWidget(object) ? object : { parseFailure: 'spec.copies: must not be above 100, for this test' },
    observe: async (widget, read) => {
      await options.holds?.(widget);
      const failure = options.failure?.(widget);
      if (failure !== undefined) throw failure;
      return read
        .list(CONFIG_MAPS, { namespace })
        .filter((one) => one.metadata.ownerReferences?.[0]?.uid === widget.metadata.uid);
    },
    plan: (widget, owned, now) => {
      const isFirst = options.tellsBeginning === true && widget.status === undefined;
      const events = isFirst ? [{ type: 'Normal' as const, reason: 'Begun', message: 'seen' }] : [];
      const result = options.result?.() ?? DONE;
      const plan = { ...planWidget(widget, owned, now), events, result };
      return options.namesVersions === true ? { ...plan, apply: withVersions(plan.apply, owned) } : plan;
    },
    ...(options.tells !== undefined && { tells: options.tells }),
    ...(options.group !== undefined && { group: options.group }),
  };
  if (options.finalizer === undefined) return base;
  return { ...base, finalizer: options.finalizer, finalize: finalizeWidget, salvage: withoutSpec };
}

function withoutSpec(object: KubeObject): Widget {
  return { ...object, spec: {} };
}

function isWidget(object: KubeObject): object is Widget {
  const { spec } = object as Widget;
  return (spec.copies ?? 0) <= 100;
}

function planWidget(widget: Widget, owned: readonly KubeObject[], now: Date): Plan<WidgetStatus> {
  const copies = widget.spec.copies ?? 0;
  const wanted = Array.from({ length: copies }, (_, i) => configMap(widget, `copy-${i}`));
  const names = new Set([...wanted.map((one) => one.metadata.name), `${widget.metadata.name}-once`]);
  const there = owned.filter((one) => names.has(one.metadata.name)).length;
  const isReady = there === names.size;
  const message = `${there} of ${names.size} there`;
  const conditions = setStanding(
    widget.status?.conditions ?? [],
    isReady
      ? { kind: 'ready', reason: 'AllThere', message }
      : { kind: 'reconciling', reason: 'Making', message },
    { generation: widget.metadata.generation ?? 0, now },
  );
  const extra = owned.filter((one) => !names.has(one.metadata.name));
  return {
    status: { ready: there, conditions },
    apply: wanted,
    create: [configMap(widget, 'once')],
    remove: extra.map((one) => ({ ref: removable(one) })),
    events: [],
    result: DONE,
  };
}

/** What is not there yet has no version to name. */
function withVersions(wanted: readonly KubeObject[], seen: readonly KubeObject[]): readonly KubeObject[] {
  const versions = new Map(seen.map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
  return wanted.map((one) => {
    const resourceVersion = versions.get(one.metadata.name);
    return resourceVersion === undefined ? one : { ...one, metadata: { ...one.metadata, resourceVersion } };
  });
}

function finalizeWidget(widget: Widget, owned: readonly KubeObject[], now: Date): Plan<WidgetStatus> {
  const conditions = setStanding(
    widget.status?.conditions ?? [],
    { kind: 'reconciling', reason: 'Clearing', message: `${owned.length} left` },
    { generation: widget.metadata.generation ?? 0, now },
  );
  return {
    status: { ready: owned.length, conditions },
    apply: [],
    create: [],
    remove: owned.map((one) => ({ ref: removable(one) })),
    events: [],
    result: owned.length === 0 ? { kind: 'finalized' } : DONE,
  };
}

/** The text; one that starts with `=` is a key, which goes with it. */
function dataOf({ spec: { text = '' } }: Widget): Readonly<Record<string, string>> {
  return text.startsWith('=') ? { [text.slice(1)]: '' } : { text };
}

function configMap(widget: Widget, suffix: string): KubeObject {
  const { name, namespace, uid = '' } = widget.metadata;
  const { apiVersion, kind } = widget;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: `${name}-${suffix}`,
      ...(namespace !== undefined && { namespace }),
      ownerReferences: [{ apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: false }],
    },
    data: dataOf(widget),
  };
}

function removable(object: KubeObject) {
  const { name, namespace, uid = '' } = object.metadata;
  const ref = { apiVersion: 'v1', kind: 'ConfigMap', name, uid };
  return namespace === undefined ? ref : { ...ref, namespace };
}

function plain(resource: Resource, name: string): KubeObject {
  return { apiVersion: resource.apiVersion, kind: resource.kind, metadata: { name } };
}

function widgetDefinition(): KubeObject {
  const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `widgets.${GROUP}` },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: { kind: 'Widget', plural: 'widgets', singular: 'widget' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: {
            openAPIV3Schema: {
              type: 'object',
              required: ['spec'],
              properties: {
                spec: {
                  type: 'object',
                  properties: { copies: { type: 'integer' }, text: { type: 'string' } },
                },
                status: open,
              },
            },
          },
        },
      ],
    },
  };
}
