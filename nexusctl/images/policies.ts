// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import { CLUSTER_IMAGE_POLICY, IMAGE_POLICY, type ImagePolicySpec } from '#crds/v1alpha1/image-policy';
import { API_VERSION, GROUP } from '#crds/v1alpha1/names';
import type { TrustRootSpec } from '#crds/v1alpha1/trust-root';
import type { PolicyInputs } from '#operator/core/images/inputs';
import { rootText } from '#operator/core/images/root-text';
import type { KubeObject, Resource } from '#operator/core/object';
import {
  CLUSTER_IMAGE_POLICIES,
  CONFIG_MAPS,
  IMAGE_POLICIES,
  SECRETS,
  TRUST_ROOTS,
} from '#operator/core/resources';
import type { Client } from '#operator/runtime/client';
import { type Call, CommandError, EXIT, flagValue } from '../cli/command.ts';
import { withCluster } from '../pack/cluster.ts';
import { documentsAt } from '../pack/documents.ts';

/** A policy on images, with all that it names. */
export interface LocalPolicy {
  /** How it is named to people: `ClusterImagePolicy signed`. */
  readonly name: string;
  readonly inputs: PolicyInputs;
}

const KINDS = { ClusterImagePolicy: CLUSTER_IMAGE_POLICY, ImagePolicy: IMAGE_POLICY } as const;

type Kind = keyof typeof KINDS;

/** Where what policies name is: keys in Secrets, roots in ConfigMaps. */
export const PLATFORM_NAMESPACE_FLAG = {
  name: 'platform-namespace',
  value: 'NAMESPACE',
  what: 'where keys and roots of the platform are',
  default: 'nexusos-system',
} as const;

/** Policies of files, or of the cluster. */
export async function policiesFor(call: Call): Promise<readonly LocalPolicy[]> {
  const path = flagValue(call, 'policy');
  const objects =
    path === undefined
      ? await withCluster(call, (client) => objectsOfCluster(client, call))
      : (await documentsAt(resolve(call.cwd, path))).map(({ value }) => value as unknown as KubeObject);
  const world = new World(objects, flagValue(call, 'platform-namespace') ?? '');
  return objects.filter(isPolicy).map((one) => world.policy(one));
}

function isPolicy({ apiVersion, kind }: KubeObject): boolean {
  return apiVersion.startsWith(`${GROUP}/`) && Object.hasOwn(KINDS, kind);
}

/** All that may be looked at of what policies are made of: who may not read keys is told so where they are missing. */
async function objectsOfCluster(client: Client, call: Call): Promise<readonly KubeObject[]> {
  const namespace = flagValue(call, 'namespace');
  const platform = flagValue(call, 'platform-namespace') ?? '';
  const policies = await all(client, CLUSTER_IMAGE_POLICIES);
  const roots = await all(client, TRUST_ROOTS);
  const own = namespace === undefined ? [] : await all(client, IMAGE_POLICIES, namespace);
  const named = [...policies, ...roots, ...own].flatMap((one) => namesIn(one, platform));
  const parts = await Promise.all(
    named.map((one) => client.get(one.resource, one.key).catch(() => undefined)),
  );
  const typed = parts.flatMap((one, index) => {
    const { resource } = named[index] ?? {};
    return one === undefined || resource === undefined ? [] : [typedAs(one, resource)];
  });
  return [...policies, ...roots, ...own, ...typed];
}

async function all(client: Client, resource: Resource, namespace?: string): Promise<readonly KubeObject[]> {
  const found: KubeObject[] = [];
  for await (const { items } of client.list(resource, namespace === undefined ? {} : { namespace }))
    found.push(...items.map((one) => typedAs(one, resource)));
  return found;
}

/** Items of lists do not say what they are. */
function typedAs(object: KubeObject, { apiVersion, kind }: Resource): KubeObject {
  return { ...object, apiVersion, kind };
}

interface Named {
  readonly resource: Resource;
  readonly key: { readonly namespace: string; readonly name: string };
}

function namesIn(object: KubeObject, platform: string): readonly Named[] {
  const namespace = object.metadata.namespace ?? platform;
  if (object.kind === 'TrustRoot') {
    const named = new Set<string>();
    rootText(object['spec'] as TrustRootSpec, ({ name }) => {
      named.add(name);
      return undefined;
    });
    return [...named].map((name) => ({ resource: CONFIG_MAPS, key: { namespace: platform, name } }));
  }
  return (object['spec'] as ImagePolicySpec).authorities.flatMap(({ key }) =>
    key?.secretRef === undefined ? [] : [{ resource: SECRETS, key: { namespace, name: key.secretRef.name } }],
  );
}

/** Objects that policies are made of. */
class World {
  readonly #objects: readonly KubeObject[];
  readonly #platform: string;

  constructor(objects: readonly KubeObject[], platform: string) {
    this.#objects = objects;
    this.#platform = platform;
  }

  policy(object: KubeObject): LocalPolicy {
    const name = `${object.kind} ${object.metadata.name}`;
    const read = KINDS[object.kind as Kind].spec.safeParse(object['spec']);
    if (object.apiVersion !== API_VERSION || !read.success) {
      const issues = read.error?.issues ?? [];
      throw new CommandError(
        EXIT.usage,
        `${name} does not fit the schema of ${API_VERSION}`,
        issues.map((one) => `spec.${one.path.map(String).join('.')}: ${one.message}`),
      );
    }
    const spec: ImagePolicySpec = read.data;
    return { name, inputs: { spec, roots: this.#roots(), keys: this.#keys(object), waivers: [] } };
  }

  #roots(): Readonly<Record<string, string>> {
    const roots = this.#objects.filter(({ kind }) => kind === 'TrustRoot');
    return Object.fromEntries(
      roots.flatMap(({ metadata, ...rest }) => {
        const spec = (rest as Readonly<Record<string, unknown>>)['spec'] as TrustRootSpec;
        const text = rootText(spec, (at) => this.#text('ConfigMap', at));
        return text === undefined ? [] : [[metadata.name, text] as const];
      }),
    );
  }

  #text(kind: string, { name, key }: { readonly name: string; readonly key: string }): string | undefined {
    const found = this.#objects.find(
      (one) => one.kind === kind && one.metadata.name === name && this.#isIn(one, this.#platform),
    );
    return dataOf(found)[key];
  }

  /** Keys of the namespace of the policy alone, or of the platform for one of the cluster. */
  #keys({ metadata }: KubeObject): Readonly<Record<string, string>> {
    const namespace = metadata.namespace ?? this.#platform;
    const secrets = this.#objects.filter((one) => one.kind === 'Secret' && this.#isIn(one, namespace));
    return Object.fromEntries(
      secrets.flatMap((one) =>
        Object.entries(dataOf(one)).map(([key, text]) => [`${one.metadata.name}/${key}`, text] as const),
      ),
    );
  }

  /** What stands in a file without a namespace is meant for wherever it is needed. */
  #isIn({ metadata }: KubeObject, namespace: string): boolean {
    return metadata.namespace === undefined || metadata.namespace === namespace;
  }
}

/** The texts of a Secret or a ConfigMap. */
function dataOf(object: KubeObject | undefined): Readonly<Record<string, string>> {
  if (object === undefined) return {};
  const plain = { ...texts(object['data']), ...texts(object['stringData']) };
  if (object.kind !== 'Secret') return plain;
  const decoded = Object.entries(texts(object['data'])).map(
    ([key, text]) => [key, Buffer.from(text, 'base64').toString('utf8')] as const,
  );
  return { ...Object.fromEntries(decoded), ...texts(object['stringData']) };
}

function texts(data: unknown): Readonly<Record<string, string>> {
  if (typeof data !== 'object' || data === null) return {};
  return Object.fromEntries(
    Object.entries(data).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
