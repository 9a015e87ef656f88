// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import type { PolicyReplicaStatus } from '#crds/v1alpha1/policy-replica';
import { imagesOf } from '../core/images/images.ts';
import { artifactName } from '../core/policy-pack/artifact-trust.ts';
import type { PolicyPack } from '../core/policy-pack/pack.ts';
import { imagePolicyFacts } from '../core/images/objects.ts';
import { type InventorySeen, LOOK_MS, planInventory, unwanted } from '../core/images/wanted.ts';
import type { KubeObject, Resource } from '../core/object.ts';
import {
  AGENTS,
  CLUSTER_IMAGE_POLICIES,
  IMAGE_POLICIES,
  IMAGE_VERDICTS,
  NAMESPACES,
  POLICY_PACKS,
  POLICY_REPLICAS,
} from '../core/resources.ts';
import type { Controller, Key, PolicyRule, Reader, SeenChange, Watch } from '../runtime/controller.ts';
import type { ImagePolicies } from './shared/image-policies.ts';

function kind(apiVersion: string, name: string, plural: string): Resource {
  return { apiVersion, kind: name, plural, namespaced: true };
}

/** What runs images, and what makes that: what runs comes first. */
const RUNNING: readonly Resource[] = [
  kind('v1', 'Pod', 'pods'),
  kind('apps/v1', 'Deployment', 'deployments'),
  kind('apps/v1', 'StatefulSet', 'statefulsets'),
  kind('apps/v1', 'DaemonSet', 'daemonsets'),
  kind('batch/v1', 'CronJob', 'cronjobs'),
  kind('batch/v1', 'Job', 'jobs'),
];

/** What admission has seen is to be there within a moment. */
const SOON_MS = 50;

/**
 * The controller of which images verdicts are kept of: per namespace of a tenant, what runs there, what would, and what admission was asked about and
 * did not know. What runs is asked for now and then: no watch of all pods is worth that.
 */
export function imageInventoryController({
  platformNamespace,
  policies,
}: {
  readonly platformNamespace: string;
  readonly policies: ImagePolicies;
}): Controller<KubeObject, InventorySeen, undefined> {
  const unwantedSince: UnwantedSince = new Map();
  const running = new RunningImages();
  return {
    name: 'image-inventory',
    resource: NAMESPACES,
    onlyReads: true,
    watches: [
      { resource: CLUSTER_IMAGE_POLICIES, keys: ofAll(platformNamespace), patienceMs: ifGeneration },
      { resource: IMAGE_POLICIES, keys: namespaceOf, patienceMs: ifGeneration },
      { resource: IMAGE_VERDICTS, keys: namespaceOf, patienceMs: ifItComesOrGoes },
      { resource: AGENTS, keys: namespaceOf, patienceMs: ifGeneration },
      { resource: POLICY_PACKS, keys: namespaceOf, patienceMs: ifGeneration },
      {
        resource: POLICY_REPLICAS,
        namespace: platformNamespace,
        keys: askedNamespaces,
        patienceMs: () => SOON_MS,
      },
    ],
    rbac: RBAC,
    observe: async ({ metadata }, read) => {
      const namespace = metadata.name;
      const verdicts = read.list(IMAGE_VERDICTS, { namespace });
      // All namespaces are watched, as others do: two watches of one kind are not in step.
      const keepsVerdicts = metadata.labels?.[LABELS.tenant] !== undefined || namespace === platformNamespace;
      const isGoing = metadata.deletionTimestamp !== undefined;
      const facts = policies.for(namespace, read).map(imagePolicyFacts);
      const found =
        isGoing || facts.length === 0
          ? NONE
          : await imagesIn(namespace, { read, platformNamespace, running });
      const seen = { namespace, keepsVerdicts, isGoing, policies: facts, verdicts, ...found };
      for (const name of unwantedSince.keys())
        if (read.get(NAMESPACES, { name }) === undefined) unwantedSince.delete(name);
      return { ...seen, unwantedMs: agesOf(unwanted(seen), namespace, unwantedSince) };
    },
    plan: (_, seen) => planInventory(seen),
  };
}

/** Images of a namespace, and when to look again: soon, where what was seen before was believed. */
type FoundImages = Pick<InventorySeen, 'images' | 'againMs'>;

const NONE: FoundImages = { images: [], againMs: LOOK_MS };

const RBAC: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['pods'], verbs: ['list'] },
  { apiGroups: ['apps'], resources: ['daemonsets', 'deployments', 'statefulsets'], verbs: ['list'] },
  { apiGroups: ['batch'], resources: ['cronjobs', 'jobs'], verbs: ['list'] },
  { apiGroups: ['nexusos.dev'], resources: ['imageverdicts'], verbs: ['create', 'patch', 'delete'] },
];

async function imagesIn(
  namespace: string,
  {
    read,
    platformNamespace,
    running,
  }: { readonly read: Reader; readonly platformNamespace: string; readonly running: RunningImages },
): Promise<FoundImages> {
  const asked = read
    .list(POLICY_REPLICAS, { namespace: platformNamespace })
    .flatMap((replica) => askedBy(replica))
    .filter((one) => one.namespace === namespace)
    .map(({ image }) => image);
  const artifacts = read.list(POLICY_PACKS, { namespace }).flatMap(packArtifacts);
  // What else is in the namespace of the platform, admission judges by no policy on images.
  if (namespace === platformNamespace) return { images: artifacts, againMs: LOOK_MS };
  const agents = read.list(AGENTS, { namespace }).flatMap(agentImages);
  const { images, againMs } = await running.in(namespace, read);
  return { images: [...asked, ...artifacts, ...images, ...agents], againMs };
}

/** How long what was seen to run in a namespace is believed: who is asked about much in little time is not looked through each time. */
const SEEN_MS = 10_000;
/** What has ended runs nothing any more. */
const NOT_ENDED = 'status.phase!=Succeeded,status.phase!=Failed';

/** Images that run, or would, by namespace. */
class RunningImages {
  readonly #seen = new Map<string, { readonly atMs: number; readonly images: readonly string[] }>();

  async in(namespace: string, read: Reader): Promise<FoundImages> {
    const held = this.#seen.get(namespace);
    const leftMs = held === undefined ? 0 : held.atMs + SEEN_MS - performance.now();
    if (held !== undefined && leftMs > 0) return { images: held.images, againMs: Math.ceil(leftMs) };
    const atMs = performance.now();
    const images = new Set<string>();
    for (const resource of RUNNING) {
      for (const image of await imagesRunBy(resource, { namespace, read })) images.add(image);
    }
    for (const [other, one] of this.#seen) if (atMs - one.atMs >= SEEN_MS) this.#seen.delete(other);
    this.#seen.set(namespace, { atMs, images: [...images] });
    return { images: [...images], againMs: LOOK_MS };
  }
}

async function imagesRunBy(
  resource: Resource,
  { namespace, read }: { readonly namespace: string; readonly read: Reader },
): Promise<readonly string[]> {
  const { apiVersion, plural } = resource;
  const group = apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';
  const selection = { namespace, ...(plural === 'pods' && { fieldSelector: NOT_ENDED }) };
  const objects = await read.listLive(resource, selection);
  return objects.flatMap((one) => imagesOf({ group, resource: plural }, one).map(({ image }) => image));
}

function agentImages(agent: KubeObject): readonly string[] {
  const { container } = agent['spec'] as { readonly container?: { readonly image?: string } };
  return container?.image === undefined ? [] : [container.image];
}

function packArtifacts(pack: KubeObject): readonly string[] {
  const { oci } = (pack as PolicyPack).spec.source;
  const name = oci === undefined ? undefined : artifactName(oci);
  return name === undefined ? [] : [name];
}

interface AskedImage {
  readonly namespace: string;
  readonly image: string;
}

function askedBy(replica: KubeObject): readonly AskedImage[] {
  return (replica['status'] as PolicyReplicaStatus | undefined)?.images ?? [];
}

function askedNamespaces(replica: KubeObject): readonly Key[] {
  return [...new Set(askedBy(replica).map(({ namespace }) => namespace))].map((name) => ({ name }));
}

/** By namespace, uids of verdicts and since when nobody wants them. */
type UnwantedSince = Map<string, ReadonlyMap<string, number>>;

/** Since when each of them is not wanted, as far as this process has seen; the others, and what is gone, are forgotten. */
function agesOf(
  unwantedNow: readonly KubeObject[],
  namespace: string,
  since: UnwantedSince,
): ReadonlyMap<string, number> {
  const nowMs = performance.now();
  const before = since.get(namespace);
  const begun = new Map(
    unwantedNow.map(({ metadata: { uid = '' } }) => [uid, before?.get(uid) ?? nowMs] as const),
  );
  if (begun.size === 0) since.delete(namespace);
  else since.set(namespace, begun);
  return new Map([...begun].map(([uid, sinceMs]) => [uid, nowMs - sinceMs]));
}

function ofAll(platformNamespace: string): Watch['keys'] {
  return (_, read) =>
    read
      .list(NAMESPACES)
      .filter(
        ({ metadata }) =>
          metadata.labels?.[LABELS.tenant] !== undefined || metadata.name === platformNamespace,
      )
      .map(({ metadata }) => ({ name: metadata.name }));
}

const namespaceOf: Watch['keys'] = ({ metadata }) =>
  metadata.namespace === undefined ? [] : [{ name: metadata.namespace }];

/** What an object tells of itself asks for no other images. */
function ifGeneration({ old, object }: SeenChange): number {
  return old !== undefined && object !== undefined && old.metadata.generation === object.metadata.generation
    ? Infinity
    : 0;
}

/** One that is gone, though it is wanted, is made again. */
function ifItComesOrGoes({ object }: SeenChange): number {
  return object === undefined ? 0 : Infinity;
}
