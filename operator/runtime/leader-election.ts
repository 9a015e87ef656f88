// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeObject } from '../core/object.ts';
import type { Log } from '../telemetry/log.ts';
import { ApiError, hasStatus } from './api-error.ts';
import { jittered } from './backoff.ts';
import type { Client } from './client.ts';
import { clock } from './clock.ts';
import {
  heldSpec,
  LEASES,
  type LeaseSighting,
  type LeaseSpec,
  nextStep,
  releasedSpec,
  sight,
} from './lease.ts';
import { collectionPath, objectPath } from './resource.ts';

/** Where and how replicas agree on who writes. Times in milliseconds. */
export interface LeaderElectionOptions {
  readonly namespace: string;
  readonly name: string;
  /** Others wait so long after the last renewal that they saw; rounded up to seconds. Default 10 s. */
  readonly leaseDurationMs?: number;
  /** The leader stops writing so long after its last renewal. Must be less than the lease. Default 7 s. */
  readonly renewDeadlineMs?: number;
  /** Between tries. Default 1.5 s. */
  readonly retryPeriodMs?: number;
  /** Whether there may be processes that work by shards: who leads waits until none is left that does not work as it does. */
  readonly amongShards?: boolean;
}

/** Of the lease, where nothing else is said. */
export const DEFAULT_LEASE_MS = 10_000;

/** A candidate, and whom to tell. */
export interface ElectorOptions extends LeaderElectionOptions {
  readonly client: Client;
  readonly identity: string;
  readonly log: Log;
  readonly onChange: (isLeading: boolean) => void;
  /** The lease as it was just seen, so that it need not be looked for. */
  readonly seen?: LeaseSighting | undefined;
  /** Annotations of the lease while this process holds it, from those that it had; by default they stay. */
  readonly annotate?: (before: Annotations, isOurs: boolean) => Annotations;
  /**
   * Asked each time that the lease was taken, or had run out for us, until it says yes: only then this process leads. For leases of
   * which others decide by what they see of this one.
   */
  readonly confirm?: () => Promise<boolean>;
}

type Annotations = Readonly<Record<string, string>>;

/**
 * A write that was not sent, because another may lead by now. Not a failure: the new leader does the work.
 */
export class NotLeadingError extends Error {
  constructor() {
    super('this process does not lead: nothing is written');
    this.name = 'NotLeadingError';
  }
}

/**
 * Takes part in an election until stopped. Safe against clocks that differ and against stalls of this
 * process: a lease counts as held until `renewDeadlineMs` after the last renewal was sent, by a clock that
 * never goes back.
 */
export class LeaderElector {
  readonly #options: ElectorOptions;
  readonly #times: {
    readonly leaseDurationMs: number;
    readonly renewDeadlineMs: number;
    readonly retryPeriodMs: number;
  };
  readonly #stop = new AbortController();
  #seen: LeaseSighting | undefined;
  #heldUntilMs = Number.NEGATIVE_INFINITY;
  #wasLeading = false;
  /** Nobody else could have taken this process for one that does not hold the lease since this became true. */
  #isConfirmed = false;
  #running: Promise<void> | undefined;

  /** @throws Error when the times cannot work. */
  constructor(options: ElectorOptions) {
    this.#options = options;
    const { leaseDurationMs = DEFAULT_LEASE_MS, renewDeadlineMs = 7000, retryPeriodMs = 1500 } = options;
    if (!(retryPeriodMs < renewDeadlineMs && renewDeadlineMs < leaseDurationMs)) {
      throw new Error('leader election needs retryPeriodMs < renewDeadlineMs < leaseDurationMs');
    }
    this.#times = { leaseDurationMs, renewDeadlineMs, retryPeriodMs };
    this.#seen = options.seen;
  }

  /** Whether this process may write at this very moment. */
  isLeader(): boolean {
    return this.#isConfirmed && this.#isHeld();
  }

  /** The fence of every write: for how long, in milliseconds, this process may write. @throws NotLeadingError */
  readonly fence = (): number => {
    const leftMs = this.#heldUntilMs - performance.now();
    if (this.#isConfirmed && leftMs > 0) return leftMs;
    // Told at once, so that workers pause and do not meet the fence again and again.
    this.#tell();
    throw new NotLeadingError();
  };

  start(): void {
    this.#running ??= this.#run();
  }

  /**
   * Leaves the election, and gives the lease back if it is ours; without `release` others wait until it has run out, as
   * something that was begun under it may still be under way.
   */
  async stop({ release = true }: { readonly release?: boolean } = {}): Promise<void> {
    this.#stop.abort();
    await this.#running;
    const mayRelease = release && this.#isHeld();
    this.#lose();
    this.#tell();
    if (mayRelease) await this.#release();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const isNews = await this.#try().catch((error: unknown) => this.#failed(error));
      await this.#confirm();
      this.#tell();
      if (isNews) continue;
      const waitMs = this.#waitMs();
      await sleep(waitMs, undefined, { signal }).catch(() => undefined);
      this.#tell();
    }
  }

  #isHeld(): boolean {
    return performance.now() < this.#heldUntilMs;
  }

  #lose(): void {
    this.#heldUntilMs = Number.NEGATIVE_INFINITY;
    this.#isConfirmed = false;
  }

  async #confirm(): Promise<void> {
    const { confirm, log } = this.#options;
    if (this.#isConfirmed || !this.#isHeld()) return;
    try {
      this.#isConfirmed = confirm === undefined || (await confirm());
    } catch (error) {
      log.warn({ err: error }, 'leader election: could not see whether others hold what they have to leave');
    }
  }

  /** Between tries; no longer than we may still believe to lead, so that the end is told in time. */
  #waitMs(): number {
    const periodMs = jittered(this.#times.retryPeriodMs, 0.1, Math.random());
    const remainingMs = this.#heldUntilMs - performance.now();
    return remainingMs > 0 ? Math.min(periodMs, remainingMs + 1) : periodMs;
  }

  /** One step; true when the next one should follow at once. */
  async #try(): Promise<boolean> {
    this.#seen ??= await this.#look();
    const step = nextStep(this.#seen, this.#options.identity, performance.now());
    if (step === 'wait') {
      this.#seen = await this.#look();
      return nextStep(this.#seen, this.#options.identity, performance.now()) !== 'wait';
    }
    await this.#hold();
    return false;
  }

  async #look(): Promise<LeaseSighting | undefined> {
    try {
      const lease = await this.#send({ verb: 'get', path: this.#path() });
      return sight(this.#seen, lease, performance.now());
    } catch (error) {
      if (hasStatus(error, 404)) return undefined;
      throw error;
    }
  }

  /** Writes us into the lease. The time of sending counts, not that of the answer. */
  async #hold(): Promise<void> {
    const sentAtMs = performance.now();
    const { identity, namespace, name } = this.#options;
    const holder = { identity, leaseDurationMs: this.#times.leaseDurationMs };
    const spec = heldSpec(this.#seen?.spec ?? {}, holder, clock.now());
    const annotations = this.#annotations();
    const metadata = { namespace, name, ...(annotations && { annotations }) };
    const lease =
      this.#seen === undefined
        ? await this.#send({
            verb: 'create',
            path: collectionPath(LEASES, namespace),
            body: { apiVersion: LEASES.apiVersion, kind: LEASES.kind, metadata, spec },
          })
        : await this.#put(this.#seen, spec, annotations);
    this.#seen = sight(undefined, lease, sentAtMs);
    // It had run out meanwhile, so others may have gone by that.
    if (!this.#isHeld()) this.#isConfirmed = false;
    this.#heldUntilMs = sentAtMs + this.#times.renewDeadlineMs;
  }

  /** The resourceVersion makes two who try at once fail but one. */
  #put(
    { lease }: LeaseSighting,
    spec: LeaseSpec,
    annotations = lease.metadata.annotations,
  ): Promise<KubeObject> {
    const metadata = { ...lease.metadata, ...(annotations && { annotations }) };
    return this.#send({ verb: 'update', path: this.#path(), body: { ...lease, metadata, spec } });
  }

  #annotations(): Annotations | undefined {
    const { annotate, identity } = this.#options;
    const { lease, spec } = this.#seen ?? {};
    return annotate?.(lease?.metadata.annotations ?? {}, spec?.holderIdentity === identity);
  }

  async #release(): Promise<void> {
    if (this.#seen === undefined) return;
    try {
      await this.#put(this.#seen, releasedSpec(this.#seen.spec, clock.now()));
      this.#options.log.info('gave the lease back');
    } catch (error) {
      this.#options.log.warn({ err: error }, 'could not give the lease back; others wait until it ends');
    }
  }

  async #failed(error: unknown): Promise<boolean> {
    const isRace = hasStatus(error, 409) || hasStatus(error, 404);
    if (!isRace) {
      this.#options.log.warn({ err: error }, 'leader election: a try failed');
      return false;
    }
    // Somebody else wrote. Look before the next try; while we cannot see who, the deadline guards us.
    try {
      this.#seen = await this.#look();
    } catch {
      return false;
    }
    const isOurs = this.#seen?.spec.holderIdentity === this.#options.identity;
    if (!isOurs) this.#lose();
    // What somebody else noted on our lease must not cost us the time of a renewal.
    return isOurs;
  }

  #tell(): void {
    const isLeading = this.isLeader();
    if (isLeading === this.#wasLeading) return;
    this.#wasLeading = isLeading;
    this.#options.log.info(
      { identity: this.#options.identity },
      isLeading ? 'leading' : 'not leading any more',
    );
    this.#options.onChange(isLeading);
  }

  #path(): string {
    const { namespace, name } = this.#options;
    return objectPath(LEASES, { namespace, name });
  }

  async #send(request: {
    verb: 'get' | 'create' | 'update';
    path: string;
    body?: unknown;
  }): Promise<KubeObject> {
    // Several tries must fit into the deadline, so that one lost answer does not cost the lead.
    const timeoutMs = Math.max(this.#times.renewDeadlineMs / 3, 500);
    const answer = await this.#options.client.raw({ ...request, timeoutMs, attempts: 1, isUrgent: true });
    if (typeof answer === 'object' && answer !== null && 'metadata' in answer) return answer as KubeObject;
    throw new ApiError({
      status: 0,
      code: 'dependency_unavailable',
      reason: 'Malformed',
      message: 'not a Lease',
    });
  }
}
