// SPDX-License-Identifier: Apache-2.0
import type { ErrorCode } from '#crds/v1alpha1/error-codes';
import type { Composition, Objection } from './compose.ts';
import type { PassedOver, PatchStep } from './mutate.ts';

/** One reason why a request may not pass. */
export interface Refusal {
  readonly code: ErrorCode;
  /** What is wrong, after the code. */
  readonly message: string;
  readonly field?: string;
}

/** The answer to a review, in the words that users meet. */
export interface Decision {
  readonly allowed: boolean;
  readonly refusals: readonly Refusal[];
  readonly warnings: readonly string[];
  /** For the audit log of the API server, each key without a prefix. */
  readonly auditAnnotations: Readonly<Record<string, string>>;
  readonly patch?: readonly PatchStep[];
}

/** What a decision tells besides what packs say. */
export interface DecisionContext {
  readonly snapshotDigest: string;
  /** `namespace/revision` of the packs that were asked. */
  readonly revisions: readonly string[];
  readonly millis: number;
  readonly patch?: readonly PatchStep[];
  readonly passedOver?: readonly PassedOver[];
}

const MAX_ANNOTATION = 1024;
const MAX_FIELD = 512;

/** What packs together say, as an answer to the API server. */
export function decisionOf(composition: Composition, context: DecisionContext): Decision {
  const { allowed, denials } = composition;
  const { patch = [] } = context;
  return {
    allowed,
    refusals: refusalsOf(denials),
    warnings: warningsOf(composition, context.passedOver ?? []),
    auditAnnotations: annotationsOf(composition, context),
    ...(allowed && patch.length > 0 && { patch }),
  };
}

/** A refusal that is not of a pack: what cannot be judged now. Whoever asks again later may be let through. */
export function unavailable(message: string, snapshotDigest: string): Decision {
  return {
    allowed: false,
    refusals: [{ code: 'dependency_unavailable', message }],
    warnings: [],
    auditAnnotations: { snapshot: snapshotDigest },
  };
}

/** An answer that lets through what no pack is asked about. */
export function nothingToSay(snapshotDigest: string): Decision {
  return { allowed: true, refusals: [], warnings: [], auditAnnotations: { snapshot: snapshotDigest } };
}

/** One for each finding; whom to ask is told with the first of each pack. */
function refusalsOf(denials: readonly Objection[]): readonly Refusal[] {
  const told = new Set<string>();
  return denials.map((one) => {
    const { namespace, name } = one.pack.pack;
    const key = `${namespace}/${name}`;
    const ask = told.has(key) ? '' : `; ask ${contactOf(one)}`;
    told.add(key);
    const field = oneLine(one.field ?? '').slice(0, MAX_FIELD);
    return { code: one.code, message: `${objectionText(one)}${ask}`, ...(field !== '' && { field }) };
  });
}

/** One finding, in the words that users meet everywhere: `nexusos/baseline 1.2.0, rule hostpath: no host paths`. */
export function objectionText({ pack, rule, message, field }: Objection): string {
  const name = `${pack.pack.namespace}/${pack.pack.name} ${pack.version}`;
  const at = field === undefined || field === '' ? '' : ` (at ${oneLine(field).slice(0, MAX_FIELD)})`;
  const by = rule === '' ? '' : `, rule ${oneLine(rule)}`;
  return `${name}${by}: ${oneLine(message)}${at}`;
}

function contactOf({ pack: { contact, trust, pack } }: Objection): string {
  if (contact !== undefined && contact !== '') return oneLine(contact);
  return trust === 'Platform' ? 'your platform team' : `who keeps the PolicyPack in ${pack.namespace}`;
}

function warningsOf(composition: Composition, passedOver: readonly PassedOver[]): readonly string[] {
  return [
    ...composition.warnings.map(objectionText),
    ...composition.lifted.map(
      ({ objection, exemption }) =>
        `exempt until ${exemption.expiresAt} by ${exemption.name} (${oneLine(exemption.ticket)}): ${objectionText(objection)}`,
    ),
    ...passedOver.map(({ path, by, why }) => `${by} does not fill in ${path}: ${why}`),
    // Who is refused has nothing to be told of what would have followed.
    ...(composition.allowed
      ? composition.obligations.disclosures.map((text) => `note: ${oneLine(text)}`)
      : []),
  ];
}

/** What the API server's audit log keeps of a decision: by what it was made, and what did not count. */
function annotationsOf(
  { lifted, noted, denials, obligations }: Composition,
  context: DecisionContext,
): Readonly<Record<string, string>> {
  const redacted = (context.patch ?? []).filter(({ op }) => op === 'replace');
  const texts: Readonly<Record<string, string>> = {
    snapshot: context.snapshotDigest,
    revisions: context.revisions.join(','),
    'duration-ms': context.millis.toFixed(1),
    denials: denials.map(nameOf).join(','),
    'dry-run': noted.map(nameOf).join(','),
    exemptions: lifted.map(({ objection, exemption }) => `${exemption.name}=${nameOf(objection)}`).join(','),
    redacted: redacted.map(({ path }) => path).join(','),
    regions: (obligations.regions ?? []).join(','),
    disclosures: obligations.disclosures.join('; '),
  };
  const present = Object.entries(texts).filter(([, text]) => text !== '');
  return Object.fromEntries(present.map(([name, text]) => [name, cut(oneLine(text), MAX_ANNOTATION)]));
}

function nameOf({ pack, rule }: Objection): string {
  return `${pack.pack.namespace}/${pack.pack.name}:${rule}`;
}

/** Packs are written by others: what they say cannot pass for another line of a log, nor turn round what is shown. */
function oneLine(text: string): string {
  return text.toWellFormed().replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu, ' ');
}

function cut(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1).toWellFormed()}…`;
}
