// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS, LABELS } from '#crds/v1alpha1/names';
import { firstDifference, hashOf, isDeepEqual, stampHash } from '../core/compare.ts';
import { ReconcileError, RefusedError } from '../core/errors.ts';
import type { KubeObject, Resource } from '../core/object.ts';
import type { Removal } from '../core/plan.ts';
import type { Log } from '../telemetry/log.ts';
import type { EffectKind, Metrics } from '../telemetry/metrics.ts';
import type { Archive } from './archive.ts';
import { ApiError, hasStatus, refusesObject } from './api-error.ts';
import type { Cache, Cached } from './cache.ts';
import type { Client } from './client.ts';
import { statusOf } from './condition-events.ts';
import { keyOf, keyString } from './controller.ts';
import { resourceString } from './resource.ts';
import { type ManagedFields, ownedByApply } from './field-ownership.ts';
import type { WriteFence } from './version-fence.ts';

/** What effects are made with. */
export interface EffectsOptions {
  /** Fenced by leadership. */
  readonly client: Client;
  readonly cache: Cache;
  /** Name of the controller; the field manager is `nexusos-<name>`. */
  readonly controller: string;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Where records of objects go that are removed for their age; without one they are removed at once. */
  readonly archive?: Archive | undefined;
}

/**
 * Kinds that cannot hold what was and what is wanted at one time: two ports of one name are invalid. Of these, what we own is taken
 * over first; guardrails judge them only where their spec changes.
 */
const EXCLUSIVE_KINDS: ReadonlySet<string> = new Set(['Deployment', 'Service']);

/** Kinds that the operator may write by name alone: a creation names nothing to RBAC, an apply does. */
const NAMED_KINDS: ReadonlySet<string> = new Set([
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
]);

/** What is applied, and on which version alone, if on one. */
interface Wanted {
  readonly resource: Resource;
  readonly desired: KubeObject;
  readonly version: string | undefined;
}

/** In place of the hash of what was applied, while it is not whole. */
export const UNFINISHED = 'unfinished';

/** Objects whose last apply is remembered because a store cannot tell. */
const MAX_SETTLED = 20_000;

/**
 * The only place that writes on behalf of controllers. Every write is idempotent, every answer goes into
 * the stores at once, and what already is so costs no request.
 */
export class Effects {
  readonly #options: EffectsOptions;
  readonly #fieldManager: string;
  /**
   * Objects of which a comparison cannot tell that they are as desired, because the store holds a part only
   * or the API server writes a field in its own way: their version and our hash after the last apply or
   * look.
   */
  readonly #settled = new Map<string, { readonly version: string; readonly hash: string }>();

  constructor(options: EffectsOptions) {
    this.#options = options;
    this.#fieldManager = `nexusos-${options.controller}`;
  }

  /**
   * Writes `status` if it says something else than the live one, fenced by the object's resourceVersion.
   * Returns the object as it is then.
   */
  async commitStatus(resource: Resource, object: KubeObject, status: unknown): Promise<KubeObject> {
    if (status === undefined || isDeepEqual(statusOf(object), status)) return object;
    const { name, namespace, uid, resourceVersion } = object.metadata;
    const { apiVersion, kind } = resource;
    const metadata = { name, ...(namespace !== undefined && { namespace }), uid, resourceVersion };
    const body = { apiVersion, kind, metadata, status } as KubeObject;
    this.#count('status');
    const sentAtMs = performance.now();
    const written = await this.#options.client.replaceStatus(resource, body, this.#fieldManager);
    const version = written.metadata.resourceVersion;
    // It was written on that version: where it is another by now, this write has made it.
    if (version !== resourceVersion) this.#options.cache.observeVersion(resource, version, sentAtMs);
    return this.#written(written);
  }

  /** Puts `finalizer` on, if it is not there. Returns the object as it is then. */
  async addFinalizer(resource: Resource, object: KubeObject, finalizer: string): Promise<KubeObject> {
    const { finalizers = [] } = object.metadata;
    if (finalizers.includes(finalizer)) return object;
    return this.#setFinalizers(resource, object, [...finalizers, finalizer]);
  }

  /** Takes `finalizer` off; the object may be gone after that. */
  async removeFinalizer(resource: Resource, object: KubeObject, finalizer: string): Promise<void> {
    const { finalizers = [] } = object.metadata;
    if (!finalizers.includes(finalizer)) return;
    const others = finalizers.filter((one) => one !== finalizer);
    try {
      await this.#setFinalizers(resource, object, others);
    } catch (error) {
      if (!hasStatus(error, 404)) throw error;
    }
  }

  /**
   * Makes an object what `wanted` says, by server-side apply; one that the stores know to be absent is created, which costs
   * the API server less. A `metadata.resourceVersion` in it is a precondition, and no part of what is wanted: if the object
   * has moved on, the apply fails with a conflict. `fence` is asked when it comes to a write.
   */
  async apply(wanted: KubeObject, fence: WriteFence): Promise<void> {
    const { content, version } = splitPrecondition(wanted);
    const hash = hashOf(content);
    const desired = stampHash(content, hash);
    const resource = await this.#resourceOf(desired);
    if (await this.#isSettled(resource, desired, hash)) return;
    await fence.check();
    this.#count('apply');
    const live =
      (version === undefined ? await this.#createAbsent(resource, desired) : undefined) ??
      (await this.#applyOver(resource, desired, version));
    const path = firstDifference(live, desired);
    if (path !== undefined) {
      this.#options.log.debug(
        { kind: desired.kind, path },
        'the API server writes this field in its own way',
      );
    }
    this.#settle(live, desired, hash);
  }

  /** Creates what no store knows though it would hold it; undefined when it cannot be told, or is there after all. */
  async #createAbsent(resource: Resource, desired: KubeObject): Promise<KubeObject | undefined> {
    const { cache, client } = this.#options;
    if (NAMED_KINDS.has(desired.kind)) return undefined;
    const isAbsent = cache.lookup(resource, keyOf(desired)) === undefined && cache.wouldHold(desired);
    if (!isAbsent || desired.metadata.uid !== undefined) return undefined;
    try {
      return this.#written(await client.create(resource, desired, this.#fieldManager));
    } catch (error) {
      if (hasStatus(error, 409) && error.reason === 'AlreadyExists') return undefined;
      throw error;
    }
  }

  /**
   * Applies over what is there, only on `version` if that is given. What we own of it by having created it could never be
   * taken away by an apply, so it is taken over first.
   */
  async #applyOver(resource: Resource, desired: KubeObject, version?: string): Promise<KubeObject> {
    const { client } = this.#options;
    const known = await client.get(resource, keyOf(desired));
    const isCreated = known !== undefined && ownedByApply(fieldsOf(known), this.#fieldManager) !== undefined;
    const onVersion = isCreated ? await this.#takeOver(known, { resource, desired, version }) : version;
    return this.#written(await client.apply(resource, onVersionOf(desired, onVersion), this.#fieldManager));
  }

  /**
   * Turns what we own by having created it into what we own by apply. Applies first, but for `EXCLUSIVE_KINDS`: what others have made of the object may be
   * what guardrails refuse us to write. The hash says that this is not the end, so that it goes on here after a failure, and
   * what was done then is not done again. Returns the version that is next, if one was given.
   */
  async #takeOver(known: KubeObject, wanted: Wanted): Promise<string | undefined> {
    const { resource, desired, version } = wanted;
    const isNamed = version === undefined || version === known.metadata.resourceVersion;
    // On another version nothing is done: the apply will say that it has moved on.
    if (EXCLUSIVE_KINDS.has(desired.kind)) return isNamed ? this.#ownByApply(known, wanted) : version;
    const begun = stampHash(desired, UNFINISHED);
    let live = known;
    if (!isNamed || firstDifference(known, begun) !== undefined) {
      const applied = onVersionOf(begun, version);
      live = this.#written(await this.#options.client.apply(resource, applied, this.#fieldManager));
    }
    return this.#ownByApply(live, wanted);
  }

  async #ownByApply(found: KubeObject, { resource, desired, version }: Wanted): Promise<string | undefined> {
    const { client } = this.#options;
    let live = found;
    const managedFields = ownedByApply(fieldsOf(live), this.#fieldManager);
    if (managedFields !== undefined) {
      const { uid, resourceVersion } = live.metadata;
      const body = { metadata: { uid, resourceVersion, managedFields } };
      const fieldManager = this.#fieldManager;
      live = this.#written(await client.patch(resource, keyOf(desired), { body, fieldManager }));
    }
    return version === undefined ? undefined : live.metadata.resourceVersion;
  }

  /** Writes `object` over the version of it that it carries; the API server refuses that as a conflict when it has moved on. */
  async replace(object: KubeObject, fence: WriteFence): Promise<void> {
    const resource = await this.#resourceOf(object);
    await fence.check();
    this.#count('replace');
    try {
      this.#written(await this.#options.client.replace(resource, object, this.#fieldManager));
    } catch (error) {
      throw asRefusal(error, `${object.kind} ${keyString(keyOf(object))}: `);
    }
  }

  /**
   * Creates `object` once. One of the same name that `owner` owns, or that was made for the same tenant or pack, or by the same schedule,
   * counts as made.
   *
   * @throws RefusedError when the API server finds it invalid, a policy forbids it, or the name is taken by something else.
   */
  async create(owner: KubeObject, object: KubeObject, fence: WriteFence): Promise<void> {
    const resource = await this.#resourceOf(object);
    const known = this.#options.cache.get(resource, keyOf(object));
    if (known !== undefined && isMade(known, object, owner)) return;
    await fence.check();
    try {
      this.#count('create');
      this.#written(await this.#options.client.create(resource, object, this.#fieldManager));
    } catch (error) {
      if (!hasStatus(error, 409) || error.reason !== 'AlreadyExists') throw asRefusal(error);
      await this.#requireOwned(resource, object, owner);
    }
  }

  /**
   * Deletes the very object that `removal` names. Gone, going and replaced all count as done.
   *
   * @throws ApiError of status 409 when the object is no longer as it was seen, where that matters.
   */
  async remove(removal: Removal, fence: WriteFence): Promise<void> {
    const { ref, record } = removal;
    const resource = await this.#options.client.resourceOf(ref.apiVersion, ref.kind);
    const known = this.#options.cache.get(resource, ref);
    if (known?.metadata.uid === ref.uid && known.metadata.deletionTimestamp !== undefined) return;
    const { archive } = this.#options;
    if (record !== undefined && archive !== undefined) {
      archive.add({ record, remove: () => this.#delete(resource, removal) });
      return;
    }
    await fence.check();
    await this.#delete(resource, removal);
  }

  async #delete(resource: Resource, { ref, asSeen, propagation }: Removal): Promise<void> {
    try {
      this.#count('remove');
      const lingering = await this.#options.client.delete(resource, ref, {
        uid: ref.uid,
        ...(asSeen !== undefined && { resourceVersion: asSeen }),
        ...(propagation !== undefined && { propagation }),
      });
      if (lingering === undefined) this.#options.cache.observeRemoval(ref);
      else this.#written(lingering);
    } catch (error) {
      if (hasStatus(error, 404) || (hasStatus(error, 409) && asSeen === undefined)) return;
      throw error;
    }
  }

  async #setFinalizers(
    resource: Resource,
    object: KubeObject,
    finalizers: readonly string[],
  ): Promise<KubeObject> {
    const { uid, resourceVersion } = object.metadata;
    const body = { metadata: { uid, resourceVersion, finalizers } };
    this.#count('finalizer');
    const patch = { body, fieldManager: this.#fieldManager };
    return this.#written(await this.#options.client.patch(resource, keyOf(object), patch));
  }

  /** Whether the object is known to be as desired. Asks the API server only for what stores cannot tell. */
  async #isSettled(resource: Resource, desired: KubeObject, hash: string): Promise<boolean> {
    const { cache, client } = this.#options;
    const cached = cache.lookup(resource, keyOf(desired));
    if (cached !== undefined && this.#isKnownSettled(cached, desired, hash)) return true;
    if (cached === undefined ? cache.wouldHold(desired) : cached.isComplete) return false;
    const live = await client.get(resource, keyOf(desired));
    if (live === undefined || firstDifference(live, desired) !== undefined) return false;
    this.#settle(live, desired, hash);
    return true;
  }

  #isKnownSettled({ object, isComplete }: Cached, desired: KubeObject, hash: string): boolean {
    if (isComplete && firstDifference(object, desired) === undefined) return true;
    const settled = this.#settled.get(settledKey(desired));
    return settled?.hash === hash && settled.version === object.metadata.resourceVersion;
  }

  #settle(live: KubeObject, desired: KubeObject, hash: string): void {
    const key = settledKey(desired);
    const cached = this.#options.cache.lookup(live, keyOf(live));
    this.#settled.delete(key);
    if (cached?.isComplete === true && firstDifference(live, desired) === undefined) return;
    this.#settled.set(key, { version: live.metadata.resourceVersion ?? '', hash });
    if (this.#settled.size <= MAX_SETTLED) return;
    const [oldest] = this.#settled.keys();
    if (oldest !== undefined) this.#settled.delete(oldest);
  }

  async #requireOwned(resource: Resource, object: KubeObject, owner: KubeObject): Promise<void> {
    const live = await this.#options.client.get(resource, keyOf(object));
    const what = `${object.kind} ${keyString(keyOf(object))}`;
    if (live === undefined) throw new ReconcileError('conflict', `${what} was there and is gone`);
    if (!isMade(live, object, owner)) {
      throw new RefusedError(
        'conflict',
        `${what} exists, and ${owner.kind} ${owner.metadata.name} does not own it`,
      );
    }
    this.#options.cache.observeWrite(live);
  }

  async #resourceOf(object: KubeObject): Promise<Resource> {
    const resource = await this.#options.client.resourceOf(object.apiVersion, object.kind);
    if (resource.namespaced !== (object.metadata.namespace !== undefined)) {
      const must = resource.namespaced ? 'needs' : 'cannot have';
      const what = `${object.kind} ${object.metadata.name} ${must} a namespace`;
      throw new ReconcileError('internal_error', what, { terminal: true });
    }
    return resource;
  }

  #written(object: KubeObject): KubeObject {
    this.#options.cache.observeWrite(object);
    return object;
  }

  #count(effect: EffectKind): void {
    this.#options.metrics.effectsTotal.inc({ controller: this.#options.controller, effect });
  }
}

/** `error`, as a RefusedError if it says that the API server will not have an object as it is; its words come after `what`. */
function asRefusal(error: unknown, what = ''): unknown {
  if (!(error instanceof ApiError) || !refusesObject(error)) return error;
  return new RefusedError(error.code, `${what}${error.words}`, { cause: error });
}

/** Whether `error` says that we acted on an old version: come again with the new one. */
export function isStale(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409 && error.reason === 'Conflict';
}

function splitPrecondition(wanted: KubeObject): {
  readonly content: KubeObject;
  readonly version: string | undefined;
} {
  const { resourceVersion: version, ...metadata } = wanted.metadata;
  return { content: { ...wanted, metadata }, version };
}

function onVersionOf(object: KubeObject, resourceVersion: string | undefined): KubeObject {
  if (resourceVersion === undefined) return object;
  return { ...object, metadata: { ...object.metadata, resourceVersion } };
}

function fieldsOf({ metadata }: KubeObject): readonly ManagedFields[] {
  return (metadata as { readonly managedFields?: readonly ManagedFields[] }).managedFields ?? [];
}

/** Whether what is there is what was to be made: owned by `owner`, or with the marks of the same tenant, schedule or pack. */
function isMade(live: KubeObject, wanted: KubeObject, owner: KubeObject): boolean {
  const { labels, annotations } = wanted.metadata;
  const uid = annotations?.[ANNOTATIONS.tenantUid];
  const isMarkedAlike =
    uid !== undefined &&
    live.metadata.annotations?.[ANNOTATIONS.tenantUid] === uid &&
    live.metadata.labels?.[LABELS.managedBy] === labels?.[LABELS.managedBy];
  return isMarkedAlike || MAKER_LABELS.some((label) => hasSame(label, live, wanted)) || isOwned(live, owner);
}

/**
 * Labels that say for whom something was made that has no owner, and that tenants cannot set: the schedule of a Run, whose name says which
 * start it is of, and the pack of what is kept in another namespace, whose name says what is in it.
 */
const MAKER_LABELS = [LABELS.scheduledBy, LABELS.packUid] as const;

function hasSame(label: string, live: KubeObject, wanted: KubeObject): boolean {
  const value = wanted.metadata.labels?.[label];
  return value !== undefined && live.metadata.labels?.[label] === value;
}

/** By its whole reference: tenants may name the uid in one of another kind, which no guardrail keeps them from. */
function isOwned(object: KubeObject, { apiVersion, kind, metadata: { uid } }: KubeObject): boolean {
  return (
    object.metadata.ownerReferences?.some(
      (one) => one.uid === uid && one.kind === kind && one.apiVersion === apiVersion,
    ) === true
  );
}

function settledKey(object: KubeObject): string {
  return `${resourceString(object)} ${keyString(keyOf(object))}`;
}
