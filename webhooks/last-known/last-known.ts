// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import type { KubeObject } from '#operator/core/object';
import { AGENTS, NAMESPACES, SECRETS, TENANTS } from '#operator/core/resources';
import type { Cache, HeldWatch } from '#operator/runtime/cache';
import type { Log } from '#operator/telemetry/log';
import type { AdmissionMetrics } from '../metrics.ts';
import { type AdmissionRequest, type Answer, refused } from '../review.ts';
import { doubtOf } from './doubt.ts';
import type { KeptFile } from './kept-file.ts';
import { clusterOf } from './keeping.ts';
import { ageMsOf, type Keeper, type Manifest, whyNot, whyNotNow } from './manifest.ts';
import type { Uptime } from './uptime.ts';

/** What a replica begins from when the API server cannot be reached. */
export interface LastKnownOptions {
  readonly cache: Pick<Cache, 'get' | 'isSynced' | 'recall' | 'release'>;
  readonly file: KeptFile;
  readonly self: () => Promise<Keeper>;
  /** What is older is not used, in milliseconds; 0: nothing ever is. */
  readonly maxAgeMs: number;
  /** Without an API server for so long, what was kept is used. */
  readonly afterMs: number;
  /** Whether the API server gives any answer of its own. */
  readonly canReach: () => Promise<boolean>;
  /** The Secret with the certificate, from where the kubelet has put it; or why it cannot be served, by what was kept. */
  readonly readCertificate: (kept: readonly HeldWatch[]) => Promise<KubeObject | string>;
  /** Called in the very turn in which what the API server tells is taken over. */
  readonly onTakenOver: () => void;
  readonly now: () => Date;
  /** Milliseconds of a clock that only goes forward. */
  readonly elapsedMs: () => number;
  /** How long the machine has run; undefined where it does not tell. */
  readonly uptime: () => Uptime | undefined;
  readonly metrics: Pick<AdmissionMetrics, 'keptTimestamp' | 'lastKnownAge'>;
  readonly log: Log;
}

/**
 * Begins from what was kept of an earlier time where the API server cannot be reached, and goes over to what that tells as soon as it has told
 * all. What is asked in between is answered from what was kept as far as that can know, and refused where it cannot.
 */
export class LastKnown {
  readonly #options: LastKnownOptions;
  #standing: Manifest | undefined;
  /** How old it was when it was put in place, and when that was. */
  #from = { ageMs: 0, atMs: 0 };
  #began: Manifest | undefined;
  #why = '';

  constructor(options: LastKnownOptions) {
    this.#options = options;
  }

  /** Of which time that is that the process began from; undefined where it began from what the API server told. */
  get beganFrom(): string | undefined {
    return this.#began?.seenAt;
  }

  /** Whether there is what to decide by: from the API server, or kept and not too old yet. */
  get isReady(): boolean {
    if (this.#standing === undefined) return this.#options.cache.isSynced;
    this.#measure();
    return this.#tooOld(this.#standing) === undefined;
  }

  /** How old that is which is decided by, in seconds; 0 where that is what the API server tells. */
  get ageSeconds(): number {
    return this.#standing === undefined ? 0 : this.#ageMs(this.#standing) / 1000;
  }

  /** Resolves once there is what to decide by. `synced`: the API server has told everything. */
  async begin(synced: Promise<void>): Promise<void> {
    const { afterMs, maxAgeMs, canReach } = this.#options;
    if (maxAgeMs === 0) return synced;
    for (;;) {
      const isTold = await Promise.race([synced.then(() => true), delay(afterMs, false, { ref: false })]);
      if (isTold) return undefined;
      // One answer may have been lost.
      if ((await canReach()) || (await canReach()) || !(await this.#recall())) continue;
      void synced.then(() => this.#takeOver());
      return undefined;
    }
  }

  /** The answer to a request: by what the API server told, or by what was kept, and never by some of each. */
  async decide(request: AdmissionRequest, judge: () => Promise<Answer>): Promise<Answer> {
    const standing = this.#standing;
    if (standing === undefined) return judge();
    const answer = await this.#answer(standing, request, judge);
    // What was begun by the one is not ended by the other.
    if (this.#standing !== standing) return judge();
    return { ...answer, auditAnnotations: { ...answer.auditAnnotations, [AUDIT]: standing.seenAt } };
  }

  async #answer(
    standing: Manifest,
    request: AdmissionRequest,
    judge: () => Promise<Answer>,
  ): Promise<Answer> {
    const { cache } = this.#options;
    const doubt =
      this.#tooOld(standing) ??
      doubtOf(request, {
        namespace: (name) => cache.get(NAMESPACES, { name }),
        tenant: (name) => cache.get(TENANTS, { name }),
        agent: (namespace, name) => cache.get(AGENTS, { namespace, name }),
      });
    if (doubt === undefined) return judge();
    const message = `this replica cannot reach the API server, and decides by what it knew at ${standing.seenAt}: ${doubt}; try again`;
    return refused({ code: 'dependency_unavailable', message, retryAfterSeconds: 1 });
  }

  /** Whether what was kept is in place now. */
  async #recall(): Promise<boolean> {
    const found = await this.#find();
    if (typeof found === 'string') return this.#pass(found);
    const { manifest, kept } = found;
    try {
      this.#options.cache.recall(kept);
    } catch (error) {
      return this.#pass(error instanceof Error ? error.message : String(error));
    }
    const { now, elapsedMs, uptime, metrics } = this.#options;
    const { seenAt } = manifest;
    this.#from = { ageMs: ageMsOf(manifest, now(), uptime()), atMs: elapsedMs() };
    this.#standing = manifest;
    this.#began = manifest;
    this.#measure();
    metrics.keptTimestamp.set({}, Date.parse(seenAt) / 1000);
    this.#options.log.warn(
      { seenAt, ageSeconds: Math.round(this.ageSeconds) },
      'the API server cannot be reached: deciding by what was kept',
    );
    return true;
  }

  /** What was kept, or why it cannot be used. */
  async #find(): Promise<{ readonly manifest: Manifest; readonly kept: readonly HeldWatch[] } | string> {
    const { file, self, maxAgeMs, now, uptime, readCertificate } = this.#options;
    const read = await file.readManifest();
    if (read.kind === 'nothing') return read.why;
    const { manifest } = read;
    const keeper = await self().catch(() => undefined);
    if (keeper === undefined) return 'who vouches for the API server cannot be told';
    const why = whyNot(manifest, { ...keeper, now: now(), maxAgeMs });
    if (why !== undefined) return why;
    const aged = new Date(Date.parse(manifest.seenAt) + ageMsOf(manifest, now(), uptime()));
    const whyAged = whyNotNow(manifest, { now: aged, maxAgeMs });
    if (whyAged !== undefined) return `${whyAged}, though the clock of this machine says otherwise`;
    const held = await file.readBody(manifest);
    if (held === undefined) return 'what was kept is torn, or gone';
    const certificate = await readCertificate(held);
    if (typeof certificate === 'string') return certificate;
    const kept = held.map((one) => (one.kind === SECRETS.kind ? { ...one, objects: [certificate] } : one));
    return { manifest, kept };
  }

  #pass(why: string): false {
    if (this.#why !== why)
      this.#options.log.warn(
        { why },
        'the API server cannot be reached, and nothing that was kept can be used',
      );
    this.#why = why;
    return false;
  }

  #takeOver(): void {
    const { cache, log, onTakenOver } = this.#options;
    const standing = this.#standing;
    if (standing === undefined) return;
    const { seenAt } = standing;
    const ageSeconds = Math.round(this.ageSeconds);
    cache.release();
    this.#standing = undefined;
    onTakenOver();
    this.#measure();
    const isOther = clusterOf(cache) !== standing.cluster;
    log[isOther ? 'error' : 'info'](
      { seenAt, ageSeconds, isOther },
      isOther
        ? 'the API server is there again, and is another cluster than what was decided by until now'
        : 'the API server is there again: deciding by what it tells',
    );
  }

  /** By the clock of the day, but never less than has gone by since: that clock may be behind, or be set back. */
  #ageMs({ seenAt }: Manifest): number {
    const { now, elapsedMs } = this.#options;
    const { ageMs, atMs } = this.#from;
    return Math.max(now().getTime() - Date.parse(seenAt), ageMs + elapsedMs() - atMs, 0);
  }

  #tooOld(standing: Manifest): string | undefined {
    const now = new Date(Date.parse(standing.seenAt) + this.#ageMs(standing));
    return whyNotNow(standing, { now, maxAgeMs: this.#options.maxAgeMs });
  }

  #measure(): void {
    this.#options.metrics.lastKnownAge.set({}, this.ageSeconds);
  }
}

/** Of the audit log of the API server, after the name of the webhook. */
const AUDIT = 'last-known';
