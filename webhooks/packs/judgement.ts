// SPDX-License-Identifier: Apache-2.0
import type { PackResult } from '#operator/core/policy/compose';
import type { RequestFacts } from '#operator/core/policy/facts';
import { constraintsFor } from '#operator/core/policy/gatekeeper-constraints';
import { inputParts, type InputParts } from '#operator/core/policy/projection';
import type { Review } from '#operator/core/policy/review';
import type { StandIn } from '#operator/core/policy/selection';
import type { Snapshot, SnapshotRevision } from '#operator/core/policy/snapshot';
import { askPack, type Evaluate } from '#operator/policy/packs/ask';
import type { LoadedRevision } from '#operator/policy/packs/load';
import type { Trial } from '#operator/policy/workers/lines';
import { InputBytes } from './input-bytes.ts';

/** A revision that was asked, what that came to, and how long it took. */
export interface Judged {
  readonly revision: SnapshotRevision;
  readonly result: PackResult;
  readonly micros: number;
}

/** What a request is judged by. */
export interface Judgements {
  /** What decides. */
  readonly judged: readonly Judged[];
  /** Candidates that were to decide, and gave no answer: in their place is what is active. */
  readonly passedOver: readonly Judged[];
}

/** One request, and what it is judged with. */
export interface JudgementOptions {
  readonly snapshot: Snapshot;
  readonly review: Review;
  readonly facts: RequestFacts;
  readonly now: Date;
  /** What is left of the time of the request. */
  readonly leftMs: () => number;
  readonly loaded: ReadonlyMap<string, LoadedRevision>;
  readonly evaluate: Evaluate;
}

type StandIns = ReadonlyMap<string, StandIn | undefined>;

const NANOSECONDS = 1_000_000n;

/** One request before packs: each revision is asked at most once, with its own input, whoever wants to know. */
export class Judgement {
  readonly options: JudgementOptions;
  readonly #partsOf: ReturnType<typeof inputParts>;
  readonly #bytes = new InputBytes();

  constructor(options: JudgementOptions) {
    this.options = options;
    this.#partsOf = inputParts(options.review, options.facts, options.now);
  }

  /**
   * All at once: packs of the platform and of tenants have workers of their own, so none waits for the other. Those in `standIns` are
   * only tried: where one gives no answer, what is active is asked, so that nobody is refused because a new version breaks.
   */
  async ask(revisions: readonly SnapshotRevision[], standIns: StandIns = new Map()): Promise<Judgements> {
    const all = await Promise.all(revisions.map((one) => this.#decide(one, standIns)));
    return {
      judged: all.flatMap(({ judged }) => judged),
      passedOver: all.flatMap(({ passedOver }) => passedOver),
    };
  }

  async #decide(revision: SnapshotRevision, standIns: StandIns): Promise<Judgements> {
    const { leftMs } = this.options;
    if (!standIns.has(revision.key)) return { judged: [await this.askOne(revision, leftMs)], passedOver: [] };
    const tried = await this.askOne(revision, leftMs, 'cohort');
    const standIn = standIns.get(revision.key);
    if (tried.result.kind === 'answer' || standIn === undefined) return { judged: [tried], passedOver: [] };
    const { active } = standIn;
    const judged = active === undefined ? [] : [await this.askOne(active, leftMs)];
    return { judged, passedOver: [tried] };
  }

  /** Asks one. Never rejects: what goes wrong is what it comes to. */
  async askOne(revision: SnapshotRevision, leftMs: () => number, trial?: Trial): Promise<Judged> {
    const { loaded, evaluate, facts, now } = this.options;
    const tenant = revision.trust === 'Tenant' ? (facts.tenant?.name ?? '') : undefined;
    const { result, micros } = await askPack(evaluate, {
      revision,
      loaded: loaded.get(revision.key),
      input: () => this.#bytes.of(this.#input(revision)),
      nowNs: BigInt(now.getTime()) * NANOSECONDS,
      leftMs,
      tenant,
      trial,
      subject:
        trial === 'shadow'
          ? `shadow of ${revision.pack.namespace}/${revision.pack.name}`
          : facts.tenant?.name,
    });
    return { revision, result, micros };
  }

  #input({
    shape,
    trust,
    parameters,
    constraints,
    seesImages,
    mayChange: detects,
  }: SnapshotRevision): InputParts {
    const { review, facts } = this.options;
    if (constraints === undefined) return this.#partsOf({ shape, trust, parameters, detects, seesImages });
    const matching = constraintsFor(constraints, { review, namespace: facts.namespace, point: 'webhook' });
    const chosen = JSON.stringify(matching);
    return this.#partsOf({ shape, trust, parameters, detects, seesImages, constraints: chosen });
  }
}
