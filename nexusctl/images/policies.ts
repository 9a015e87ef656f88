// SPDX-License-Identifier: Apache-2.0
import { CLUSTER_IMAGE_POLICY, IMAGE_POLICY, type ImagePolicySpec } from '#crds/v1alpha1/image-policy';
import { API_VERSION, GROUP } from '#crds/v1alpha1/names';
import type { TrustRootSpec } from '#crds/v1alpha1/trust-root';
import type { PolicyInputs } from '#operator/core/images/inputs';
import { imagePolicyFacts } from '#operator/core/images/objects';
import { type ImagePolicyFacts, nameOf } from '#operator/core/images/policy';
import { rootText } from '#operator/core/images/root-text';
import type { KubeObject } from '#operator/core/object';
import { CommandError, EXIT } from '../cli/command.ts';
import type { ImageObjects } from './objects.ts';

/** A policy on images, with all that it names. */
export interface LocalPolicy {
  /** How it is named to people: `ClusterImagePolicy signed`. */
  readonly name: string;
  readonly facts: ImagePolicyFacts;
  /** Without waivers: those are of an image. */
  readonly inputs: PolicyInputs;
}

const KINDS = { ClusterImagePolicy: CLUSTER_IMAGE_POLICY, ImagePolicy: IMAGE_POLICY } as const;

type Kind = keyof typeof KINDS;

/** Where what policies name is: keys in Secrets, roots in ConfigMaps. */
export const PLATFORM_NAMESPACE_FLAG = {
  name: 'platform-namespace',
  value: 'NAMESPACE',
  what: 'where keys, roots and waivers of the platform are',
  default: 'nexusos-system',
} as const;

/** All policies among some objects. One of a file that does not fit its schema is told. */
export function policiesAmong(known: ImageObjects): readonly LocalPolicy[] {
  const world = new World(known);
  return known.objects.filter(isPolicy).map((one) => world.policy(one));
}

function isPolicy({ apiVersion, kind }: KubeObject): boolean {
  return apiVersion.startsWith(`${GROUP}/`) && Object.hasOwn(KINDS, kind);
}

/** Objects that policies are made of. */
class World {
  readonly #known: ImageObjects;

  constructor(known: ImageObjects) {
    this.#known = known;
  }

  policy(object: KubeObject): LocalPolicy {
    const kind = object.kind as Kind;
    const name = nameOf({ kind, name: object.metadata.name });
    const read = KINDS[kind].spec.safeParse(object['spec']);
    if (object.apiVersion !== API_VERSION || !read.success) {
      const issues = read.error?.issues ?? [];
      throw new CommandError(
        EXIT.usage,
        `${name} does not fit the schema of ${API_VERSION}`,
        issues.map((one) => `spec.${one.path.map(String).join('.')}: ${one.message}`),
      );
    }
    const spec: ImagePolicySpec = read.data;
    const facts = imagePolicyFacts({ ...object, spec });
    return { name, facts, inputs: { spec, roots: this.#roots(), keys: this.#keys(object), waivers: [] } };
  }

  #roots(): Readonly<Record<string, string>> {
    const roots = this.#known.objects.filter(({ kind }) => kind === 'TrustRoot');
    return Object.fromEntries(
      roots.flatMap(({ metadata, ...rest }) => {
        const spec = (rest as Readonly<Record<string, unknown>>)['spec'] as TrustRootSpec;
        const text = rootText(spec, (at) => this.#text('ConfigMap', at));
        return text === undefined ? [] : [[metadata.name, text] as const];
      }),
    );
  }

  #text(kind: string, { name, key }: { readonly name: string; readonly key: string }): string | undefined {
    const { objects, platform } = this.#known;
    const found = objects.find(
      (one) => one.kind === kind && one.metadata.name === name && isIn(one, platform),
    );
    return dataOf(found)[key];
  }

  /** Keys of the namespace of the policy alone, or of the platform for one of the cluster. */
  #keys({ metadata }: KubeObject): Readonly<Record<string, string>> {
    const { objects, platform } = this.#known;
    const namespace = metadata.namespace ?? platform;
    const secrets = objects.filter((one) => one.kind === 'Secret' && isIn(one, namespace));
    return Object.fromEntries(
      secrets.flatMap((one) =>
        Object.entries(dataOf(one)).map(([key, text]) => [`${one.metadata.name}/${key}`, text] as const),
      ),
    );
  }
}

/** What stands in a file without a namespace is meant for wherever it is needed. */
function isIn({ metadata }: KubeObject, namespace: string): boolean {
  return metadata.namespace === undefined || metadata.namespace === namespace;
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
