// SPDX-License-Identifier: Apache-2.0
import type { ErrorCode } from '#crds/v1alpha1/error-codes';
import { GROUP } from '#crds/v1alpha1/names';
import type { Composition, Objection } from './compose.ts';
import type { PassedOver, PatchStep } from './mutate.ts';

/** One cause of a refusal, as `status.details.causes` has it. */
export interface Cause {
  readonly field?: string;
  readonly reason: string;
  readonly message: string;
}

/** The answer to a review, in the words that users meet. */
export interface Answer {
  readonly allowed: boolean;
  readonly code?: ErrorCode;
  /** HTTP status of a refusal. */
  readonly httpStatus?: number;
  readonly message?: string;
  readonly causes: readonly Cause[];
  readonly warnings: readonly string[];
  readonly auditAnnotations: Readonly<Record<string, string>>;
  readonly patch?: readonly PatchStep[];
  readonly retryAfterSeconds?: number;
}

/** What an answer tells besides what packs say. */
export interface AnswerContext {
  readonly snapshotDigest: string;
  /** `namespace/revision` of the packs that were asked. */
  readonly revisions: readonly string[];
  readonly millis: number;
  readonly patch?: readonly PatchStep[];
  readonly passedOver?: readonly PassedOver[];
}

/** Findings that a refusal names; the rest are counted. */
export const MAX_NAMED = 16;
/** Bytes of a refusal's message. */
export const MAX_REFUSAL_BYTES = 4096;
/** Characters that the API server lets a warning have before it cuts it, and all warnings of a request together. */
export const MAX_WARNING = 256;
export const MAX_WARNINGS = 4096;
const MAX_ANNOTATION_BYTES = 1024;
const ASK_ROOM = 300;

/** What packs together say, as an answer to the API server. */
export function answerOf(composition: Composition, context: AnswerContext): Answer {
  const { allowed, denials } = composition;
  const said = {
    warnings: warningsOf(composition, context.passedOver ?? []),
    auditAnnotations: annotationsOf(composition, context),
  };
  if (!allowed) return { allowed, ...refusalOf(denials), ...said };
  const { patch = [] } = context;
  return { allowed, causes: [], ...said, ...(patch.length > 0 && { patch }) };
}

/** A refusal that is not of a pack: what cannot be judged now. Whoever asks again later may be let through. */
export function unavailable(message: string, snapshotDigest: string): Answer {
  return {
    allowed: false,
    code: 'dependency_unavailable',
    httpStatus: 503,
    message: `dependency_unavailable: ${message}`,
    causes: [],
    warnings: [],
    auditAnnotations: { [annotation('snapshot')]: snapshotDigest },
    retryAfterSeconds: 1,
  };
}

/** An answer that lets through what no pack is asked about. */
export function nothingToSay(snapshotDigest: string): Answer {
  return {
    allowed: true,
    causes: [],
    warnings: [],
    auditAnnotations: { [annotation('snapshot')]: snapshotDigest },
  };
}

function refusalOf(
  denials: readonly Objection[],
): Pick<Answer, 'code' | 'httpStatus' | 'message' | 'causes'> {
  const named = denials.slice(0, MAX_NAMED);
  const code = denials.every((one) => one.code === 'policy_redacted') ? 'policy_redacted' : 'policy_blocked';
  return { code, httpStatus: 403, message: refusalText(denials), causes: named.map(causeOf) };
}

/** As many findings as fit, whole; then how many more there are, and whom to ask. */
function refusalText(denials: readonly Objection[]): string {
  const ask = askText(denials);
  let text = '';
  let told = 0;
  for (const one of denials.slice(0, MAX_NAMED)) {
    const line = `${text === '' ? '' : '; '}${objectionText(one)}`;
    if (bytesOf(text) + bytesOf(line) > MAX_REFUSAL_BYTES - ASK_ROOM) break;
    text += line;
    told += 1;
  }
  const more = denials.length - told;
  const rest = more === 0 ? '' : `; and ${more} more`;
  return cutBytes(`${text}${rest}. ${ask}`, MAX_REFUSAL_BYTES);
}

/** One finding, in the words that users meet everywhere: `policy_blocked: baseline 1.2.0, rule hostpath: no host paths`. */
export function objectionText({ pack, code, rule, message, field }: Objection): string {
  const name = `${pack.pack.namespace}/${pack.pack.name} ${pack.version}`;
  const at = field === undefined || field === '' ? '' : ` (at ${oneLine(field)})`;
  const by = rule === '' ? '' : `, rule ${oneLine(rule)}`;
  return `${code}: ${name}${by}: ${oneLine(message)}${at}`;
}

function askText(denials: readonly Objection[]): string {
  const contacts = [...new Set(denials.map(({ pack }) => contactOf(pack)))].slice(0, 3);
  return `To get on: change what is named, or ask ${contacts.join(', ')}`.slice(0, ASK_ROOM - 30);
}

function contactOf({ contact, trust, pack }: Objection['pack']): string {
  if (contact !== undefined && contact !== '') return oneLine(contact);
  return trust === 'Platform' ? 'your platform team' : `who keeps PolicyPack ${pack.namespace}/${pack.name}`;
}

function causeOf({ rule, message, field, pack }: Objection): Cause {
  return {
    ...(field !== undefined && field !== '' && { field: oneLine(field) }),
    reason: oneLine(`${pack.pack.namespace}/${pack.pack.name}:${rule}`),
    message: oneLine(message),
  };
}

function warningsOf(composition: Composition, passedOver: readonly PassedOver[]): readonly string[] {
  const { warnings, lifted } = composition;
  const all = [
    ...warnings.map((one) => objectionText(one).replace(/^\w+: /, '')),
    ...lifted.map(
      ({ objection, exemption }) =>
        `exempt until ${exemption.expiresAt} (${exemption.name}, ${exemption.ticket}): ${objectionText(objection).replace(/^\w+: /, '')}`,
    ),
    ...passedOver.map(({ path, by, why }) => `${by} does not fill in ${path}: ${why}`),
  ];
  const told: string[] = [];
  let room = MAX_WARNINGS;
  for (const one of all.map((text) => cutText(oneLine(text), MAX_WARNING))) {
    room -= bytesOf(one);
    // Room for the count itself.
    if (room < 64) break;
    told.push(one);
  }
  const more = all.length - told.length;
  return more === 0 ? told : [...told, `and ${more} more warnings of policy`];
}

function annotation(name: string): string {
  return `policy.${GROUP}/${name}`;
}

/** What the API server's audit log keeps of a decision: by what it was made, and what did not count. */
function annotationsOf(
  { lifted, noted, denials }: Composition,
  context: AnswerContext,
): Readonly<Record<string, string>> {
  const texts: Readonly<Record<string, string>> = {
    snapshot: context.snapshotDigest,
    revisions: context.revisions.join(','),
    'duration-ms': context.millis.toFixed(1),
    denials: denials.map(nameOf).join(','),
    'dry-run': noted.map(nameOf).join(','),
    exemptions: lifted.map(({ objection, exemption }) => `${exemption.name}:${nameOf(objection)}`).join(','),
    redacted: (context.patch ?? [])
      .filter(({ op }) => op === 'replace')
      .map(({ path }) => path)
      .join(','),
  };
  const present = Object.entries(texts).filter(([, text]) => text !== '');
  return Object.fromEntries(
    present.map(([name, text]) => [annotation(name), cutBytes(oneLine(text), MAX_ANNOTATION_BYTES)]),
  );
}

function nameOf({ pack, rule }: Objection): string {
  return `${pack.pack.namespace}/${pack.pack.name}:${rule}`;
}

/** Packs are written by others: what they say cannot pass for another line of a log or a terminal. */
function oneLine(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, ' ');
}

function bytesOf(text: string): number {
  return Buffer.byteLength(text);
}

function cutText(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1).toWellFormed()}…`;
}

/** Cut between characters, never within one. */
function cutBytes(text: string, max: number): string {
  if (bytesOf(text) <= max) return text;
  const cut = new TextDecoder().decode(Buffer.from(text).subarray(0, max - 6));
  return `${cut.replace(/\uFFFD$/, '')}…`;
}
