// SPDX-License-Identifier: Apache-2.0
import { VERDICT_KEYS_NAME } from '#crds/v1alpha1/names';
import { imagePolicyFacts } from '#operator/core/images/objects';
import { policiesFor } from '#operator/core/images/policy';
import type { KubeObject, Resource } from '#operator/core/object';
import { tellerOf } from '#operator/core/policy/image-input';
import {
  CLUSTER_IMAGE_POLICIES,
  CONFIG_MAPS,
  IMAGE_POLICIES,
  IMAGE_VERDICTS,
  NAMESPACES,
  POLICY_EXEMPTIONS,
  TENANTS,
} from '#operator/core/resources';
import { hasStatus } from '#operator/runtime/api-error';
import type { Client } from '#operator/runtime/client';
import { VerdictBook } from '#webhooks/images/verdict-book';
import { type ImagesIn, type World, worldOf } from './world.ts';

/** What of a cluster is looked at. */
export interface WorldWanted {
  readonly platformNamespace: string;
  /** Some pack is told what is known of images. */
  readonly seesImages: boolean;
  /** Namespaces that are looked at; undefined: all. */
  readonly only: readonly string[] | undefined;
}

type Reading = Pick<Client, 'list' | 'get'>;

/** What a cluster knows beside the objects that are judged, as far as whoever asks may read it; the rest is told. */
export async function readWorld(client: Reading, wanted: WorldWanted): Promise<World> {
  const { platformNamespace, seesImages, only } = wanted;
  const notes: string[] = [];
  const read = reader(client, notes);
  const namespaces = await read(
    NAMESPACES,
    'nothing is known of their labels and tenants',
    only === undefined ? [{ metadataOnly: true }] : only.map((name) => ({ name })),
  );
  const tenants = await read(TENANTS, 'what goes by tenants sees none');
  const exemptions = await read(POLICY_EXEMPTIONS, 'nobody is exempt here', [
    { namespace: platformNamespace },
  ]);
  const images = seesImages ? await imagesIn({ read, notes }, wanted, namespaces) : undefined;
  return worldOf([...namespaces, ...tenants, ...exemptions], { platformNamespace, images, notes });
}

/** One object, or all of a namespace, or of the cluster. */
interface Selection {
  readonly name?: string;
  readonly namespace?: string;
  readonly metadataOnly?: boolean;
}

type Read = (
  resource: Resource,
  then: string,
  selections?: readonly Selection[],
) => Promise<readonly KubeObject[]>;

/** Reads what there is; what is not served, or may not be read, is noted with what follows from that. */
function reader(client: Reading, notes: string[]): Read {
  return async (resource, then, selections = [{}]) => {
    const found: KubeObject[] = [];
    for (const selection of selections) {
      try {
        found.push(...(await objectsOf(client, resource, selection)));
      } catch (error) {
        if (!hasStatus(error, 403) && !hasStatus(error, 404)) throw error;
        notes.push(`${unreadWords(resource, selection, hasStatus(error, 403))}: ${then}`);
      }
    }
    return found;
  };
}

async function objectsOf(
  client: Reading,
  resource: Resource,
  { name, ...selection }: Selection,
): Promise<readonly KubeObject[]> {
  const { apiVersion, kind } = resource;
  const found: KubeObject[] = [];
  if (name === undefined)
    for await (const { items } of client.list(resource, selection)) found.push(...items);
  else found.push(...[await client.get(resource, { ...selection, name })].filter((one) => one !== undefined));
  return found.map((one) => ({ ...one, apiVersion, kind }));
}

function unreadWords(
  { plural, kind }: Resource,
  { name, namespace }: Selection,
  isForbidden: boolean,
): string {
  if (!isForbidden) return `the cluster has no ${plural}`;
  const what = name === undefined ? `list ${plural}` : `read ${kind} ${name}`;
  return `you may not ${what}${namespace === undefined ? '' : ` in namespace ${namespace}`}`;
}

const UNKNOWN = 'nothing is known of images';

/** What the operator has proved of images, by the very book that admission goes by. */
async function imagesIn(
  { read, notes }: { readonly read: Read; readonly notes: string[] },
  { platformNamespace: namespace, only }: WorldWanted,
  namespaces: readonly KubeObject[],
): Promise<ImagesIn> {
  const unreadBefore = notes.length;
  const places = only?.map((one) => ({ namespace: one }));
  const [keys] = await read(CONFIG_MAPS, UNKNOWN, [{ namespace, name: VERDICT_KEYS_NAME }]);
  if (keys === undefined && notes.length === unreadBefore)
    notes.push(
      `namespace ${namespace} has no ConfigMap ${VERDICT_KEYS_NAME}, by which proofs are believed: ${UNKNOWN} (--platform-namespace says where it is)`,
    );
  if (keys === undefined) return undefined;
  const ofCluster = await read(CLUSTER_IMAGE_POLICIES, UNKNOWN);
  const own = await read(IMAGE_POLICIES, UNKNOWN, places);
  const verdicts = await read(IMAGE_VERDICTS, UNKNOWN, places);
  if (notes.length > unreadBefore) return undefined;
  return tellersOf({ keys, policies: [...ofCluster, ...own], verdicts, namespaces });
}

/** Objects that say what is known of images. */
export interface ImageObjectsRead {
  readonly keys: KubeObject;
  readonly policies: readonly KubeObject[];
  readonly verdicts: readonly KubeObject[];
  readonly namespaces: readonly KubeObject[];
}

/** What is known of the images of each namespace, by what is signed and by nothing else. */
export function tellersOf({ keys, policies, verdicts, namespaces }: ImageObjectsRead): NonNullable<ImagesIn> {
  const book = new VerdictBook();
  book.setKeys(keys);
  for (const one of verdicts) book.set(one);
  const facts = policies.map(imagePolicyFacts);
  const labels = new Map(namespaces.map(({ metadata }) => [metadata.name, metadata.labels ?? {}]));
  return (namespace) =>
    tellerOf(() => {
      const own = labels.get(namespace);
      if (own === undefined) return undefined;
      return { policies: policiesFor(facts, { namespace, labels: own }), known: book.in(namespace) };
    });
}
