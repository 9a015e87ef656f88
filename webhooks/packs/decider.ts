// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import { type Composition, compose, type PackResult } from '#operator/core/policy/compose';
import { type Decision, decisionOf, nothingToSay, unavailable } from '#operator/core/policy/decision';
import { isNamespaceReview, type RequestFacts } from '#operator/core/policy/facts';
import {
  planDefaults,
  planRedactions,
  type WantedDefault,
  type WantedRedaction,
} from '#operator/core/policy/mutate';
import type { PackAnswer } from '#operator/core/policy/outputs';
import { readReview, type Review } from '#operator/core/policy/review';
import { factsOf, select, type Selection, type StandIn } from '#operator/core/policy/selection';
import { packKey, type Snapshot, type SnapshotRevision } from '#operator/core/policy/snapshot';
import type { Evaluate } from '#operator/policy/packs/ask';
import { clock } from '#operator/runtime/clock';
import type { DecisionContext, PolicyDecider } from '../policy.ts';
import { type AdmissionRequest, type Answer, refused } from '../review.ts';
import type { DecisionLog } from './decision-log.ts';
import type { Failures } from './failures.ts';
import { type Judged, Judgement, type Judgements } from './judgement.ts';
import type { PackMetrics } from './metrics.ts';
import type { PackHost } from './modules.ts';
import type { Shadow } from './shadow.ts';
import type { Snapshots, Standing } from './snapshots.ts';
import { Turns } from './turns.ts';

/** What decisions are made with. */
export interface PackDeciderOptions {
  readonly snapshots: Snapshots;
  readonly host: PackHost;
  readonly shadow: Shadow;
  readonly failures: Failures;
  readonly decisionLog: DecisionLog;
  readonly metrics: PackMetrics;
}

/** A namespace that was made just now is waited for, for so long: the watch is on its way. */
const NEWS_MS = 1000;
/** What the answer itself takes. */
const RESERVE_MS = 25;

/** Asks the packs of one snapshot about a request, and composes what they say. */
export class PackDecider implements PolicyDecider {
  readonly #options: PackDeciderOptions;
  readonly #turns = new Turns();

  constructor(options: PackDeciderOptions) {
    this.#options = options;
  }

  ready(): boolean {
    return this.#options.snapshots.isReady;
  }

  async decide(request: AdmissionRequest, context: DecisionContext): Promise<Answer> {
    const read = readReview(asSent(request));
    if (read.kind === 'refused') {
      const message = `${read.field}: found ${read.found}; what would pass is ${read.wanted}`;
      return refused({ code: 'invalid_request', message, field: read.field });
    }
    const startedAt = performance.now();
    const known = await this.#known(read.review, context);
    if (known.kind === 'unknown') {
      this.#options.metrics.decisions.inc({ outcome: 'unavailable' });
      return unavailable(known.why, this.#options.snapshots.current?.snapshot.digest ?? '');
    }
    return this.#decideBy(known.standing, read.review, { ...context, startedAt });
  }

  async #decideBy(
    { snapshot, loaded }: Standing,
    review: Review,
    context: DecisionContext & { readonly startedAt: number },
  ): Promise<Decision> {
    if (snapshot.packs.length === 0) return nothingToSay(snapshot.digest);
    const facts = factsOf(snapshot, review, LABELS.tenant);
    const selection = select(snapshot, review, facts);
    const deciding = selection.deciding.filter(({ mayChange }) => mayChange || !context.mutating);
    if (deciding.length === 0 && (context.mutating || selection.shadow.length === 0))
      return nothingToSay(snapshot.digest);
    const evaluate: Evaluate = (one) => this.#options.host.evaluate(one);
    const now = clock.now();
    const leftMs = () => context.deadlineAt - RESERVE_MS - performance.now();
    const judgement = new Judgement({
      snapshot,
      review,
      facts,
      now,
      leftMs,
      loaded,
      evaluate,
    });
    const subject = facts.tenant?.name ?? '';
    await this.#turns.take(subject, context.signal);
    // No pack would answer any more, and none is to blame.
    if (isOver(context, leftMs)) return this.#tooLate(snapshot);
    const { judged, passedOver } = await judgement.ask(deciding, standInsFor(selection, context));
    await this.#turns.take(subject, context.signal);
    for (const { revision, result } of [...judged, ...passedOver])
      this.#options.failures.note(revision.key, result);
    this.#options.metrics.passedOver.inc({}, passedOver.length);
    const millis = performance.now() - context.startedAt;
    const asked = { judged, passedOver, judgement, millis };
    return context.mutating
      ? this.#changes(snapshot, review, asked)
      : this.#verdict(snapshot, { review, facts, selection, now }, asked);
  }

  #tooLate({ digest }: Snapshot): Decision {
    this.#options.metrics.decisions.inc({ outcome: 'unavailable' });
    return unavailable('the time of the request was over before it was judged; try again', digest);
  }

  /** What packs fill in and take out. Nothing is refused here: what is refused is refused when the object is whole. */
  #changes(snapshot: Snapshot, review: Review, { judged, millis }: Asked): Decision {
    const object = review.object ?? {};
    const redactions = planRedactions(object, judged.flatMap(redactedPaths));
    const defaults = planDefaults(object, judged.flatMap(wantedDefaults));
    return decisionOf(NOTHING_FOUND, {
      snapshotDigest: snapshot.digest,
      revisions: judged.map(({ revision }) => revision.key),
      millis,
      patch: [...redactions, ...defaults.patch],
      passedOver: defaults.passedOver,
    });
  }

  #verdict(
    snapshot: Snapshot,
    asked: {
      readonly review: Review;
      readonly facts: RequestFacts;
      readonly selection: Selection;
      readonly now: Date;
    },
    { judged, passedOver, judgement, millis }: Asked,
  ): Decision {
    const { review, facts, selection, now } = asked;
    const { shadow, decisionLog, metrics } = this.#options;
    const outcomes = judged.map(({ revision, result }) => ({ pack: revision, result }));
    const composition = compose(outcomes, { review, facts, exemptions: snapshot.exemptions, now });
    const revisions = judged.map(({ revision }) => revision.key);
    const decision = decisionOf(composition, { snapshotDigest: snapshot.digest, revisions, millis });
    metrics.decisions.inc({ outcome: outcomeOf(composition) });
    if (!review.dryRun || !decision.allowed)
      decisionLog.offer({ review, facts, snapshot, judged, composition, decision, now, millis });
    // Dry runs cost nobody anything: whoever wants a revision undone could make as many as that takes.
    if (!review.dryRun) shadow.offer(selection, { judgement, judged: [...judged, ...passedOver] });
    return decision;
  }

  /** The snapshot, once it knows where the request is: what is not known yet must not be taken for what no pack is about. */
  async #known(
    review: Review,
    { deadlineAt, signal }: DecisionContext,
  ): Promise<
    | { readonly kind: 'known'; readonly standing: Standing }
    | { readonly kind: 'unknown'; readonly why: string }
  > {
    const { snapshots } = this.#options;
    const until = Math.min(performance.now() + NEWS_MS, deadlineAt - RESERVE_MS);
    for (;;) {
      const standing = snapshots.current;
      const why =
        standing === undefined ? 'the packs are not loaded yet' : whatIsUnknown(standing.snapshot, review);
      if (standing !== undefined && why === undefined) return { kind: 'known', standing };
      const leftMs = until - performance.now();
      if (leftMs <= 0 || signal.aborted) return { kind: 'unknown', why: why ?? '' };
      await snapshots.next(leftMs);
    }
  }
}

interface Asked extends Judgements {
  readonly judgement: Judgement;
  readonly millis: number;
}

const NOTHING_FOUND: Composition = {
  allowed: true,
  denials: [],
  warnings: [],
  noted: [],
  lifted: [],
  obligations: { dlp: {}, disclosures: [], limits: {}, masks: [] },
};

/** A deletion is not held up: a namespace that goes takes its tenant with it. */
function whatIsUnknown(snapshot: Snapshot, review: Review): string | undefined {
  const { namespace } = review;
  if (snapshot.packs.length === 0 || namespace === '' || isNamespaceReview(review)) return undefined;
  if (review.operation === 'DELETE') return undefined;
  const known = snapshot.namespaces.get(namespace);
  if (known === undefined) return `namespace ${namespace} is not known yet; try again`;
  const tenant = known.labels[LABELS.tenant];
  if (tenant === undefined || snapshot.tenants.has(tenant)) return undefined;
  return `tenant ${tenant} of namespace ${namespace} is not known yet; try again`;
}

function isOver({ signal }: Pick<DecisionContext, 'signal'>, leftMs: () => number): boolean {
  return signal.aborted || leftMs() < 1;
}

/** While an object is being made, only what may change it is asked: that holds for what is active, too. */
function standInsFor(
  { standIns }: Selection,
  { mutating }: Pick<DecisionContext, 'mutating'>,
): Selection['standIns'] {
  return mutating ? new Map([...standIns].map(([key, one]) => [key, thatMayChange(one)])) : standIns;
}

function thatMayChange(one: StandIn | undefined): StandIn | undefined {
  return one?.active?.mayChange === false ? { active: undefined } : one;
}

/** As the API server sent it: an object under a generated name has none yet. */
function asSent(request: AdmissionRequest): unknown {
  const { object } = request;
  if (object === null || object.metadata.name !== '') return request;
  const { name: _, ...metadata } = object.metadata;
  return { ...request, object: { ...object, metadata } };
}

function answersOf({ revision, result }: Judged): readonly PackAnswer[] {
  return isEnforced(revision, result) ? [result.answer] : [];
}

/** Only packs that deny change what is made: those that warn, or are tried out, have no effect. */
function isEnforced(
  { enforcement }: SnapshotRevision,
  result: PackResult,
): result is Extract<PackResult, { kind: 'answer' }> {
  return enforcement === 'Deny' && result.kind === 'answer';
}

function redactedPaths(judged: Judged): readonly WantedRedaction[] {
  const { trust } = judged.revision;
  return answersOf(judged).flatMap(({ dlp }) =>
    dlp.filter(({ action }) => action === 'redact').map(({ path }) => ({ path, trust })),
  );
}

function wantedDefaults(judged: Judged): readonly WantedDefault[] {
  const { pack, trust } = judged.revision;
  return answersOf(judged).flatMap(({ mutate }) =>
    mutate.map((one) => ({ ...one, trust, by: packKey(pack) })),
  );
}

function outcomeOf({ allowed, warnings }: Composition): 'allowed' | 'warned' | 'refused' {
  if (!allowed) return 'refused';
  return warnings.length > 0 ? 'warned' : 'allowed';
}
