// SPDX-License-Identifier: Apache-2.0
import { setStanding } from '../core/conditions.ts';
import { ReconcileError, RefusedError } from '../core/errors.ts';
import { type KubeObject, refOf, type Resource } from '../core/object.ts';
import { type Plan, type PlanEvent, statusOnly } from '../core/plan.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics, ReconcileResult } from '../telemetry/metrics.ts';
import { ApiError, hasStatus, meetsEndOfNamespace, sanitize } from './api-error.ts';
import type { Cache } from './cache.ts';
import { clock } from './clock.ts';
import { conditionEvents, conditionsOf, statusOf } from './condition-events.ts';
import {
  type AnyController,
  fairnessGroup,
  isParseFailure,
  type Key,
  keyOf,
  type ParseFailure,
  turnOf,
} from './controller.ts';
import { Effects, type EffectsOptions, isStale } from './effects.ts';
import type { EventRecorder } from './events.ts';
import type { GroupCount } from './group-count.ts';
import { NotLeadingError } from './leader-election.ts';
import { loopShare } from './loop-share.ts';
import { Refusals } from './refusals.ts';
import { VersionFence, type WriteFence } from './version-fence.ts';

/** How a pass ended, and when to come back. */
export type Outcome =
  /** Nothing more until something changes. */
  | { readonly kind: 'done' }
  | { readonly kind: 'requeueAfter'; readonly afterMs: number }
  /** After a backoff, not before `afterMs` and not after `atMostMs`. */
  | { readonly kind: 'retry'; readonly afterMs: number; readonly atMostMs?: number }
  /** At once, when this process leads again. */
  | { readonly kind: 'standby' };

/** Nothing can be made in a namespace that goes, and most often its objects go before that is tried again. */
const GOING_MS = 5000;

/** What the loop works with. */
export interface ReconcilerOptions extends Omit<EffectsOptions, 'controller'> {
  readonly controller: AnyController;
  /** Those of its kind that are being checked, also by loops of other shards. */
  readonly checking: GroupCount;
  readonly cache: Cache;
  readonly recorder: EventRecorder;
  readonly metrics: Metrics;
  readonly log: Log;
}

/**
 * The one loop of all kinds: observe, plan, commit the status, carry out, come back. The status goes first,
 * fenced by the object's resourceVersion: a decision survives a crash, and one that was taken on a stale
 * version of the object fails before it touches anything, also where the status stays as it is.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #effects: Effects;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#effects = new Effects({ ...options, controller: options.controller.name });
  }

  /** One pass over the object of `key`. Never rejects. */
  async reconcile(key: Key): Promise<Outcome> {
    const { controller, metrics, cache } = this.#options;
    const startedAt = performance.now();
    const object = cache.get(controller.resource, key);
    let outcome: Outcome = { kind: 'done' };
    let result: ReconcileResult = 'success';
    try {
      if (object !== undefined) outcome = await this.#pass(object);
      if (outcome.kind === 'requeueAfter' || outcome.kind === 'retry') result = 'requeue_after';
    } catch (error) {
      ({ outcome, result } = this.#failed(error, key, object));
      if (result === 'error') outcome = (await this.#holdUp(error, key)) ?? outcome;
    }
    metrics.reconcileTotal.inc({ controller: controller.name, result });
    metrics.reconcileSeconds.observe({ controller: controller.name }, (performance.now() - startedAt) / 1000);
    return outcome;
  }

  async #pass(object: KubeObject): Promise<Outcome> {
    const { controller } = this.#options;
    const isDeleting = object.metadata.deletionTimestamp !== undefined;
    const isFinalized = isDeleting && this.#isOurs(object);
    if (!isFinalized && controller.finalizesOnly === true) return { kind: 'done' };
    if (isDeleting && !isFinalized && controller.plansWhileDeleting !== true) return { kind: 'done' };
    const parsed = this.#parse(object, isDeleting);
    if (isParseFailure(parsed)) return this.#reject(object, parsed.parseFailure);
    return isFinalized ? this.#finalize(object, parsed) : this.#advance(object, parsed);
  }

  /** Whether the object waits for us before it goes. */
  #isOurs({ metadata }: KubeObject): boolean {
    const { controller } = this.#options;
    if (controller.finalizer === undefined || controller.finalize === undefined) return false;
    return metadata.finalizers?.includes(controller.finalizer) === true;
  }

  #parse(object: KubeObject, isDeleting: boolean): KubeObject | ParseFailure {
    const { controller } = this.#options;
    const parsed = controller.parse?.(object) ?? object;
    if (!isDeleting || !isParseFailure(parsed)) return parsed;
    return controller.salvage?.(object) ?? parsed;
  }

  async #advance(object: KubeObject, parsed: KubeObject): Promise<Outcome> {
    const { controller, cache } = this.#options;
    let current = object;
    if (controller.finalize !== undefined && controller.finalizer !== undefined) {
      current = await this.#effects.addFinalizer(controller.resource, object, controller.finalizer);
    }
    const observed = await controller.observe(parsed, cache);
    const plan = await this.#decide(parsed, observed);
    const fence = this.#fenceOf(current);
    if (current !== object) fence.proven();
    try {
      await this.#carryOut(current, plan, fence);
      return outcomeOf(plan);
    } catch (error) {
      const instead = error instanceof RefusedError ? this.#afterRefusal(current, error) : undefined;
      if (instead === undefined) throw error;
      await this.#carryOut(instead.object, instead.plan);
      return outcomeOf(instead.plan);
    }
  }

  #decide(parsed: KubeObject, observed: unknown): Plan<unknown> | Promise<Plan<unknown>> {
    const { controller } = this.#options;
    const pieces = controller.planInPieces?.(parsed, observed, clock.now());
    if (pieces === undefined) return controller.plan(parsed, observed, clock.now());
    return loopShare.through(pieces, this.#turnOf(parsed));
  }

  /** What the controller wants instead, decided on the object as the failed plan left it. */
  #afterRefusal(object: KubeObject, refusal: RefusedError) {
    const { controller, cache } = this.#options;
    const latest = cache.get(controller.resource, keyOf(object)) ?? object;
    const parsed = controller.parse?.(latest) ?? latest;
    if (isParseFailure(parsed)) return undefined;
    const plan = controller.refused?.(parsed, refusal, clock.now());
    return plan && { object: latest, plan };
  }

  /** Has the object say what holds it up, if its controller wants that. */
  async #holdUp(error: unknown, key: Key): Promise<Outcome | undefined> {
    const { controller, cache } = this.#options;
    const latest = cache.get(controller.resource, key);
    const obstacle = obstacleOf(error);
    if (latest === undefined || obstacle === undefined) return undefined;
    try {
      const parsed = controller.parse?.(latest) ?? latest;
      if (isParseFailure(parsed)) return undefined;
      const plan = controller.heldUp?.(parsed, obstacle, clock.now());
      if (plan === undefined) return undefined;
      await this.#carryOut(latest, plan);
      return outcomeOf(plan);
    } catch {
      // What failed first is what counts, and was told; it is tried again.
      return undefined;
    }
  }

  async #finalize(object: KubeObject, parsed: KubeObject): Promise<Outcome> {
    const { controller, cache } = this.#options;
    if (controller.finalize === undefined || controller.finalizer === undefined) return { kind: 'done' };
    const observed = await controller.observe(parsed, cache);
    const plan = controller.finalize(parsed, observed, clock.now());
    if (plan.result.kind !== 'finalized') {
      await this.#carryOut(object, plan);
      return outcomeOf(plan);
    }
    // The object goes away: its last status would be read by nobody.
    await this.#carryOut(object, { ...plan, status: undefined });
    await this.#effects.removeFinalizer(controller.resource, object, controller.finalizer);
    return { kind: 'done' };
  }

  /** Commits the status, then does in order what the plan wants, all on the version of `object` only. */
  async #carryOut(
    object: KubeObject,
    plan: Plan<unknown>,
    fence: VersionFence = this.#fenceOf(object),
  ): Promise<void> {
    if (plan.defersStatus !== true) return this.#commitAndAct(object, plan, fence);
    try {
      await this.#act(object, plan, fence);
    } catch (error) {
      // The failure is what counts, and is told by the caller; that its status could not be written either adds nothing.
      await this.#commitAndAct(object, statusOnly(plan.status), fence).catch(() => undefined);
      throw error;
    }
  }

  async #commitAndAct(object: KubeObject, plan: Plan<unknown>, fence: VersionFence): Promise<void> {
    const { resource } = this.#options.controller;
    const committed = await this.#effects.commitStatus(resource, object, plan.status);
    if (plan.status !== undefined) this.#tell(object, this.#newsOf(object, plan.status));
    if (committed === object) return this.#act(committed, plan, fence);
    fence.proven();
    // What is committed is not decided again: it is told now, whatever becomes of the rest.
    this.#tell(committed, plan.events);
    await this.#act(committed, { ...plan, events: [] }, fence);
  }

  #fenceOf(object: KubeObject): VersionFence {
    const { client, cache, controller, checking } = this.#options;
    const { resource } = controller;
    const groupOf = (one: KubeObject): string => this.#turnOf(one);
    return new VersionFence({ client, cache, resource, checking, groupOf }, object);
  }

  #turnOf(object: KubeObject): string {
    const { controller, cache } = this.#options;
    return turnOf(controller, { key: keyOf(object), object }, cache);
  }

  async #act(owner: KubeObject, plan: Plan<unknown>, fence: WriteFence): Promise<void> {
    const refusals = new Refusals();
    for (const one of plan.apply) {
      await refusals.attempt(refOf(one), () => this.#effects.apply(one, fence));
    }
    for (const one of plan.replace ?? []) {
      await refusals.attempt(refOf(one), () => this.#effects.replace(one, fence));
    }
    for (const one of plan.create) {
      await refusals.attempt(refOf(one), () => this.#effects.create(owner, one, fence));
    }
    for (const one of plan.remove) {
      await refusals.attempt(one.ref, () => this.#effects.remove(one, fence));
    }
    refusals.throwFirst();
    this.#tell(owner, plan.events);
  }

  #newsOf(object: KubeObject, status: unknown): readonly PlanEvent[] {
    const { controller } = this.#options;
    const events = conditionEvents(statusOf(object), status);
    return events.filter((event) => controller.tells?.(event, event.was) ?? true);
  }

  /** Says on the object itself that it cannot be understood. */
  async #reject(object: KubeObject, why: string): Promise<Outcome> {
    const status = statusOf(object);
    const standing = { kind: 'stalled', reason: 'InvalidSpec', message: why } as const;
    const at = { generation: object.metadata.generation ?? 0, now: clock.now() };
    const conditions = setStanding(conditionsOf(status), standing, at);
    const known = typeof status === 'object' && status !== null ? status : {};
    await this.#carryOut(object, {
      status: { ...known, conditions },
      apply: [],
      create: [],
      remove: [],
      events: [],
      result: { kind: 'done' },
    });
    return { kind: 'done' };
  }

  #failed(
    error: unknown,
    key: Key,
    object: KubeObject | undefined,
  ): { readonly outcome: Outcome; readonly result: ReconcileResult } {
    const { controller, metrics, log, cache } = this.#options;
    if (error instanceof NotLeadingError) return { outcome: { kind: 'standby' }, result: 'requeue' };
    const tenant = fairnessGroup(controller, object, cache);
    const { kind } = controller.resource;
    const fields = { controller: controller.name, kind, ...key, tenant, reconcileId: crypto.randomUUID() };
    const everyday = this.#everyday(error);
    if (everyday !== undefined) {
      log.debug({ ...fields, err: error }, 'everyday work; coming again');
      const { result, afterMs } = everyday;
      return { outcome: { kind: 'retry', afterMs }, result };
    }
    if (object !== undefined && isGone(error, object, controller.resource))
      return { outcome: { kind: 'done' }, result: 'success' };
    const isTerminal = error instanceof ReconcileError && error.terminal;
    metrics.reconcileErrorsTotal.inc({ controller: controller.name });
    log.error({ ...fields, err: error, isTerminal }, 'reconcile failed');
    if (object !== undefined) this.#tell(object, [failureEvent(error)]);
    if (isTerminal) return { outcome: { kind: 'done' }, result: 'terminal_error' };
    const afterMs = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
    return { outcome: { kind: 'retry', afterMs }, result: 'error' };
  }

  /**
   * How a pass ended with which nothing is wrong: it was decided on an old version, or its namespace goes, where an Event of that would be refused as well, or
   * there is no quota, where the object itself tells of that. Figures in its words would make each time a new Event.
   */
  #everyday(error: unknown): { readonly result: ReconcileResult; readonly afterMs: number } | undefined {
    if (isStale(error)) return { result: 'conflict', afterMs: 0 };
    if (meetsEndOfNamespace(error)) return { result: 'error', afterMs: GOING_MS };
    const { waitsForQuota } = this.#options.controller;
    const lacksQuota = error instanceof ApiError && error.code === 'quota_exceeded';
    return waitsForQuota === true && lacksQuota ? { result: 'error', afterMs: 0 } : undefined;
  }

  #tell(object: KubeObject, events: readonly PlanEvent[]): void {
    const { controller, recorder } = this.#options;
    for (const event of events) recorder.record(controller.name, object, event);
  }
}

function outcomeOf(plan: Plan<unknown>): Outcome {
  const { result } = plan;
  if (result.kind === 'requeueAfter') return { kind: 'requeueAfter', afterMs: result.afterMs };
  if (result.kind === 'retry') return { kind: 'retry', afterMs: 0, atMostMs: result.atMostMs };
  return { kind: 'done' };
}

/** What an object can be told of; of an API server that cannot be reached, nothing can be written either. */
function obstacleOf(error: unknown): ReconcileError | undefined {
  if (error instanceof ReconcileError) return error;
  if (!(error instanceof ApiError) || error.status === 0) return undefined;
  return new ReconcileError(error.code, error.words, { cause: error });
}

/** The reconciled object itself went away under our hands. */
function isGone(error: unknown, object: KubeObject, resource: Resource): boolean {
  return (
    hasStatus(error, 404) &&
    error.details?.kind === resource.plural &&
    error.details.name === object.metadata.name
  );
}

function failureEvent(error: unknown): PlanEvent {
  return { type: 'Warning', reason: 'ReconcileFailed', message: sanitize(wordsOf(error)) };
}

function wordsOf(error: unknown): string {
  if (error instanceof ApiError) return error.words;
  return error instanceof Error ? error.message : String(error);
}
