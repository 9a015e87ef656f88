// SPDX-License-Identifier: Apache-2.0
import type { Composition, Objection } from '#operator/core/policy/compose';
import type { Decision } from '#operator/core/policy/decision';
import type { RequestFacts } from '#operator/core/policy/facts';
import { imageInputs } from '#operator/core/policy/image-input';
import { projectionOf } from '#operator/core/policy/projection';
import type { JsonObject, Review } from '#operator/core/policy/review';
import { packKey, type Snapshot } from '#operator/core/policy/snapshot';
import type { Judged } from './judgement.ts';
import { maskPointers, maskValue, type Masking } from './mask.ts';

/** A decision, and all that it was made of. */
export interface Decided {
  readonly review: Review;
  readonly facts: RequestFacts;
  readonly snapshot: Pick<Snapshot, 'digest'>;
  readonly judged: readonly Judged[];
  readonly composition: Composition;
  readonly decision: Pick<Decision, 'allowed'>;
  readonly now: Date;
  readonly millis: number;
}

/** Bytes of one event. What is larger is written without its input. */
export const MAX_EVENT_BYTES = 64 * 1024;
const PATH = 'nexusos/admission';
/** Objections of one kind that an event tells. */
const MAX_TOLD = 64;
/** Of a Run, what users give it: no log shows it. */
const RUN_INPUT = ['/spec/input'];
const CONFIG_DATA = ['/data', '/binaryData'];

/** How a line is written. */
export interface LineOptions {
  readonly labels: JsonObject;
  /** Without its input, which is most of it. */
  readonly isShort?: boolean;
}

/** The event of a decision as one line of JSON, by the names that OPA has for its parts, so that what reads those reads ours. */
export function decisionLine(decided: Decided, { labels, isShort = false }: LineOptions): string {
  if (isShort)
    return shortLine(
      decided,
      eventOf(decided, labels, () => ({})),
    );
  const event = eventOf(decided, labels, inputOf);
  const line = JSON.stringify(event);
  return Buffer.byteLength(line) <= MAX_EVENT_BYTES ? line : shortLine(decided, event);
}

function shortLine(decided: Decided, event: ReturnType<typeof eventOf>): string {
  const { input: _, ...rest } = event;
  const short = JSON.stringify({ ...rest, masked: [], erased: ['/input'] });
  if (Buffer.byteLength(short) <= MAX_EVENT_BYTES) return short;
  const { allowed } = decided.decision;
  return JSON.stringify({
    ...rest,
    masked: [],
    result: { allowed },
    bundles: {},
    erased: ['/input', '/result'],
  });
}

function eventOf(decided: Decided, labels: JsonObject, inputWanted: typeof inputOf) {
  const { review, snapshot, composition, now, millis, judged } = decided;
  const noted: Masking = { erased: [], masked: [] };
  const erase = new Set(
    [
      ['input', 'review', 'object'],
      ['input', 'review', 'oldObject'],
    ].flatMap((path) => [...maskPointers([...composition.obligations.masks, ...privateParts(review)], path)]),
  );
  const mask = (value: unknown, name: string) => maskValue(value, { at: [name], erase, noted });
  const input = mask(inputWanted(decided), 'input');
  const result = mask(resultOf(decided), 'result');
  return {
    type: 'openpolicyagent.org/decision_logs',
    labels,
    decision_id: review.uid,
    req_id: review.uid,
    path: PATH,
    bundles: Object.fromEntries(
      judged.map(({ revision }) => [packKey(revision.pack), { revision: revision.revision }]),
    ),
    snapshot: snapshot.digest,
    requested_by: review.userInfo.username,
    timestamp: now.toISOString(),
    input,
    result,
    metrics: {
      timer_server_handler_ns: Math.round(millis * 1e6),
      timer_rego_query_eval_ns: judged.reduce((sum, { micros }) => sum + micros * 1000, 0),
    },
    ...noted,
  };
}

/** As packs of tenants see it: without values of Secrets, and without what may be a credential. */
function inputOf(decided: Decided): JsonObject {
  const { review, facts } = decided;
  const tenant = facts.tenant?.name ?? null;
  return { review: projectionOf(review, 'Tenant'), tenant, ...imagesSeen(decided) };
}

/** What was known of images, where a pack that judged was told: the same as it was told then. */
function imagesSeen({ review, facts, judged, now }: Decided): JsonObject {
  if (!judged.some(({ revision }) => revision.seesImages === true)) return {};
  return { images: imageInputs(review, facts.images, now) };
}

function resultOf({ decision, composition }: Decided) {
  const { denials, warnings, noted, lifted } = composition;
  return {
    allowed: decision.allowed,
    deny: told(denials),
    warn: told(warnings),
    dry_run: told(noted),
    exempt: lifted
      .slice(0, MAX_TOLD)
      .map(({ objection, exemption }) => ({ ...tellOne(objection), exemption: exemption.name })),
  };
}

function told(objections: readonly Objection[]) {
  return objections.slice(0, MAX_TOLD).map(tellOne);
}

function tellOne({ pack, rule, message, field }: Objection) {
  return { pack: packKey(pack.pack), rule, msg: message, ...(field !== undefined && { field }) };
}

function privateParts({ kind }: Review): readonly string[] {
  if (kind.kind === 'Run') return RUN_INPUT;
  return kind.kind === 'ConfigMap' ? CONFIG_DATA : [];
}
