// SPDX-License-Identifier: Apache-2.0
import type { ReportedUsage } from '#crds/v1alpha1/run-result';
import { type MeteredAttempt, TIERS } from '#crds/v1alpha1/run-usage';
import {
  KEPT_WINDOWS,
  type LedgerWindowUse,
  type UsageHistory,
  type WindowName,
  type WindowUse,
} from '#crds/v1alpha1/usage-history';
import { toInstant } from '../conditions.ts';
import { defined } from '../object.ts';
import { addMetered, amountsOf, formatMetered, type Metered, parseMetered } from './amounts.ts';
import { addCounts } from './counts.ts';
import { formatMicro, parseMicro } from './micro.ts';

const WINDOWS = Object.keys(KEPT_WINDOWS) as readonly WindowName[];

/** How much of an instant names its window, and what completes it to the instant at which that begins. */
const BEGINS = {
  minute: [16, ':00Z'],
  hour: [13, ':00:00Z'],
  day: [10, 'T00:00:00Z'],
  month: [7, '-01T00:00:00Z'],
} as const satisfies Record<WindowName, readonly [number, string]>;

/**
 * The history with attempts that have been settled, each counted in the windows of its end: the same history where there are
 * none. Who calls it sees to it that none comes twice. What was sealed stays as it is: what comes later counts beside it.
 */
export function bookAttempts(
  history: UsageHistory | undefined,
  attempts: readonly MeteredAttempt[],
  now: Date,
): UsageHistory | undefined {
  if (attempts.length === 0) return history;
  const { windows: before = [], lastSealed } = history ?? {};
  const open = new Map<string, LedgerWindowUse>();
  for (const one of before) if (one.sealed === undefined) open.set(windowKey(one), one);
  const counted = attempts.map(countedOf);
  for (const added of byMinute(counted)) {
    for (const window of WINDOWS) {
      const empty = { window, start: windowStart(window, added.at), ...UNUSED };
      open.set(windowKey(empty), withAdded(open.get(windowKey(empty)) ?? empty, added));
    }
  }
  const sealed = before.filter((one) => one.sealed !== undefined);
  const windows = latestWindows([...open.values(), ...sealed], now);
  const tiers = bookTiers(history, counted);
  const booked = { windows, tiers, ...defined({ lastSealed }) };
  // Without any history nobody has looked which numbers were given.
  return history === undefined ? booked : sealWindows(booked, now);
}

/** When the window begins that an instant lies in. windowStart('month', '2026-11-21T12:34:56Z') is '2026-11-01T00:00:00Z' */
export function windowStart(window: WindowName, instant: string): string {
  const [length, rest] = BEGINS[window];
  return instant.slice(0, length) + rest;
}

/** When the window ends that begins at `start`, as milliseconds since 1970. */
export function windowEndMs(window: WindowName, start: string): number {
  const begin = new Date(start);
  if (window === 'month') return Date.UTC(begin.getUTCFullYear(), begin.getUTCMonth() + 1);
  return begin.getTime() + LASTS_MS[window];
}

const LASTS_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

/** An attempt, and what it has used: worked out once for all windows that it counts in, and for its tier. */
interface Counted {
  readonly attempt: MeteredAttempt;
  readonly amounts: Metered;
}

function countedOf(attempt: MeteredAttempt): Counted {
  return { attempt, amounts: amountsOf(attempt) };
}

/** Attempts that ended in the same minute, which count in the same windows: what they add to each of these. */
interface Addition {
  /** When that minute begins. */
  readonly at: string;
  readonly attempts: number;
  readonly amounts: Metered;
  readonly pods: MeteredAttempt['pods'];
}

function byMinute(counted: readonly Counted[]): readonly Addition[] {
  const groups = Map.groupBy(counted, ({ attempt }) => windowStart('minute', attempt.settledAt));
  return [...groups].map(([at, ones]) => ({
    at,
    attempts: ones.length,
    amounts: ones.map(({ amounts }) => amounts).reduce(addMetered),
    pods: ones.flatMap(({ attempt }) => attempt.pods),
  }));
}

const UNUSED = { attempts: 0, amounts: formatMetered(parseMetered(undefined)) } as const;

/** A window with what is added to it: read and written once, however many attempts that are. */
function withAdded(use: WindowUse, { attempts, amounts, pods }: Addition): WindowUse {
  const reported = pods.reduce<ReportedUsage | undefined>(
    (sum, one) => addCounts(sum, one.reported, Number.MAX_SAFE_INTEGER),
    use.reported,
  );
  return {
    window: use.window,
    start: use.start,
    attempts: use.attempts + attempts,
    amounts: formatMetered(addMetered(parseMetered(use.amounts), amounts)),
    ...defined({ reported }),
  };
}

/**
 * How long a window is over before it is sealed. Attempts are counted seconds after their end, so that few come later; and a clock that is
 * set back by less finds the window that it is in again.
 */
const SEALED_AFTER_MS = 600_000;

/**
 * Gives a number to each window that is over, and of which a later one of its length has begun: from then on it never changes. The last one of
 * a length stays open, so nothing has to be written when it ends; so does what comes late until its sealed part is gone, lest parts add up.
 * Minutes are not sealed, since nobody wants them when they are over. Numbers go on from the highest that is known.
 */
function sealWindows(history: UsageHistory, now: Date): UsageHistory {
  const { windows } = history;
  const lastSealed = Math.max(history.lastSealed ?? 0, ...windows.map(({ sealed = 0 }) => sealed));
  const sealedKeys = new Set(windows.filter(({ sealed }) => sealed !== undefined).map(windowKey));
  const hasLater = ({ window, start }: LedgerWindowUse) =>
    windows.some((one) => one.window === window && one.start > start && one.start <= toInstant(now));
  const isOver = (one: LedgerWindowUse) =>
    one.window !== 'minute' &&
    !sealedKeys.has(windowKey(one)) &&
    windowEndMs(one.window, one.start) + SEALED_AFTER_MS <= now.getTime() &&
    hasLater(one);
  const over = windows.filter(isOver);
  if (over.length === 0) return history;
  const numbers = new Map(over.map((one, i) => [one, lastSealed + i + 1]));
  return {
    ...history,
    windows: windows.map((one) => {
      const sealed = numbers.get(one);
      return sealed === undefined ? one : { ...one, sealed };
    }),
    lastSealed: lastSealed + over.length,
  };
}

/**
 * As many windows of each length as are kept, the newest first. Those that have not begun are of a clock that was ahead: they stand
 * last, lest they push out what is.
 */
export function latestWindows<Use extends WindowUse>(windows: readonly Use[], now: Date): Use[] {
  const instant = toInstant(now);
  return WINDOWS.flatMap((name) =>
    windows
      .filter(({ window }) => window === name)
      .toSorted(
        (a, b) => Number(a.start > instant) - Number(b.start > instant) || b.start.localeCompare(a.start),
      )
      .slice(0, KEPT_WINDOWS[name]),
  );
}

/** One window of two that begin at the same time: what was used in both. */
export function addWindows(use: WindowUse, { attempts, amounts, reported }: WindowUse): WindowUse {
  const sum = addCounts(use.reported, reported, Number.MAX_SAFE_INTEGER);
  return {
    window: use.window,
    start: use.start,
    attempts: use.attempts + attempts,
    amounts: formatMetered(addMetered(parseMetered(use.amounts), parseMetered(amounts))),
    ...defined({ reported: sum }),
  };
}

function bookTiers(history: UsageHistory | undefined, counted: readonly Counted[]): UsageHistory['tiers'] {
  const sums = new Map(
    (history?.tiers ?? []).map(({ tier, runUnits, cost = '0' }) => {
      return [tier, { runUnits: parseMicro(runUnits), cost: parseMicro(cost) }];
    }),
  );
  for (const { attempt, amounts } of counted) {
    const { tier } = attempt.rate;
    const { runUnits, cost } = amounts;
    const before = sums.get(tier) ?? { runUnits: 0n, cost: 0n };
    sums.set(tier, { runUnits: before.runUnits + runUnits, cost: before.cost + cost });
  }
  return TIERS.flatMap((tier) => {
    const sum = sums.get(tier);
    if (sum === undefined) return [];
    const paid = sum.cost > 0n && { cost: formatMicro(sum.cost) };
    return [{ tier, runUnits: formatMicro(sum.runUnits), ...paid }];
  });
}

/** What tells a window from others. */
export function windowKey({ window, start }: Pick<WindowUse, 'window' | 'start'>): string {
  return `${window} ${start}`;
}

/** Run units of the last month in which any were used, for people: `12.5 in 2026-11`; undefined before the first. */
export function monthSummary(history: UsageHistory | undefined): string | undefined {
  const month = monthOf(history);
  return month && `${month.amounts.runUnits} in ${month.start.slice(0, 7)}`;
}

/**
 * What the same month has cost, for people: `0.35 USD in 2026-11`. Undefined where nothing was paid: what had no price when it was admitted has
 * cost nobody knows what, which is not nothing, whatever the price is now.
 */
export function monthCost(
  history: UsageHistory | undefined,
  currency: string | undefined,
): string | undefined {
  const month = monthOf(history);
  if (month?.amounts.cost === undefined) return undefined;
  return `${month.amounts.cost}${currency === undefined ? '' : ` ${currency}`} in ${month.start.slice(0, 7)}`;
}

function monthOf(history: UsageHistory | undefined): LedgerWindowUse | undefined {
  return history?.windows.find(({ window }) => window === 'month');
}
