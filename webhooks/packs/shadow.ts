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
import { isJsonObject, type Review } from '#operator/core/policy/review';
import type { Selection, ShadowPair } from '#operator/core/policy/selection';
import { packKey, type SnapshotRevision } from '#operator/core/policy/snapshot';
import type { Judged, Judgement } from './judgement.ts';
import type { PackMetrics } from './metrics.ts';

/** A request that has been answered, and what it was judged with. */
export interface ShadowRequest {
  readonly judgement: Judgement;
  /** What has decided: that is not asked again. */
  readonly judged: readonly Judged[];
}

/** More requests than these do not wait to be compared: under load a sample is as good. */
const MAX_WAITING = 64;
/** What no revision can be blamed for: its host had no time, or it was not to be had. */
const NOT_ITS_OWN: ReadonlySet<string> = new Set(['Overloaded', 'Lost', 'NotLoaded', 'Quarantined']);
const ALLOWED: PackResult = {
  kind: 'answer',
  answer: { deny: [], warn: [], violation: [], dlp: [], disclosures: [], limits: {}, masks: [], mutate: [] },
};

/**
 * Compares new revisions with active ones on the same requests. After the answer and one at a time: nobody waits for
 * it, and it takes no more than one worker.
 */
export class Shadow {
  readonly #metrics: PackMetrics;
  readonly #onChange: () => void;
  readonly #counters = new Map<string, ComparisonCounters>();
  readonly #waiting: {
    readonly pair: ShadowPair;
    readonly request: ShadowRequest;
    readonly isProtected: boolean;
  }[] = [];
  #isAtWork = false;

  constructor(metrics: PackMetrics, onChange: () => void) {
    this.#metrics = metrics;
    this.#onChange = onChange;
  }

  /** Has the pairs of a request compared some time. */
  offer({ shadow, isProtected }: Selection, request: ShadowRequest): void {
    for (const pair of shadow) {
      if (this.#waiting.length >= MAX_WAITING) {
        this.#metrics.shadow.inc({ outcome: 'sampled_out' });
        continue;
      }
      this.#waiting.push({ pair, request, isProtected });
    }
    if (this.#waiting.length > 0 && !this.#isAtWork) void this.#work();
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

  async #work(): Promise<void> {
    this.#isAtWork = true;
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        // What waits to be answered goes first.
        await new Promise((resolve) => setImmediate(resolve));
        await this.#compare(next.pair, next.request, next.isProtected);
      }
    } finally {
      this.#isAtWork = false;
    }
  }

  async #compare(pair: ShadowPair, request: ShadowRequest, isProtected: boolean): Promise<void> {
    const { pack } = pair;
    const [active, candidate] = [
      await judgedBy(pair.active, request),
      await judgedBy(pair.candidate, request),
    ];
    const verdict = verdictOf(active, candidate, { request, isProtected });
    if (verdict === undefined) {
      this.#metrics.shadow.inc({ outcome: 'not_judged' });
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
    this.#counters.set(key, countPair(before, { ...verdict, budgetMicros: pack.latencyBudgetMs * 1000 }));
    this.#metrics.shadow.inc({ outcome: 'compared' });
    this.#onChange();
  }
}

/** Names what is compared. */
export function pairKey({ pack }: Pick<ShadowPair, 'pack'>): string {
  return `${packKey(pack.pack)} ${pack.candidate?.revision ?? ''} ${pack.active?.revision ?? ''}`;
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
  return known ?? judgement.askOne(revision, () => revision.deadlineMs, true);
}

type UnbudgetedVerdict = Omit<PairedVerdict, 'budgetMicros'>;

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
