// SPDX-License-Identifier: Apache-2.0
import { type KubeObject, type ObjectRef, refOf } from './object.ts';

/**
 * What a pure decision asks the runtime to do, in this order: write the status (fenced by the object's
 * resourceVersion), apply, replace, create, remove, then come back as `result` says. Nothing else ever writes.
 */
export interface Plan<Status> {
  /** The whole status, conditions included. Not written when it says the same as the live one. */
  readonly status: Status;
  /**
   * Whether the status says nothing but that what follows is being done: it is written only if that fails. What succeeds brings the
   * next pass, which has more to say, and a burst of new objects costs one write less of each.
   */
  readonly defersStatus?: boolean;
  /** Desired objects, by server-side apply, in order. An object that already is so costs no request. */
  readonly apply: readonly KubeObject[];
  /**
   * Live objects as they shall be instead, each on the condition that it still has the resourceVersion that it carries: for
   * decisions that hold for that version only. Each costs a request, so one that is as it shall be is not among them.
   */
  readonly replace?: readonly KubeObject[];
  /**
   * Objects that are made once and never changed (Pods of Runs). A namesake that our object does not own is
   * an error of reason `conflict`; one that it owns counts as made.
   */
  readonly create: readonly KubeObject[];
  /** Objects to delete. Always with uid, so that a namesake made since is never hit. */
  readonly remove: readonly Removal[];
  /** Facts worth an Event that no condition change tells by itself. */
  readonly events: readonly PlanEvent[];
  readonly result: Result;
}

/** Deletes one object; `propagation` defaults to Background. */
export interface Removal {
  readonly ref: ObjectRef & { readonly uid: string };
  /** The resourceVersion that it was judged by, where another would be judged differently: one that has changed since is looked at again. */
  readonly asSeen?: string;
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan';
  /** What is put on record first, where the platform has an archive: then the object goes when that has it, and not before. */
  readonly record?: KubeObject;
}

/** Deletes that very object, and what it owns first. */
export function removalOf(object: KubeObject): Removal {
  const { uid = '' } = object.metadata;
  return { ref: { ...refOf(object), uid }, propagation: 'Foreground' };
}

/** Deletes that very object, of which a record is to be kept; what it owns goes after it. */
export function retirementOf(object: KubeObject): Removal {
  return { ...removalOf(object), propagation: 'Background', record: object };
}

/** How soon one looks whether what was retired is gone: it goes after the pass that asks for it, and that may fail. */
export const GONE_MS = 60_000;

/** One Event on the reconciled object. `reason` is PascalCase and at most 128 characters. */
export interface PlanEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/**
 * `done`: nothing more until something changes. `requeueAfter`: come back, though nothing changed. `retry`: the same
 * after a backoff that grows with each such result, or failure, in a row, and is never above `atMostMs`. `finalized`: only from
 * `finalize`: all is cleared away, take our finalizer off.
 */
export type Result =
  | { readonly kind: 'done' }
  | { readonly kind: 'requeueAfter'; readonly afterMs: number; readonly why: string }
  | { readonly kind: 'retry'; readonly atMostMs: number; readonly why: string }
  | { readonly kind: 'finalized' };

/** The result that waits for a change. */
export const DONE: Result = { kind: 'done' };

/** A plan that writes `status` and does nothing else. */
export function statusOnly<Status>(status: Status, result: Result = DONE): Plan<Status> {
  return { status, apply: [], create: [], remove: [], events: [], result };
}
