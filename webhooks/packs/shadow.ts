// SPDX-License-Identifier: Apache-2.0
import {
  type ComparisonCounters,
  countPair,
  emptyCounters,
  type PairedVerdict,
  toComparison,
  type Verdict,
} from '#operator/core/policy/comparison-counters';
import { compose, type PackResult } from '#operator/core/policy/compose';
import { objectionText } from '#operator/core/policy/decision';
import { ReachOfPairs } from '#operator/core/policy/reach';
import { isJsonObject, type Review } from '#operator/core/policy/review';
import type { Selection, ShadowPair } from '#operator/core/policy/selection';
import { packKey, type SnapshotRevision } from '#operator/core/policy/snapshot';
import { FairJobs, type Job } from '#operator/policy/workers/fair-jobs';
import { TokenBuckets } from '#operator/runtime/token-buckets';
import type { Judged, Judgement } from './judgement.ts';
import type { PackMetrics } from './metrics.ts';

/** A request that has been answered, and what it was judged with. */
export interface ShadowRequest {
  readonly judgement: Judgement;
  /** What has decided: that is not asked again. */
  readonly judged: readonly Judged[];
}

/** More requests than these do not wait to be compared: under load a sample is as good. */
const MAX_WAITING = 256;
/** Of each tenant, so that one that is loud leaves room for the others. */
const MAX_WAITING_EACH = 64;
/**
 * What one tenant, and one user, counts for in a comparison: so many requests at once, and then by the second. Which ones are compared follows
 * from when they come alone, and not from what they are: so what is compared is as good a sample as all of them.
 */
export const SHARE_OF_TENANT = { burst: 128, perSecond: 4 } as const;
/** The same of a user. */
export const SHARE_OF_USER = { burst: 96, perSecond: 3 } as const;
const MAX_BUCKETS = 16_384;
/** What no revision can be blamed for: its host had no time, or it was not to be had. */
const NOT_ITS_OWN: ReadonlySet<string> = new Set([
  'Overloaded',
  'Lost',
  'NotLoaded',
  'Quarantined',
  'InventoryStale',
]);
const ALLOWED: PackResult = {
  kind: 'answer',
  answer: { deny: [], warn: [], violation: [], dlp: [], disclosures: [], limits: {}, masks: [], mutate: [] },
};

/** How requests are compared. */
export interface ShadowOptions {
  readonly metrics: PackMetrics;
  readonly onChange: () => void;
  /** Whether who asks has proved to be the API server: else anybody could have made up whose request it is. */
  readonly isVouchedFor: boolean;
}

interface Waiting extends Job {
  readonly pair: ShadowPair;
  readonly request: ShadowRequest;
  readonly isProtected: boolean;
}

/**
 * Compares new revisions with active ones on the same requests. After the answer and one at a time: nobody waits for
 * it, and it takes no more than one worker.
 */
export class Shadow {
  readonly #options: ShadowOptions;
  readonly #counters = new Map<string, ComparisonCounters>();
  readonly #waiting = new FairJobs<Waiting>({
    maxWaiting: MAX_WAITING,
    maxWaitingPerSubject: MAX_WAITING_EACH,
    maxRunningPerSubject: 1,
  });
  readonly #tenants = new TokenBuckets({ ...SHARE_OF_TENANT, maxBuckets: MAX_BUCKETS });
  readonly #users = new TokenBuckets({ ...SHARE_OF_USER, maxBuckets: MAX_BUCKETS });
  readonly #reach = new ReachOfPairs();
  #isAtWork = false;

  constructor(options: ShadowOptions) {
    this.#options = options;
  }

  /** Has the pairs of a request compared some time. */
  offer({ shadow, isProtected }: Selection, request: ShadowRequest): void {
    const { metrics, isVouchedFor } = this.#options;
    const subject = tenantOf(request) ?? '';
    for (const pair of shadow) {
      const job = { subject, pair, request, isProtected: isProtected && isVouchedFor };
      if (!this.#mayCount(job) || !this.#waiting.add(job)) metrics.shadow.inc({ outcome: 'sampled_out' });
    }
    if (this.#waiting.waiting > 0 && !this.#isAtWork) void this.#work();
  }

  /** What has been counted, of pairs that are still compared. */
  comparisons(): readonly ReturnType<typeof toComparison>[] {
    return [...this.#counters.values()].map(toComparison);
  }

  /** Forgets pairs that are compared no more. */
  keep(pairs: ReadonlySet<string>): void {
    for (const key of this.#counters.keys()) if (!pairs.has(key)) this.#counters.delete(key);
  }

  /** Resolves when nothing waits. For tests. */
  async settled(): Promise<void> {
    while (this.#isAtWork) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Of each pair, a tenant and a user count for so much. */
  #mayCount({ pair, request, subject, isProtected }: Waiting): boolean {
    if (isProtected || subject === '') return true;
    const key = pairKey(pair);
    const now = performance.now();
    const { username } = request.judgement.options.review.userInfo;
    // The user first: one who has had its share takes nothing of what is left to others of the tenant.
    return (
      this.#users.take(JSON.stringify([key, subject, username]), now) &&
      this.#tenants.take(JSON.stringify([key, subject]), now)
    );
  }

  async #work(): Promise<void> {
    this.#isAtWork = true;
    try {
      for (let next = this.#waiting.take(); next !== undefined; next = this.#waiting.take()) {
        // What waits to be answered goes first.
        await new Promise((resolve) => setImmediate(resolve));
        await this.#compare(next);
        this.#waiting.done(next);
      }
    } finally {
      this.#isAtWork = false;
    }
  }

  async #compare({ pair, request, isProtected }: Waiting): Promise<void> {
    const { pack } = pair;
    const [active, candidate] = [
      await judgedBy(pair.active, request),
      await judgedBy(pair.candidate, request),
    ];
    const verdict = verdictOf(active, candidate, { request, isProtected });
    if (verdict === undefined) {
      this.#options.metrics.shadow.inc({ outcome: 'not_judged' });
      return;
    }
    const key = pairKey(pair);
    const before =
      this.#counters.get(key) ??
      emptyCounters({
        pack: packKey(pack.pack),
        revision: pack.candidate?.revision ?? '',
        against: pack.active?.revision,
      });
    const { snapshot } = request.judgement.options;
    const whose = { tenant: tenantOf(request), tenants: this.#reach.of(snapshot, pack) };
    const budgetMicros = pack.latencyBudgetMs * 1000;
    this.#counters.set(key, countPair(before, { ...verdict, ...whose, budgetMicros }));
    this.#options.metrics.shadow.inc({ outcome: 'compared' });
    this.#options.onChange();
  }
}

/** Names what is compared. */
export function pairKey({ pack }: Pick<ShadowPair, 'pack'>): string {
  return `${packKey(pack.pack)} ${pack.candidate?.revision ?? ''} ${pack.active?.revision ?? ''}`;
}

function tenantOf({ judgement }: ShadowRequest): string | undefined {
  return judgement.options.facts.tenant?.name;
}

interface OneJudged {
  readonly revision: SnapshotRevision | undefined;
  readonly result: PackResult;
  readonly micros: number;
}

/** A revision that is not about the request, or not there, allows it. */
async function judgedBy(
  revision: SnapshotRevision | undefined,
  { judgement, judged }: ShadowRequest,
): Promise<OneJudged> {
  if (revision === undefined) return { revision, result: ALLOWED, micros: 0 };
  const known = judged.find((one) => one.revision.key === revision.key);
  return known ?? judgement.askOne(revision, () => revision.deadlineMs, 'shadow');
}

type UnbudgetedVerdict = Omit<PairedVerdict, 'budgetMicros' | 'tenant' | 'tenants'>;

function verdictOf(
  active: OneJudged,
  candidate: OneJudged,
  { request, isProtected }: { readonly request: ShadowRequest; readonly isProtected: boolean },
): UnbudgetedVerdict | undefined {
  if (isNobodysFault(active.result) || isNobodysFault(candidate.result)) return undefined;
  const { review } = request.judgement.options;
  const [before, after] = [opinionOf(active, request), opinionOf(candidate, request)];
  return {
    active: before.verdict,
    candidate: failureOf(candidate.result) ?? after.verdict,
    micros: candidate.micros,
    object: objectOf(review),
    message: after.verdict === 'Denied' ? after.message : before.message,
    isProtected,
  };
}

function isNobodysFault(result: PackResult): boolean {
  return result.kind === 'failed' && NOT_ITS_OWN.has(result.reason);
}

function failureOf(result: PackResult): 'Failed' | 'TimedOut' | undefined {
  if (result.kind !== 'failed') return undefined;
  return result.reason === 'Timeout' ? 'TimedOut' : 'Failed';
}

/** What a revision alone comes to, its enforcement and exemptions from it included: the effect is compared, and not the words. */
function opinionOf(
  { revision, result }: OneJudged,
  { judgement }: ShadowRequest,
): { readonly verdict: Verdict; readonly message?: string } {
  if (revision === undefined) return { verdict: 'Allowed' };
  const { review, facts, snapshot, now } = judgement.options;
  const { allowed, denials } = compose([{ pack: revision, result }], {
    review,
    facts,
    exemptions: snapshot.exemptions,
    now,
  });
  const [first] = denials;
  if (allowed || first === undefined) return { verdict: 'Allowed' };
  return { verdict: 'Denied', message: objectionText(first) };
}

function objectOf({ kind, namespace, name, object }: Review) {
  const metadata = object?.['metadata'];
  const generated = isJsonObject(metadata) ? metadata['generateName'] : undefined;
  const shown = name === '' && typeof generated === 'string' ? `${generated}…` : name;
  return { kind: kind.kind, namespace, name: shown };
}
