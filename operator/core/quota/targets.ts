// SPDX-License-Identifier: Apache-2.0
import { larger, smaller } from './amounts.ts';
import { MILLI } from './quantity.ts';

const MEBI = 1024n * 1024n * MILLI;
/** From this total on, bytes are dealt in mebibytes, so that figures stay readable. */
const GIBI = 1024n * MEBI;
/** A namespace lacks headroom when it has less free than its fair share divided by this. */
const HEADROOM_DIVISOR = 4n;

/**
 * Shares of the rest for a namespace with a demand. Refusals tell of one pod where twenty are to come, and who asks
 * again waits twice as long each time: so it gets most of what is free, not half of it and half of the half.
 */
const DEMAND_WEIGHT = 7n;

/** What one namespace has and needs of one key, in thousandths. */
export interface Needs {
  readonly used: bigint;
  /** What is about to start there. */
  readonly demanded: bigint;
  readonly granted: bigint;
  readonly isLeaving: boolean;
}

/** What each namespace should have of one key, in the order of the needs; never more than the total together. */
export interface Targets {
  readonly targets: readonly bigint[];
  readonly isOverCommitted: boolean;
}

/**
 * Where the grants of one key should go. Grants that are good enough stay as they are, so that a settled ledger is
 * silent: each covers what is used and demanded, everything is dealt out, and nobody is short of headroom. Else each
 * gets what it needs and a share of the rest. Example: total 12, used 6 and 0, no demand: 6+3 and 0+3.
 *
 * More in use than the total: each gets its part of the total in proportion to its use. That is below its use, so
 * nothing new starts there until enough has ended, and nothing is evicted.
 */
export function targetsOf(key: string, total: bigint, needs: readonly Needs[]): Targets {
  const unit = unitOf(key, total);
  const used = needs.reduce((sum, one) => sum + one.used, 0n);
  if (used > total) {
    const isAlone = needs.length === 1;
    const targets = needs.map((one) => (isAlone ? total : floorTo((total * one.used) / used, unit)));
    return { targets, isOverCommitted: true };
  }
  const needed = needs.map((one) => one.used + (one.isLeaving ? 0n : one.demanded));
  const slack = total - needed.reduce((sum, one) => sum + one, 0n);
  const shares = sharesOf(slack, needs, unit);
  if (isGoodEnough(total, needs, shares)) {
    return { targets: needs.map((one) => one.granted), isOverCommitted: false };
  }
  return { targets: needed.map((one, i) => one + (shares[i] ?? 0n)), isOverCommitted: false };
}

/**
 * Whole shares of `slack` for those who stay: one unit each if there are so many, and of the rest equal parts, but more
 * for who has a demand; what is left over goes to the first of these.
 */
function sharesOf(slack: bigint, needs: readonly Needs[], unit: bigint): readonly bigint[] {
  const weights = needs.map((one) => weightOf(one));
  const total = weights.reduce((sum, weight) => sum + weight, 0n);
  if (total === 0n) return weights;
  const staying = BigInt(weights.filter((weight) => weight > 0n).length);
  const least = slack >= staying * unit ? unit : 0n;
  const rest = slack - least * staying;
  const shares = weights.map((weight) =>
    weight === 0n ? 0n : least + floorTo((rest * weight) / total, unit),
  );
  const first = weights.indexOf(weights.reduce(larger));
  const leftOver = slack - shares.reduce((sum, share) => sum + share, 0n);
  return shares.map((share, i) => (i === first ? share + leftOver : share));
}

function weightOf({ isLeaving, demanded }: Needs): bigint {
  if (isLeaving) return 0n;
  return demanded > 0n ? DEMAND_WEIGHT : 1n;
}

function isGoodEnough(total: bigint, needs: readonly Needs[], shares: readonly bigint[]): boolean {
  const dealt = needs.reduce((sum, one) => sum + one.granted, 0n);
  if (dealt !== total) return false;
  const fairShare = shares.reduce(
    (least, share, i) => (needs[i]?.isLeaving ? least : smaller(least, share)),
    total,
  );
  return needs.every((one) => {
    if (one.isLeaving) return one.granted <= one.used;
    return one.granted >= one.used + one.demanded + larger(0n, fairShare) / HEADROOM_DIVISOR;
  });
}

/** The smallest amount that is dealt: a thousandth of a core, a byte or mebibyte, one of anything that is counted. */
function unitOf(key: string, total: bigint): bigint {
  if (/(^|\.)cpu$/.test(key)) return 1n;
  if (!/(memory|storage)$|^hugepages-/.test(key)) return MILLI;
  return total >= GIBI ? MEBI : MILLI;
}

function floorTo(amount: bigint, unit: bigint): bigint {
  return amount - (amount % unit);
}
