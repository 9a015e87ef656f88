// SPDX-License-Identifier: Apache-2.0
import type { ReconcileError, RefusedError } from '../core/errors.ts';
import type { KubeObject, Resource } from '../core/object.ts';
import type { Pieces } from '../core/pieces.ts';
import type { Plan, PlanEvent } from '../core/plan.ts';
import type { Urgency } from './fair-queue.ts';

/** Names one object of a known kind. Cluster-scoped objects have no namespace. */
export type Key = { readonly namespace?: string; readonly name: string };

/** One rule of a ClusterRole. A controller states what it needs beside the code that needs it. */
export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** What `parse` returns for an object that does not fit its schema: one sentence that names the field. */
export interface ParseFailure {
  readonly parseFailure: string;
}

/** Which objects `Reader.list` returns; none of these means all. */
export interface ListFilter {
  readonly namespace?: string;
  /** Name of a declared index. Given with `value`, or not at all. */
  readonly index?: string;
  readonly value?: string;
}

/** Which objects `Reader.listLive` and `Reader.anyLive` ask for. */
export interface LiveSelection {
  readonly namespace: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

/** What `observe` may read. Objects are frozen and shared: never change one in place. */
export interface Reader {
  /** The object as last seen by a watch; undefined when there is none, or nobody watches the kind. */
  get(resource: Resource, key: Key): KubeObject | undefined;
  /**
   * Objects as last seen by watches, in no promised order.
   *
   * @throws Error when the kind is not watched or the index was not declared: a fault of the program.
   */
  list(resource: Resource, filter?: ListFilter): readonly KubeObject[];
  /**
   * The object as it is now, by a request; undefined when there is none.
   *
   * @throws ApiError when the API server cannot or will not say.
   */
  live(resource: Resource, key: Key): Promise<KubeObject | undefined>;
  /**
   * Objects of a namespace that the selectors select as they are now, by requests.
   *
   * @throws ApiError when the API server cannot or will not say.
   */
  listLive(resource: Resource, selection: LiveSelection): Promise<readonly KubeObject[]>;
  /**
   * Whether the selectors select anything as it is now: the metadata of one object is asked for, however many there are.
   *
   * @throws ApiError when the API server cannot or will not say.
   */
  anyLive(resource: Resource, selection: LiveSelection): Promise<boolean>;
}

/** Makes `Reader.list` by `name` a lookup: `of` tells the values under which an object is found. */
export interface IndexDeclaration {
  readonly resource: Resource;
  readonly name: string;
  readonly of: (object: KubeObject) => readonly string[];
}

/** A change that was seen. Both set: changed; only `object`: new; only `old`: gone. */
export interface SeenChange {
  readonly old: KubeObject | undefined;
  readonly object: KubeObject | undefined;
}

/**
 * How long a change may wait before it is looked at, in milliseconds, since it alone decides nothing: what is woken sooner by something
 * else sees it as well, and who is woken ten times within that time is looked at once. Zero: at once. Infinite: never for this. Called for each change, so it has to be cheap.
 */
export type Patience = (change: SeenChange, read: Reader) => number;

/**
 * Another kind whose changes wake a controller. Watches of the same kind, selectors and namespace are shared
 * between controllers, so more of them cost nothing.
 */
export interface Watch {
  readonly resource: Resource;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Watch this namespace only; undefined means all. */
  readonly namespace?: string;
  /** Keep `metadata` only (for Secrets, and for kinds of which only labels or owners matter). */
  readonly metadataOnly?: boolean;
  /** Objects to reconcile; called with the old and with the new object of a change. */
  readonly keys: (object: KubeObject, read: Reader) => readonly Key[];
  /** How long those whom a change wakes may wait for more of the like; none when left out. */
  readonly patienceMs?: Patience;
  /**
   * Drops fields that nobody reads before an object is stored; undefined: the whole object, which counts as not there. In
   * force only when all who share the watch name the same function. What is applied to a trimmed kind is compared by a GET.
   */
  readonly trim?: (object: KubeObject) => KubeObject | undefined;
}

/**
 * One kind's logic: what to watch, what to read, which pure function to ask. The loop around it is the same
 * for all (`reconcile.ts`). Methods are declared as methods so that controllers of different kinds fit one
 * list.
 */
export interface Controller<K extends KubeObject, Observed, Status> {
  /** Lower case; the field manager is `nexusos-<name>`. */
  readonly name: string;
  /** The kind that is reconciled. It is watched by itself; `watches` lists the others. */
  readonly resource: Resource;
  /** Which objects of the kind, and what of them; by default all, and whole. */
  readonly selects?: Pick<Watch, 'labelSelector' | 'fieldSelector' | 'trim'>;
  readonly watches: readonly Watch[];
  readonly rbac: readonly PolicyRule[];
  /**
   * Given once, before anything starts: wakes an object of the kind when something is known that no watch tells of, such as work that was
   * begun beside the loop and has ended; within some milliseconds where it does not matter at once. Which process works on it does not change by
   * that.
   */
  wakesItself?(wake: (key: Key, withinMs?: number) => void): void;
  /** What it needs in the platform namespace alone. */
  readonly platformRbac?: readonly PolicyRule[];
  /** How long a change of the reconciled object itself may wait; none when left out. */
  readonly patienceMs?: Patience;
  /**
   * How long it is still too soon to look at an object again, in milliseconds; by default it never is. For a kind of which each pass
   * decides on much, so that what happens meanwhile is decided together.
   */
  restMs?(key: Key): number;
  /** With `finalize`: the finalizer that is put on before the first effect and off after the last. */
  readonly finalizer?: string;
  /**
   * For objects of Kubernetes that bear `finalizer` from their creation: it is taken off when `finalize` says so. Nothing else is done,
   * neither is a status written, and those that are not being deleted are not looked at.
   */
  readonly finalizesOnly?: true;
  /** No status is written, as of kinds of others: the operator needs no permission to. */
  readonly onlyReads?: true;
  /**
   * Without a finalizer of ours: objects that are being deleted are planned like any other. Finalizers of others may keep them for
   * long, and meanwhile they hold what they hold. The plan makes nothing new for them.
   */
  readonly plansWhileDeleting?: true;
  /** Checks the object at the edge. A failure becomes Stalled and Ready=False with reason InvalidSpec. */
  parse?(object: KubeObject): K | ParseFailure;
  /**
   * What `finalize` can work with when the object no longer fits its schema, which became stricter: what is being deleted
   * must be able to go. Without it, such an object stays until it is put right.
   */
  salvage?(object: KubeObject): K | ParseFailure;
  /**
   * Fairness group of an object, usually its tenant; by default its namespace, or its name. Called with
   * objects as they are stored, not parsed; the default stands in when it throws.
   */
  group?(object: K, read: Reader): string | undefined;
  /**
   * Whether an object goes before the others of its fairness group; by default none does. For a kind of which thousands
   * may wait while few hold what the rest waits for; `first`: before those as well. Called with objects as they are stored, not parsed.
   */
  isUrgent?(object: K, read: Reader): Urgency;
  /**
   * Which Events of changed conditions are told; by default all. A kind with very many objects keeps quiet
   * about what goes as it should, since every Event is a write. `was` is the reason that the condition had before.
   */
  tells?(event: PlanEvent, was: string | undefined): boolean;
  /** Reads, and nothing else. What cannot be found out is thrown and tried again later. */
  observe(object: K, read: Reader): Promise<Observed> | Observed;
  /** Decides. Pure: the same arguments give the same plan. */
  plan(object: K, observed: Observed, now: Date): Plan<Status>;
  /**
   * The same in pieces, for a kind of which one pass may decide on thousands: others have their turn of the event loop in between. What it decides on
   * is what was observed, however long that takes.
   */
  planInPieces?(object: K, observed: Observed, now: Date): Pieces<Plan<Status>>;
  /**
   * Decides what becomes of an object when the API server will not have something that its plan creates. Without it, or
   * when it returns undefined, the creation is tried again after a backoff. Pure.
   */
  refused?(object: K, refusal: RefusedError, now: Date): Plan<Status> | undefined;
  /**
   * Decides what becomes of an object of which something could not be done that will be tried again: it may say what holds it
   * up, and when to come back. Without it, or when it returns undefined, that is after a backoff. Pure.
   */
  heldUp?(object: K, obstacle: ReconcileError, now: Date): Plan<Status> | undefined;
  /** That quota is used up is everyday work, which `heldUp` has the object tell itself: no error, and no Event. */
  readonly waitsForQuota?: true;
  /** Decides for an object that is being deleted, until a plan of result `finalized`. Pure. */
  finalize?(object: K, observed: Observed, now: Date): Plan<Status>;
}

/** A controller of any kind, as the manager keeps them. */
export type AnyController = Controller<KubeObject, unknown, unknown>;

/** Wakes the controller ownerReference's object of `owner` kind: `keys: ownedBy(TENANTS)`. */
export function ownedBy(owner: Resource): (object: KubeObject) => readonly Key[] {
  return (object) => {
    const reference = object.metadata.ownerReferences?.find((one) => one.controller === true);
    if (reference?.kind !== owner.kind || groupOf(reference.apiVersion) !== groupOf(owner.apiVersion))
      return [];
    const { namespace } = object.metadata;
    if (!owner.namespaced) return [{ name: reference.name }];
    return namespace === undefined ? [] : [{ namespace, name: reference.name }];
  };
}

/** The fairness group of an object as it is stored; undefined when its controller cannot tell or there is no object. */
export function fairnessGroup(
  controller: AnyController,
  object: KubeObject | undefined,
  read: Reader,
): string | undefined {
  return answerOn(object, (one) => controller.group?.(one, read));
}

/** An object of a kind, as far as it is there. */
export interface Queued {
  readonly key: Key;
  readonly object: KubeObject | undefined;
}

/** Whom an object takes its turn with: its fairness group, or where its controller cannot tell that, its namespace, or itself. */
export function turnOf(controller: AnyController, { key, object }: Queued, read: Reader): string {
  return fairnessGroup(controller, object, read) ?? key.namespace ?? key.name;
}

/** Whether an object as it is stored goes before others; not when its controller cannot tell or there is no object. */
export function isUrgent(controller: AnyController, object: KubeObject | undefined, read: Reader): Urgency {
  return answerOn(object, (one) => controller.isUrgent?.(one, read)) ?? false;
}

function answerOn<Answer>(
  object: KubeObject | undefined,
  ask: (object: KubeObject) => Answer,
): Answer | undefined {
  if (object === undefined) return undefined;
  try {
    return ask(object);
  } catch {
    // The object was not parsed yet; what is wrong with it will be told by its reconcile.
    return undefined;
  }
}

/** The key of `object`. */
export function keyOf(object: KubeObject): Key {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? { name } : { namespace, name };
}

/** `key` as one string, `<namespace>/<name>` or `<name>`; neither part can hold a slash. */
export function keyString(key: Key): string {
  return key.namespace === undefined ? key.name : `${key.namespace}/${key.name}`;
}

/** The key that `keyString` wrote. */
export function parseKey(text: string): Key {
  const slash = text.indexOf('/');
  return slash < 0 ? { name: text } : { namespace: text.slice(0, slash), name: text.slice(slash + 1) };
}

/** The part of zod that `parseWith` needs, so that the runtime does not depend on it. */
export interface Schema<Parsed extends object> {
  safeParse(
    value: unknown,
  ):
    | { readonly success: true; readonly data: Parsed }
    | { readonly success: false; readonly error: SchemaError };
}

/** Why a schema refused a value. */
export interface SchemaError {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
}

/**
 * A `parse` for `Controller` from a schema of the top-level fields (`spec`, `status`). Fields that the
 * schema does not name, `metadata` among them, are kept as they are.
 */
export function parseWith<Parsed extends object>(
  schema: Schema<Parsed>,
): (object: KubeObject) => (KubeObject & Parsed) | ParseFailure {
  return (object) => {
    const result = schema.safeParse(object);
    if (result.success) return { ...object, ...result.data };
    const [first] = result.error.issues;
    if (first === undefined) return { parseFailure: 'the object does not fit its schema' };
    return { parseFailure: `${first.path.map(String).join('.') || 'object'}: ${first.message}` };
  };
}

/** Whether a `parse` failed. */
export function isParseFailure(parsed: KubeObject | ParseFailure): parsed is ParseFailure {
  return 'parseFailure' in parsed && typeof parsed.parseFailure === 'string';
}

function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}
