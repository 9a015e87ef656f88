// SPDX-License-Identifier: Apache-2.0
import type { ErrorCode } from '#crds/v1alpha1/error-codes';
import { type Exemption, exempts, type PackRef } from './exemption.ts';
import type { RequestFacts } from './facts.ts';
import type { Trust } from './mutate.ts';
import { DLP_ACTIONS, type DlpAction, type Limits, type PackAnswer } from './outputs.ts';
import type { Review } from './review.ts';

/** What a finding of a pack comes to. */
export type Enforcement = 'Deny' | 'Warn' | 'DryRun';

/** A revision of a pack, as far as its answers are judged by it. */
export interface JudgingPack {
  readonly pack: PackRef;
  readonly revision: string;
  readonly version: string;
  readonly trust: Trust;
  readonly enforcement: Enforcement;
  /** Whether it has rules on who may do what: of a platform pack, nothing said is then a no. */
  readonly judgesAccess: boolean;
  /** Whom to ask about it. */
  readonly contact?: string | undefined;
}

/** What came of the evaluation of one pack. */
export type PackResult =
  | { readonly kind: 'answer'; readonly answer: PackAnswer }
  | { readonly kind: 'failed'; readonly reason: string; readonly message: string };

/** A pack, and what came of it. */
export interface PackOutcome {
  readonly pack: JudgingPack;
  readonly result: PackResult;
}

/** What a pack says against a request. */
export interface Objection {
  readonly pack: JudgingPack;
  readonly code: Extract<ErrorCode, 'policy_blocked' | 'policy_redacted'>;
  readonly rule: string;
  readonly message: string;
  readonly field?: string | undefined;
  /** Whether the pack did not find something, but could not be asked. */
  readonly isFailure?: boolean;
}

/** What goes with a request that is let through. Only what packs with enforcement Deny ask for. */
export interface Obligations {
  /** Regions that all packs allow; absent where none speaks of them. */
  readonly regions?: readonly string[];
  /** The strictest action by detector. */
  readonly dlp: Readonly<Record<string, DlpAction>>;
  readonly disclosures: readonly string[];
  readonly limits: Limits;
  /** JSON pointers of what no log shows. */
  readonly masks: readonly string[];
}

/** What all packs together say. */
export interface Composition {
  readonly allowed: boolean;
  readonly denials: readonly Objection[];
  readonly warnings: readonly Objection[];
  /** What is noted and nothing else: findings of packs and constraints that are tried out. */
  readonly noted: readonly Objection[];
  /** Denials that do not count, and the exemption that lifts each. */
  readonly lifted: readonly { readonly objection: Objection; readonly exemption: Exemption }[];
  readonly obligations: Obligations;
}

/** What outcomes are composed for. */
export interface CompositionContext {
  readonly review: Review;
  readonly facts: RequestFacts;
  readonly exemptions: readonly Exemption[];
  readonly now: Date;
}

type Severity = 'deny' | 'warn' | 'note';
type Graded = { readonly severity: Severity; readonly objection: Objection };

/**
 * Composes what packs say by operators that only ever restrict: whatever a further pack answers, no more is allowed than
 * without it. So no pack of a tenant undoes one of the platform, and no order matters.
 */
export function compose(outcomes: readonly PackOutcome[], context: CompositionContext): Composition {
  const obliging = outcomes.filter(({ pack }) => pack.enforcement === 'Deny');
  const graded = [...outcomes.flatMap(gradedOf), ...regionConflict(obliging)];
  const denied = graded.filter(({ severity }) => severity === 'deny').map(({ objection }) => objection);
  const judged = denied.map((objection) => ({ objection, exemption: liftedBy(objection, context) }));
  const denials = judged.filter(({ exemption }) => exemption === undefined).map(({ objection }) => objection);
  const of = (severity: Severity) =>
    graded.filter((one) => one.severity === severity).map(({ objection }) => objection);
  return {
    allowed: denials.length === 0,
    denials,
    warnings: of('warn'),
    noted: of('note'),
    lifted: judged.flatMap(({ objection, exemption }) =>
      exemption === undefined ? [] : [{ objection, exemption }],
    ),
    obligations: obligationsOf(obliging.flatMap(answersOf)),
  };
}

function liftedBy(objection: Objection, context: CompositionContext): Exemption | undefined {
  const { review, facts, exemptions, now } = context;
  const claim = { review, tenant: facts.tenant, pack: objection.pack.pack, rule: objection.rule };
  return exemptions.find((one) => exempts(one, claim, now));
}

/** What one pack says, as grave as its enforcement lets it be. */
function gradedOf({ pack, result }: PackOutcome): readonly Graded[] {
  const found = result.kind === 'answer' ? ofAnswer(pack, result.answer) : [ofFailure(pack, result)];
  return found.map(({ severity, objection }) => ({
    severity: soften(severity, pack.enforcement),
    objection,
  }));
}

function soften(severity: Severity, enforcement: Enforcement): Severity {
  if (enforcement === 'DryRun') return 'note';
  return enforcement === 'Warn' && severity === 'deny' ? 'warn' : severity;
}

function ofFailure(pack: JudgingPack, result: { readonly reason: string; readonly message: string }): Graded {
  const message = `cannot be evaluated (${result.reason}: ${result.message}), and what cannot be judged is not let through`;
  const objection = { pack, code: 'policy_blocked', rule: 'evaluation', message, isFailure: true } as const;
  return { severity: 'deny', objection };
}

const GRADES = { deny: 'deny', warn: 'warn', dryrun: 'note' } as const;

function ofAnswer(pack: JudgingPack, answer: PackAnswer): readonly Graded[] {
  const as = (severity: Severity, found: { rule: string; message: string; field?: string }): Graded => ({
    severity,
    objection: { pack, code: 'policy_blocked', ...found },
  });
  return [
    ...answer.deny.map((one) => as('deny', one)),
    ...answer.violation.map(({ action, ...one }) => as(GRADES[action], one)),
    ...(isAccessRefused(pack, answer) ? [as('deny', ACCESS)] : []),
    ...dlpOf(pack, answer),
    ...answer.warn.map((one) => as('warn', one)),
  ];
}

const ACCESS = { rule: 'abac', message: 'nothing in its rules on access allows this' } as const;

/** Of the platform, access that nothing allows is refused; a tenant's pack that says nothing has no say in it. */
function isAccessRefused(pack: JudgingPack, { allow }: PackAnswer): boolean {
  if (typeof allow === 'boolean') return !allow;
  return pack.trust === 'Platform' && (pack.judgesAccess || allow === null);
}

/** What was to be redacted and is still there is refused: to let it through with a note would not be what was asked for. */
function dlpOf(pack: JudgingPack, { dlp }: PackAnswer): readonly Graded[] {
  return dlp.flatMap(({ action, detector, message, path }): Graded[] => {
    if (action === 'allow') return [];
    const code = action === 'redact' ? 'policy_redacted' : 'policy_blocked';
    const objection = { pack, code, rule: `dlp/${detector}`, message, field: path } as const;
    return [{ severity: action === 'log' ? 'note' : 'deny', objection }];
  });
}

/** That no region is left is told of the pack that left none. */
function regionConflict(obliging: readonly PackOutcome[]): readonly Graded[] {
  let left: readonly string[] | undefined;
  for (const { pack, result } of obliging) {
    if (result.kind !== 'answer' || result.answer.regions === undefined) continue;
    const { regions } = result.answer;
    const found: readonly string[] = intersection(left, regions);
    if (found.length === 0) {
      const message =
        left === undefined
          ? 'it allows no region'
          : `it allows none of ${left.join(', ')}, which others allow`;
      return [{ severity: 'deny', objection: { pack, code: 'policy_blocked', rule: 'residency', message } }];
    }
    left = found;
  }
  return [];
}

function answersOf({ result }: PackOutcome): readonly PackAnswer[] {
  return result.kind === 'answer' ? [result.answer] : [];
}

/** Intersection, maximum, union and minimum: each only ever restricts. */
function obligationsOf(answers: readonly PackAnswer[]): Obligations {
  const [first, ...others] = answers.flatMap(({ regions }) => (regions === undefined ? [] : [regions]));
  const left = first === undefined ? undefined : others.reduce(intersection, first);
  return {
    ...(left !== undefined && { regions: [...new Set(left)].toSorted() }),
    dlp: strictest(answers.flatMap(({ dlp }) => dlp)),
    disclosures: union(answers.map((one) => one.disclosures)),
    limits: lowest(answers.map((one) => one.limits)),
    masks: union(answers.map((one) => one.masks)),
  };
}

/** What is in both; all of `more` where there is nothing yet. */
function intersection(left: readonly string[] | undefined, more: readonly string[]): readonly string[] {
  return left === undefined ? more : left.filter((one) => more.includes(one));
}

function strictest(matches: PackAnswer['dlp']): Readonly<Record<string, DlpAction>> {
  const found = new Map<string, DlpAction>();
  for (const { detector, action } of matches) {
    const known = found.get(detector) ?? 'allow';
    found.set(detector, DLP_ACTIONS.indexOf(action) > DLP_ACTIONS.indexOf(known) ? action : known);
  }
  return Object.fromEntries([...found].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function union(lists: readonly (readonly string[])[]): readonly string[] {
  return [...new Set(lists.flat())].toSorted();
}

function lowest(all: readonly Limits[]): Limits {
  const limits: { -readonly [Key in keyof Limits]: Limits[Key] } = {};
  for (const one of all) {
    for (const key of ['tokens', 'cost', 'seconds'] as const) {
      const value = one[key];
      if (value !== undefined) limits[key] = Math.min(limits[key] ?? value, value);
    }
  }
  return limits;
}
