// SPDX-License-Identifier: Apache-2.0
import { delimiter, resolve } from 'node:path';
import { WEBHOOKS_NAME } from '#crds/v1alpha1/names';
import type { KubeObject, Resource } from '#operator/core/object';
import { type KindObjects, MAX_INVENTORY_OBJECTS } from '#operator/core/policy/inventory';
import { type BindingRule, rulesOf } from '#operator/core/policy/match';
import type { JsonObject } from '#operator/core/policy/review';
import { VALIDATING_CONFIGURATIONS } from '#operator/core/resources';
import { hasStatus } from '#operator/runtime/api-error';
import { type Client, createClient } from '#operator/runtime/client';
import { kubeconfigCredentials } from '#operator/runtime/credentials';
import { isObject, listAt, objectAt, textAt } from '#operator/rego/gatekeeper/json';
import { registeredRules } from '#webhooks/registrations';
import { type Call, CommandError, EXIT, flagValue } from '../cli/command.ts';
import type { LocalPack } from './folder.ts';
import type { Live, LiveObject } from './live.ts';
import { readWorld } from './live-world.ts';
import { seesImages } from './verdict.ts';

/** Uses a client for the cluster that the flags name, and ends it. It only reads. */
export async function withCluster<T>(call: Call, use: (client: Client) => Promise<T>): Promise<T> {
  const paths = pathsOf(call);
  const context = flagValue(call, 'context');
  const client = await open({ ...(paths.length > 0 && { paths }), ...(context && { context }) });
  try {
    return await use(client);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(EXIT.unavailable, `the cluster does not answer: ${wordsOf(error)}`);
  } finally {
    await client.close();
  }
}

/** One that is named counts alone; KUBECONFIG may name several. */
function pathsOf(call: Call): readonly string[] {
  const named = flagValue(call, 'kubeconfig');
  const listed = (call.env['KUBECONFIG'] ?? '').split(delimiter).filter((one) => one !== '');
  return (named === undefined ? listed : [named]).map((one) => resolve(call.cwd, one));
}

async function open(options: Parameters<typeof kubeconfigCredentials>[0]): Promise<Client> {
  try {
    return createClient({ credentials: await kubeconfigCredentials(options), attempts: 2 });
  } catch (error) {
    throw new CommandError(EXIT.unavailable, `the kubeconfig cannot be used: ${wordsOf(error)}`);
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What of a cluster is looked at. */
export interface LiveWanted {
  readonly packs: readonly LocalPack[];
  /** The only one whose objects are looked at; undefined: all. */
  readonly namespace: string | undefined;
  readonly platformNamespace: string;
  /** What is known of images was said by whoever asks. */
  readonly isTold: boolean;
}

/** All objects that one of the packs may be asked about, page by page, and what the cluster knows beside them. */
export async function readLive(
  client: Client,
  { packs, namespace, platformNamespace, isTold }: LiveWanted,
): Promise<Live> {
  const resources = await resourcesFor(
    client,
    packs.flatMap((one) => rulesOf(one.spec.binding)),
  );
  const homes = packs.flatMap((one) => one.namespace ?? []);
  const world = await readWorld(client, {
    platformNamespace,
    seesImages: !isTold && packs.some(seesImages),
    only: namespace === undefined ? undefined : [...new Set([namespace, ...homes])],
  });
  return {
    objects: objectsOf(client, resources, namespace),
    world,
    registered: await readRegistered(client),
    objectsOf: (kind) => allOfKind(client, kind),
  };
}

/** By what the API server goes, where whoever asks may read it. */
async function readRegistered(client: Client): Promise<Live['registered']> {
  try {
    return registeredRules(await client.get(VALIDATING_CONFIGURATIONS, { name: WEBHOOKS_NAME }));
  } catch (error) {
    if (hasStatus(error, 403) || hasStatus(error, 404)) return undefined;
    throw error;
  }
}

/** Read at once: rules compare everything with the same. */
async function allOfKind(
  client: Client,
  { apiVersion, kind }: Pick<Resource, 'apiVersion' | 'kind'>,
): Promise<KindObjects | string> {
  const objects: KubeObject[] = [];
  try {
    const resource = (await servedBy(client, apiVersion)).find((one) => one.kind === kind);
    if (resource === undefined) return `the cluster has no ${kind} of ${apiVersion}`;
    for await (const { items } of client.list(resource)) {
      objects.push(...items);
      if (objects.length > MAX_INVENTORY_OBJECTS)
        return `there are more than ${MAX_INVENTORY_OBJECTS} objects of kind ${kind}`;
    }
    return { resource, objects };
  } catch (error) {
    if (hasStatus(error, 404)) return `the cluster has no ${kind} of ${apiVersion}`;
    if (hasStatus(error, 403)) return `you may not list objects of kind ${kind} in all namespaces`;
    throw error;
  }
}

async function* objectsOf(
  client: Client,
  resources: readonly Resource[],
  namespace: string | undefined,
): AsyncGenerator<LiveObject> {
  for (const resource of resources) {
    if (namespace !== undefined && !resource.namespaced) continue;
    for await (const page of client.list(resource, { namespace })) {
      for (const one of page.items) {
        const object = { ...asJson(one), apiVersion: resource.apiVersion, kind: resource.kind };
        yield { object, resource: resource.plural };
      }
    }
  }
}

/** Objects of Kubernetes are JSON, whatever we call their type. */
function asJson(object: KubeObject): JsonObject {
  return { ...object };
}

/** What the API server serves that a rule names, each kind once, in the version that it prefers. */
async function resourcesFor(client: Client, rules: readonly BindingRule[]): Promise<readonly Resource[]> {
  const found = new Map<string, Resource>();
  for (const { group, version } of await groupsOf(client)) {
    const wanted = rules.filter((rule) => rule.apiGroups.includes('*') || rule.apiGroups.includes(group));
    if (wanted.length === 0) continue;
    const names = wanted.flatMap((rule) => rule.resources);
    for (const one of await servedBy(client, version)) {
      if (names.includes('*') || names.includes('*/*') || names.includes(one.plural))
        found.set(`${version}/${one.plural}`, one);
    }
  }
  return [...found.values()];
}

interface Group {
  readonly group: string;
  /** `apps/v1`. */
  readonly version: string;
}

async function groupsOf(client: Client): Promise<readonly Group[]> {
  const answer = await client.raw({ verb: 'get', path: '/apis' });
  const groups = isObject(answer) ? listAt(answer, 'groups').filter(isObject) : [];
  const named = groups.map((one) => ({
    group: textAt(one, 'name'),
    version: textAt(objectAt(one, 'preferredVersion'), 'groupVersion'),
  }));
  return [{ group: '', version: 'v1' }, ...named];
}

async function servedBy(client: Client, apiVersion: string): Promise<readonly Resource[]> {
  const path = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const answer = await client.raw({ verb: 'get', path });
  const list = isObject(answer) ? listAt(answer, 'resources').filter(isObject) : [];
  return list
    .filter((one) => !textAt(one, 'name').includes('/') && listAt(one, 'verbs').includes('list'))
    .map((one) => ({
      apiVersion,
      kind: textAt(one, 'kind'),
      plural: textAt(one, 'name'),
      namespaced: one['namespaced'] === true,
    }));
}
