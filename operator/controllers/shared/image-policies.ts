// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import type { TrustRootSpec } from '#crds/v1alpha1/trust-root';
import type { PolicyInputs } from '../../core/images/inputs.ts';
import { imagePolicyFacts, type ImagePolicyObject } from '../../core/images/objects.ts';
import { policiesFor } from '../../core/images/policy.ts';
import { rootText } from '../../core/images/root-text.ts';
import type { KubeObject } from '../../core/object.ts';
import type { Waiver } from '../../core/supply-chain/requirement.ts';
import {
  CLUSTER_IMAGE_POLICIES,
  CONFIG_MAPS,
  IMAGE_POLICIES,
  NAMESPACES,
  SECRETS,
  TRUST_ROOTS,
} from '../../core/resources.ts';
import { hasStatus } from '../../runtime/api-error.ts';
import { type Key, keyOf, type Reader, type SeenChange, type Watch } from '../../runtime/controller.ts';
import { PolicyReads } from './policy-reads.ts';

/** ConfigMaps of the platform that are no modules of packs. */
const OF_PLATFORM = { resource: CONFIG_MAPS, labelSelector: `!${LABELS.packUid}` } as const;
/** How long what a Secret says is believed. Few policies name one, and many images are judged by each. */
const SECRET_MS = 30_000;

/** What is read of a policy: the object, and all that it names. */
export interface PolicyRead {
  readonly object: ImagePolicyObject;
  readonly inputs: PolicyInputs;
  readonly digest: string;
}

/** Policies on images, with all that they name: one for all controllers that ask. */
export class ImagePolicies {
  readonly #platformNamespace: string;
  readonly #reads = new PolicyReads();
  readonly #secrets = new Map<string, { readonly atMs: number; readonly data: Promise<SecretData> }>();

  constructor(platformNamespace: string) {
    this.#platformNamespace = platformNamespace;
  }

  /** What has to be watched for it: policies, and what they name. `keys`: whom a change concerns. */
  watches(keys: (read: Reader) => readonly Key[]): readonly Watch[] {
    const all: Watch['keys'] = (_, read) => keys(read);
    return [
      { resource: CLUSTER_IMAGE_POLICIES, keys: all, patienceMs: ifItAsksOtherwise },
      { resource: IMAGE_POLICIES, keys: all, patienceMs: ifItAsksOtherwise },
      ...this.trustWatches(keys),
    ];
  }

  /** What policies name, without the policies. */
  trustWatches(keys: (read: Reader) => readonly Key[]): readonly Watch[] {
    const all: Watch['keys'] = (_, read) => keys(read);
    return [
      { resource: TRUST_ROOTS, keys: all, patienceMs: ifItAsksOtherwise },
      { ...OF_PLATFORM, namespace: this.#platformNamespace, keys: all, patienceMs: () => 100 },
    ];
  }

  /** Policies that are for a namespace, until they are gone; none where it is no tenant's, and not that of the platform, where packs are. */
  for(namespace: string, read: Reader): readonly ImagePolicyObject[] {
    const labels = read.get(NAMESPACES, { name: namespace })?.metadata.labels ?? {};
    if (labels[LABELS.tenant] === undefined && namespace !== this.#platformNamespace) return [];
    const all = [...read.list(CLUSTER_IMAGE_POLICIES), ...read.list(IMAGE_POLICIES, { namespace })];
    const uids = new Set(policiesFor(all.map(imagePolicyFacts), { namespace, labels }).map(({ uid }) => uid));
    return all.filter(({ metadata }) =>
      uids.has(metadata.uid ?? ''),
    ) as readonly KubeObject[] as readonly ImagePolicyObject[];
  }

  /** A policy with all that it names, as far as it is there. As long as nothing of that changes, the inputs are the same object. */
  async read(object: ImagePolicyObject, read: Reader, waivers: readonly Waiver[] = []): Promise<PolicyRead> {
    const { authorities } = object.spec;
    const roots = new Set(authorities.flatMap(({ trustRootRef }) => trustRootRef?.name ?? []));
    const refs = authorities.flatMap(({ key }) => key?.secretRef ?? []);
    const namespace = object.metadata.namespace ?? this.#platformNamespace;
    const named = {
      roots: present([...roots].map((name) => [name, this.root(name, read)])),
      ...(await this.#keys(refs, { namespace, read })),
      waivers,
    };
    return { object, ...this.#reads.keep(object, named, (one) => isThere(one, read)) };
  }

  /** The text of a trust root; undefined where it, or what it names, is not there. */
  root(name: string, read: Reader): string | undefined {
    const spec = read.get(TRUST_ROOTS, { name })?.['spec'] as TrustRootSpec | undefined;
    if (spec === undefined) return undefined;
    return rootText(spec, ({ name: map, key }) => {
      const place = { namespace: this.#platformNamespace, name: map };
      const data = read.get(CONFIG_MAPS, place)?.['data'] as Readonly<Record<string, string>> | undefined;
      return data !== undefined && Object.hasOwn(data, key) ? data[key] : undefined;
    });
  }

  async #keys(
    refs: readonly { readonly name: string; readonly key: string }[],
    { namespace, read }: { readonly namespace: string; readonly read: Reader },
  ): Promise<Pick<PolicyInputs, 'keys' | 'forbidden'>> {
    const found = await Promise.all(
      refs.map(async ({ name, key }) => ({ name, key, data: await this.#secret({ namespace, name }, read) })),
    );
    const forbidden = found.flatMap(({ name, data }) => (data === FORBIDDEN ? [name] : []));
    const keys = present(found.map(({ name, key, data }) => [`${name}/${key}`, textOf(data[key])]));
    return { keys, ...(forbidden.length > 0 && { forbidden }) };
  }

  #secret(place: { readonly namespace: string; readonly name: string }, read: Reader): Promise<SecretData> {
    const id = `${place.namespace}/${place.name}`;
    const nowMs = performance.now();
    const held = this.#secrets.get(id);
    if (held !== undefined && nowMs - held.atMs < SECRET_MS) return held.data;
    for (const [other, { atMs }] of this.#secrets) if (nowMs - atMs >= SECRET_MS) this.#secrets.delete(other);
    const data = read.live(SECRETS, place).then(dataOf, forbidden);
    this.#secrets.set(id, { atMs: nowMs, data });
    data.catch(() => this.#secrets.delete(id));
    return data;
  }
}

/** One of the same name is another policy. */
function isThere(object: ImagePolicyObject, read: Reader): boolean {
  const { namespace, uid } = object.metadata;
  const resource = namespace === undefined ? CLUSTER_IMAGE_POLICIES : IMAGE_POLICIES;
  return read.get(resource, keyOf(object))?.metadata.uid === uid;
}

type SecretData = Readonly<Record<string, string>>;

function dataOf(secret: KubeObject | undefined): SecretData {
  return (secret?.['data'] as SecretData | undefined) ?? {};
}

/** Where the operator may not read, there is nothing for it. */
const FORBIDDEN: SecretData = {};

function forbidden(error: unknown): SecretData {
  if (hasStatus(error, 403)) return FORBIDDEN;
  throw error;
}

function textOf(base64: string | undefined): string | undefined {
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('utf8');
}

function present(
  entries: readonly (readonly [string, string | undefined])[],
): Readonly<Record<string, string>> {
  return Object.fromEntries(entries.filter((one): one is readonly [string, string] => one[1] !== undefined));
}

/** What a policy, a root, or a waiver tells of itself changes nothing for others, but for the digest of all that it names. */
export function ifItAsksOtherwise({ old, object }: SeenChange): number {
  if (old === undefined || object === undefined) return 0;
  const isSame =
    old.metadata.generation === object.metadata.generation &&
    old.metadata.deletionTimestamp === object.metadata.deletionTimestamp &&
    digestOf(old) === digestOf(object);
  return isSame ? Infinity : 0;
}

function digestOf(object: KubeObject): string | undefined {
  return (object['status'] as { readonly digest?: string } | undefined)?.digest;
}
