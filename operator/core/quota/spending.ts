// SPDX-License-Identifier: Apache-2.0
import type { BudgetWindow, TimedUnit } from '#crds/v1alpha1/budgets';
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import type { Rate } from '#crds/v1alpha1/run-usage';
import { meter } from '../metering/amounts.ts';
import { parseMicro } from '../metering/micro.ts';
import { phaseOf, type Run } from '../run/run.ts';
import { larger } from './amounts.ts';
import { costOf, mostOf, ofEach } from './estimate.ts';

/** An attempt under way as the budgets of run units, or those of cost, see it, in millionths. */
export interface Hold {
  readonly uid: string;
  readonly reserved: bigint;
  /** What its container has used up to now; none where it cannot come to more than is reserved. */
  readonly used: bigint;
  /** What more it uses in a thousand seconds, if it may use more than is reserved and is not paused for that yet. */
  readonly speed: bigint;
}

/** What is left of a budget, in millionths, beside what has ended, and what attempts under way hold; negative when they hold more. */
export interface Left {
  readonly window: BudgetWindow;
  readonly left: bigint;
}

/** Who has used what was nobody's. */
export interface Overspending {
  /** Runs to be paused, with the window whose budget is used up. */
  readonly paused: ReadonlyMap<string, BudgetWindow>;
  /** When that may be so of another one, in milliseconds from now; infinite when it cannot. */
  readonly afterMs: number;
}

/** An attempt, and when it is looked at. */
export interface HoldInput {
  readonly run: Run | undefined;
  readonly now: Date;
  /** Run units when left out. */
  readonly unit?: TimedUnit;
}

/** How an attempt stands with its reservation. Time since the start of its first container counts, also between two of them. */
export function holdOf(reservation: Reservation, { run, now, unit = 'runUnits' }: HoldInput): Hold {
  const reserved = parseMicro(reservation[unit] ?? '0');
  const { uid, overspent } = reservation;
  const rate = runningRate(reservation, run);
  if (rate === undefined || mostOf(rate, unit) <= reserved) return { uid, reserved, used: 0n, speed: 0n };
  const startedAt = run?.status?.startedAt ?? now.toISOString();
  const use = { uid: '', startedAt, finishedAt: now.toISOString(), basis: 'Observed' } as const;
  const used = meter(rate, ofEach(rate, use))[unit];
  // What has come to the most that its time can cost grows no more.
  const isGrowing = overspent === undefined && used < mostOf(rate, unit);
  return { uid, reserved, used, speed: isGrowing ? costOf(rate, 1000, unit) : 0n };
}

/** The rate of the attempt that was admitted by `reservation`, while its container runs. */
function runningRate({ serial }: Reservation, run: Run | undefined): Rate | undefined {
  if (run === undefined || serial === undefined || phaseOf(run) !== 'Running') return undefined;
  const open = run.status?.usage?.open;
  return open?.reservation === serial ? open.rate : undefined;
}

/** What an attempt takes of a budget: what it reserves, or what it has used if that is more. */
export function heldBy({ reserved, used }: Hold): bigint {
  return larger(reserved, used);
}

/**
 * Who is to be paused: where more is held than a budget allows, those who have used more than they had reserved. Nobody is paused
 * who has not: what is reserved for him is his, also when the budget is lowered.
 */
export function overspendingOf(holds: readonly Hold[], lefts: readonly Left[]): Overspending {
  const growing = holds.filter(({ speed }) => speed > 0n);
  const over = growing.filter(({ used, reserved }) => used > reserved);
  const exhausted = lefts.findLast(({ left }) => left < 0n);
  const paused = exhausted === undefined ? [] : over.map(({ uid }) => [uid, exhausted.window] as const);
  const together = over.reduce((sum, { speed }) => sum + speed, 0n);
  const waits = [
    ...(exhausted === undefined ? lefts.map(({ left }) => msToUse(left, together)) : []),
    ...growing
      .filter(({ used, reserved }) => used <= reserved)
      .map(({ used, reserved, speed }) => msToUse(reserved - used, speed)),
  ];
  return { paused: new Map(paused), afterMs: Math.min(...waits, Infinity) };
}

/** How long until more than `micro` is used. Not less than a moment: the floor of an attempt is used from its start, and it grows only later. */
function msToUse(micro: bigint, speed: bigint): number {
  return speed === 0n ? Infinity : Math.max(Number((micro * MS_OF_SPEED) / speed) + 1, LEAST_MS);
}

const LEAST_MS = 250;

/** Milliseconds that a speed is for. */
const MS_OF_SPEED = 1_000_000n;
