// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import type { ImagePolicySpec } from '#crds/v1alpha1/image-policy';
import type { TrustRootSpec } from '#crds/v1alpha1/trust-root';
import { rootText } from '#operator/core/images/root-text';
import type { KubeObject, Resource } from '#operator/core/object';
import {
  CLUSTER_IMAGE_POLICIES,
  CONFIG_MAPS,
  IMAGE_POLICIES,
  IMAGE_WAIVERS,
  NAMESPACES,
  SECRETS,
  TRUST_ROOTS,
} from '#operator/core/resources';
import { hasStatus } from '#operator/runtime/api-error';
import type { Client } from '#operator/runtime/client';
import { type Call, CommandError, EXIT, flagValue } from '../cli/command.ts';
import { withCluster } from '../pack/cluster.ts';
import { documentsAt } from '../pack/documents.ts';

/** What verdicts on images are made of: policies, and what they name. */
export interface ImageObjects {
  readonly objects: readonly KubeObject[];
  /** Of a cluster; else of files, where a namespace or a name may be left out. */
  readonly isOfCluster: boolean;
  /** Where keys, roots and waivers of the platform are. */
  readonly platform: string;
  /** Names of Secrets and ConfigMaps that may not be read by who asks. */
  readonly forbidden: readonly string[];
  /** What was not looked at, in words. */
  readonly notes: readonly string[];
}

/** Objects of files, where they are given, or of the cluster. */
export async function readImageObjects(call: Call): Promise<ImageObjects> {
  const path = flagValue(call, 'policy');
  const platform = flagValue(call, 'platform-namespace') ?? '';
  if (path === undefined) return withCluster(call, (client) => objectsOfCluster(client, call, platform));
  const documents = await documentsAt(resolve(call.cwd, path));
  const objects = documents.map(({ value, file }) => named(value, file));
  return { objects, isOfCluster: false, platform, forbidden: [], notes: [] };
}

/** What has no name is no object of Kubernetes, whatever else it may be. */
function named(value: Readonly<Record<string, unknown>>, file: string): KubeObject {
  const { metadata, kind, apiVersion } = value;
  const name: unknown = (metadata as { readonly name?: unknown } | undefined)?.name;
  if (typeof kind === 'string' && typeof apiVersion === 'string' && typeof name === 'string')
    return value as unknown as KubeObject;
  throw new CommandError(
    EXIT.usage,
    `${file} holds something that is no object of Kubernetes: apiVersion, kind and metadata.name are needed`,
  );
}

async function objectsOfCluster(client: Client, call: Call, platform: string): Promise<ImageObjects> {
  const namespace = flagValue(call, 'namespace');
  const policies = await all(client, CLUSTER_IMAGE_POLICIES);
  const roots = await all(client, TRUST_ROOTS);
  const own = namespace === undefined ? [] : await all(client, IMAGE_POLICIES, namespace);
  const found = [...policies, ...roots, ...own];
  const parts = await partsOf(client, found, platform);
  const place = namespace === undefined ? [] : [await theNamespace(client, namespace)];
  const { waivers, notes } = await waiversIn(client, platform);
  return {
    objects: [...found, ...place, ...waivers, ...parts.objects],
    isOfCluster: true,
    platform,
    forbidden: parts.forbidden,
    notes,
  };
}

async function all(client: Client, resource: Resource, namespace?: string): Promise<readonly KubeObject[]> {
  const found: KubeObject[] = [];
  try {
    for await (const { items } of client.list(resource, namespace === undefined ? {} : { namespace }))
      found.push(...items.map((one) => typedAs(one, resource)));
  } catch (error) {
    if (!hasStatus(error, 403) && !hasStatus(error, 404)) throw error;
    const where = namespace === undefined ? '' : ` in namespace ${namespace}`;
    throw new CommandError(
      EXIT.unavailable,
      hasStatus(error, 403)
        ? `you may not list ${resource.plural}${where}: ask whoever keeps the platform for a file of them, and name it by --policy`
        : `the cluster has no ${resource.plural}: NexusOS is not installed there; name policies of files by --policy`,
    );
  }
  return found;
}

/** Items of lists do not say what they are. */
function typedAs(object: KubeObject, { apiVersion, kind }: Resource): KubeObject {
  return { ...object, apiVersion, kind };
}

async function theNamespace(client: Client, name: string): Promise<KubeObject> {
  const found = await client.get(NAMESPACES, { name }).catch((error: unknown) => {
    if (hasStatus(error, 403)) throw new CommandError(EXIT.unavailable, `you may not read namespace ${name}`);
    throw error;
  });
  if (found === undefined) throw new CommandError(EXIT.usage, `there is no namespace ${name} in the cluster`);
  return typedAs(found, NAMESPACES);
}

async function waiversIn(
  client: Client,
  platform: string,
): Promise<{ readonly waivers: readonly KubeObject[]; readonly notes: readonly string[] }> {
  try {
    return { waivers: await all(client, IMAGE_WAIVERS, platform), notes: [] };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const note = `you may not read ImageWaivers in namespace ${platform}: what is waived there is not waived here`;
    return { waivers: [], notes: [note] };
  }
}

interface Named {
  readonly resource: Resource;
  readonly key: { readonly namespace: string; readonly name: string };
}

async function partsOf(
  client: Client,
  found: readonly KubeObject[],
  platform: string,
): Promise<{ readonly objects: readonly KubeObject[]; readonly forbidden: readonly string[] }> {
  const objects: KubeObject[] = [];
  const forbidden: string[] = [];
  for (const { resource, key } of found.flatMap((one) => namesIn(one, platform))) {
    const part = await client.get(resource, key).catch((error: unknown) => {
      if (!hasStatus(error, 403)) throw error;
      forbidden.push(`${resource.kind} ${key.namespace}/${key.name}`);
      return undefined;
    });
    if (part !== undefined) objects.push(typedAs(part, resource));
  }
  return { objects, forbidden: [...new Set(forbidden)] };
}

function namesIn(object: KubeObject, platform: string): readonly Named[] {
  const namespace = object.metadata.namespace ?? platform;
  if (object.kind === 'TrustRoot') {
    const names = new Set<string>();
    rootText(object['spec'] as TrustRootSpec, ({ name }) => {
      names.add(name);
      return undefined;
    });
    return [...names].map((name) => ({ resource: CONFIG_MAPS, key: { namespace: platform, name } }));
  }
  return (object['spec'] as ImagePolicySpec).authorities.flatMap(({ key }) =>
    key?.secretRef === undefined ? [] : [{ resource: SECRETS, key: { namespace, name: key.secretRef.name } }],
  );
}
