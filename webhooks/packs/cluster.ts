// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import type { PolicyPackStatus } from '#crds/v1alpha1/policy-pack';
import type { PolicyPackRevisionSpec } from '#crds/v1alpha1/policy-pack-revision';
import type { KubeObject } from '#operator/core/object';
import type { NamespaceFacts } from '#operator/core/policy/facts';
import type { ImageTeller } from '#operator/core/policy/image-input';
import {
  exemptionOf,
  namespaceFacts,
  packState,
  type Places,
  snapshotRevision,
  tenantFacts,
  unseenRevision,
} from '#operator/core/policy/objects';
import type { PackState, SnapshotInput, SnapshotRevision } from '#operator/core/policy/snapshot';
import type { Cache } from '#operator/runtime/cache';
import {
  CONFIG_MAPS,
  NAMESPACES,
  POLICY_EXEMPTIONS,
  POLICY_PACK_REVISIONS,
  POLICY_PACKS,
  TENANTS,
} from '#operator/core/resources';
import type { RevisionModules } from './inventories.ts';
import type { WantedRevision } from './modules.ts';

/** Where packs of the platform are. */
export interface ClusterSettings {
  readonly platformNamespace: string;
  /** By namespace, what says what is known of its images; absent: nobody does. */
  readonly images?: (namespace: string) => ImageTeller;
}

/** What is needed of the cache. */
export type PackCache = Pick<Cache, 'watch' | 'get' | 'list'>;

/** What the cluster says of packs, as its watches tell. */
export class PackCluster {
  readonly #cache: PackCache;
  readonly #settings: ClusterSettings;
  /** Revisions that were decided by before, which may be gone from the cluster. */
  readonly #remembered = new Map<string, KubeObject>();

  /** Declares what is watched; `onChange` is called with every change of it. */
  constructor(cache: PackCache, settings: ClusterSettings, onChange: () => void) {
    this.#cache = cache;
    this.#settings = settings;
    const namespace = settings.platformNamespace;
    for (const resource of [POLICY_PACKS, POLICY_PACK_REVISIONS, TENANTS])
      cache.watch({ resource }, onChange);
    cache.watch({ resource: NAMESPACES, metadataOnly: true }, onChange);
    cache.watch({ resource: POLICY_EXEMPTIONS, namespace }, onChange);
    // What is in them is read when it is loaded, and not kept: most of it is of revisions that nobody is judged by any more.
    cache.watch(
      { resource: CONFIG_MAPS, namespace, labelSelector: LABELS.pack, metadataOnly: true },
      onChange,
    );
  }

  /** Whether a ConfigMap with a part of a module is there. */
  hasPart(chunk: string): boolean {
    return (
      this.#cache.get(CONFIG_MAPS, { namespace: this.#settings.platformNamespace, name: chunk }) !== undefined
    );
  }

  /** Namespaces that belong to a tenant now. */
  namespacesOf(tenant: string): ReadonlySet<string> {
    const own = this.#cache
      .list(NAMESPACES)
      .filter(({ metadata }) => metadata.labels?.[LABELS.tenant] === tenant);
    return new Set(own.map(({ metadata }) => metadata.name));
  }

  /** Keeps a revision in mind though it may go. */
  remember(revision: KubeObject): void {
    this.#remembered.set(keyOf(revision), revision);
  }

  /** Forgets what was kept in mind, but for these. */
  forgetAllBut(keys: ReadonlySet<string>): void {
    for (const key of this.#remembered.keys()) if (!keys.has(key)) this.#remembered.delete(key);
  }

  /** A revision by its key. */
  revision(key: string): KubeObject | undefined {
    const [namespace = '', name = ''] = key.split('/', 2);
    return this.#cache.get(POLICY_PACK_REVISIONS, { namespace, name }) ?? this.#remembered.get(key);
  }

  /** Packs that judge somebody, and all revisions that they name. */
  packs(): readonly PackState[] {
    const places = this.#places();
    return this.#cache.list(POLICY_PACKS).flatMap((pack) => packState(pack, places) ?? []);
  }

  /** The revisions of these keys that belong to whom they say, to be loaded. */
  wanted(
    packs: readonly PackState[],
    enforced: ReadonlyMap<string, string>,
  ): ReadonlyMap<string, WantedRevision> {
    const wanted = new Map<string, WantedRevision>();
    for (const state of packs) {
      const deciding = [state.active, state.previous, enforced.get(packKey(state))];
      for (const key of [...deciding, state.candidate]) {
        const object = key === undefined ? undefined : this.#revisionOf(state, key);
        if (key === undefined || object === undefined) continue;
        wanted.set(key, { object, tenant: state.tenant, isTrial: !deciding.includes(key) });
      }
    }
    return wanted;
  }

  /** What a snapshot is made of now. */
  snapshotInput(
    packs: readonly PackState[],
    enforced: ReadonlyMap<string, string>,
    modules: RevisionModules,
  ): SnapshotInput {
    const places = this.#places();
    const revisions = new Map<string, SnapshotRevision>();
    for (const [key, { object }] of this.wanted(packs, enforced))
      revisions.set(key, this.#snapshotRevision(object, places, modules));
    for (const state of packs) {
      const unseen = this.#unseen(state, places);
      if (unseen !== undefined && !revisions.has(unseen.key)) revisions.set(unseen.key, unseen);
    }
    return {
      ...this.#settings,
      packs,
      revisions,
      quarantined: new Set(modules.quarantined),
      enforced,
      exemptions: this.#cache
        .list(POLICY_EXEMPTIONS)
        .filter((one) => this.#isOfPlatform(one))
        .map(exemptionOf),
      tenants: new Map(this.#cache.list(TENANTS).map((one) => [one.metadata.name, tenantFacts(one)])),
      namespaces: places.namespaces,
    };
  }

  #snapshotRevision(object: KubeObject, places: Places, modules: RevisionModules): SnapshotRevision {
    const loaded = modules.loaded(keyOf(object));
    const { packRef } = object['spec'] as PolicyPackRevisionSpec;
    const pack = this.#cache.get(POLICY_PACKS, { ...inNamespace(object), name: packRef.name });
    return snapshotRevision(object, {
      places,
      pack,
      isLoaded: loaded !== undefined,
      constraints: loaded?.constraints,
    });
  }

  /** An active revision that the watch has not told yet. */
  #unseen(state: PackState, places: Places): SnapshotRevision | undefined {
    if (state.active === undefined || this.#revisionOf(state, state.active) !== undefined) return undefined;
    const pack = this.#cache.get(POLICY_PACKS, state.pack);
    const name = (pack?.['status'] as PolicyPackStatus | undefined)?.activeRevision;
    return pack === undefined || name === undefined ? undefined : unseenRevision(pack, name, places);
  }

  /** Only a revision of this very pack: a namesake of another that is named by mistake, or on purpose, is none. */
  #revisionOf(state: PackState, key: string): KubeObject | undefined {
    const object = this.revision(key);
    const { packRef } = (object?.['spec'] ?? {}) as Partial<PolicyPackRevisionSpec>;
    const isOfPack = packRef?.name === state.pack.name && packRef.uid === state.uid;
    return isOfPack && object?.metadata.namespace === state.pack.namespace ? object : undefined;
  }

  #isOfPlatform({ metadata }: KubeObject): boolean {
    return metadata.namespace === this.#settings.platformNamespace;
  }

  #places(): Places {
    const facts = this.#cache.list(NAMESPACES).map(namespaceFacts);
    const namespaces = new Map<string, NamespaceFacts>(facts.map((one) => [one.name, one]));
    return { platformNamespace: this.#settings.platformNamespace, namespaces };
  }
}

function packKey({ pack }: PackState): string {
  return `${pack.namespace}/${pack.name}`;
}

/** The key of a ConfigMap under which a part of a module is. */
const PART = 'part';

/** The part of a module that a ConfigMap of the platform holds. */
export function partIn(configMap: KubeObject | undefined): Uint8Array | undefined {
  const parts = configMap?.['binaryData'];
  const part =
    typeof parts === 'object' && parts !== null ? (parts as Record<string, unknown>)[PART] : undefined;
  return typeof part === 'string' ? Buffer.from(part, 'base64') : undefined;
}

/** `namespace/name`. */
export function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

function inNamespace({ metadata }: KubeObject): { readonly namespace?: string } {
  return metadata.namespace === undefined ? {} : { namespace: metadata.namespace };
}
