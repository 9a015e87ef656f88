// SPDX-License-Identifier: Apache-2.0
import { isAbove, isWithin, type Tally } from './evidence.ts';

/** What became of the requests that a candidate was compared on: each was given to it and to the active revision (or to no policy). */
export interface PairCounts {
  readonly bothDenied: number;
  readonly bothAllowed: number;
  readonly newlyDenied: number;
  readonly newlyAllowed: number;
  /** The candidate gave no answer, other than by its deadline. */
  readonly errors: number;
  /** The candidate was stopped at its deadline. */
  readonly timeouts: number;
  /** Answers of the candidate that took longer than its budget. */
  readonly slow: number;
  /** Denials of what no policy may deny: system objects and our own. */
  readonly protectedDenied: number;
}

/** Rates, from 0 to 1, that a candidate may come to. */
export interface PairBounds {
  /** Of what is compared: denied by the candidate, not by the active revision. */
  readonly newlyDenied: number;
  /** Of what the active revision denies: allowed by the candidate. */
  readonly newlyAllowed: number;
  /** Of all evaluations: without an answer. */
  readonly failed: number;
}

/** What a candidate is undone for. */
export const FAULTS = [
  'ProtectedDenied',
  'TimedOut',
  'Failing',
  'Slow',
  'NewlyDenied',
  'NewlyAllowed',
] as const;
/** One of them. */
export type FaultKind = (typeof FAULTS)[number];

/** A fault, with what shows it. */
export interface PairFault {
  readonly kind: FaultKind;
  readonly tally: Tally;
  /** The rate that was allowed. */
  readonly bound: number;
}

/** How likely it is at most that a candidate that keeps all its bounds is ever undone by chance. */
export const FALSE_ALARM = 0.01;
/** Shared by the four rates that are tested. */
const ALPHA = FALSE_ALARM / 4;
/** A 95th percentile above a budget is more than every twentieth above it. */
const SLOW_RATE = 0.05;
/** From how many on, without statistics. One deadline may be the machine's; those that the watchdog quarantines for are as many. */
const CERTAIN: Readonly<Record<FaultKind, number>> = {
  ProtectedDenied: 1,
  TimedOut: 3,
  Failing: Infinity,
  Slow: Infinity,
  NewlyDenied: Infinity,
  NewlyAllowed: Infinity,
};

/** Nothing was compared yet. */
export const NO_COUNTS: PairCounts = {
  bothDenied: 0,
  bothAllowed: 0,
  newlyDenied: 0,
  newlyAllowed: 0,
  errors: 0,
  timeouts: 0,
  slow: 0,
  protectedDenied: 0,
};

/** Counts of several replicas as one: what is made of them does not depend on the order in which they came. */
export function addCounts(all: readonly PairCounts[]): PairCounts {
  return all.reduce(
    (sum, one) => ({
      bothDenied: sum.bothDenied + one.bothDenied,
      bothAllowed: sum.bothAllowed + one.bothAllowed,
      newlyDenied: sum.newlyDenied + one.newlyDenied,
      newlyAllowed: sum.newlyAllowed + one.newlyAllowed,
      errors: sum.errors + one.errors,
      timeouts: sum.timeouts + one.timeouts,
      slow: sum.slow + one.slow,
      protectedDenied: sum.protectedDenied + one.protectedDenied,
    }),
    NO_COUNTS,
  );
}

/** Counts without some of them. */
export function withoutCounts(all: PairCounts, some: PairCounts): PairCounts {
  const left = (key: keyof PairCounts) => Math.max(0, all[key] - some[key]);
  return {
    bothDenied: left('bothDenied'),
    bothAllowed: left('bothAllowed'),
    newlyDenied: left('newlyDenied'),
    newlyAllowed: left('newlyAllowed'),
    errors: left('errors'),
    timeouts: left('timeouts'),
    slow: left('slow'),
    protectedDenied: left('protectedDenied'),
  };
}

/** On how many requests both gave an answer. */
export function comparedOf(counts: PairCounts): number {
  return counts.bothDenied + counts.bothAllowed + counts.newlyDenied + counts.newlyAllowed;
}

/** How often the candidate was asked. */
function askedOf(counts: PairCounts): number {
  return comparedOf(counts) + counts.errors + counts.timeouts;
}

/**
 * The faults that are shown. That of a protected subject needs no statistics, and neither do deadlines that are
 * missed again and again. The rates are tested at any moment, as often as one likes, with `FALSE_ALARM` for all together.
 *
 * A candidate that newly denies 30 % where 5 % are allowed is found within 70 requests in 99 of 100 cases (comparison.test.ts).
 */
export function faultsOf(counts: PairCounts, bounds: PairBounds): readonly PairFault[] {
  const asked = askedOf(counts);
  const { protectedDenied, timeouts } = counts;
  const certain: readonly PairFault[] = [
    { kind: 'ProtectedDenied', tally: { seen: protectedDenied, of: asked }, bound: 0 },
    { kind: 'TimedOut', tally: { seen: timeouts, of: asked }, bound: 0 },
  ];
  const shown = ratesOf(counts, bounds).filter(({ tally, bound }) => isAbove(tally, bound, ALPHA));
  return [...certain.filter(({ kind, tally }) => tally.seen >= CERTAIN[kind]), ...shown];
}

/** The rates that are above their bound so far, though that is not shown yet: nobody is promoted on these. */
export function doubtsOf(counts: PairCounts, bounds: PairBounds): readonly PairFault[] {
  return ratesOf(counts, bounds).filter(({ tally, bound }) => !isWithin(tally, bound));
}

function ratesOf(counts: PairCounts, bounds: PairBounds): readonly PairFault[] {
  const asked = askedOf(counts);
  const compared = comparedOf(counts);
  const denied = counts.bothDenied + counts.newlyAllowed;
  return [
    { kind: 'Failing', tally: { seen: counts.errors + counts.timeouts, of: asked }, bound: bounds.failed },
    { kind: 'Slow', tally: { seen: counts.slow, of: asked }, bound: SLOW_RATE },
    { kind: 'NewlyDenied', tally: { seen: counts.newlyDenied, of: compared }, bound: bounds.newlyDenied },
    { kind: 'NewlyAllowed', tally: { seen: counts.newlyAllowed, of: denied }, bound: bounds.newlyAllowed },
  ];
}

const WORDS: Readonly<Record<FaultKind, string>> = {
  ProtectedDenied: 'it denied what no policy may deny (system objects or our own)',
  TimedOut: 'it was stopped at its deadline',
  Failing: 'it gave no answer',
  Slow: 'it took longer than spec.rollout.latencyBudgetMs',
  NewlyDenied: 'it denied what is allowed so far',
  NewlyAllowed: 'it allowed what is denied so far',
};

/** A fault in words: what was seen, of how many, and what is allowed. */
export function faultWords({ kind, tally, bound }: PairFault): string {
  const of = kind === 'NewlyAllowed' ? `${tally.of} requests that are denied so far` : `${tally.of} requests`;
  return `${WORDS[kind]}: ${tally.seen} of ${of} (allowed: ${percentOf(bound)} %)`;
}

/** percentOf(0.055) -> "5.5" */
function percentOf(rate: number): string {
  return String(Number((rate * 100).toFixed(2)));
}
