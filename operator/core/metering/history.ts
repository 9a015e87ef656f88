// SPDX-License-Identifier: Apache-2.0
import type { ReportedUsage } from '#crds/v1alpha1/run-result';
import { type MeteredAttempt, TIERS } from '#crds/v1alpha1/run-usage';
import {
  KEPT_WINDOWS,
  type UsageHistory,
  type WindowName,
  type WindowUse,
} from '#crds/v1alpha1/usage-history';
import { toInstant } from '../conditions.ts';
import { defined } from '../object.ts';
import { addMetered, amountsOf, formatMetered, parseMetered } from './amounts.ts';
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
 * none. Who calls it sees to it that none comes twice.
 */
export function bookAttempts(
  history: UsageHistory | undefined,
  attempts: readonly MeteredAttempt[],
  now: Date,
): UsageHistory | undefined {
  if (attempts.length === 0) return history;
  const windows = new Map((history?.windows ?? []).map((one) => [keyOf(one), one]));
  for (const attempt of attempts) {
    for (const window of WINDOWS) {
      const empty = { window, start: windowStart(window, attempt.settledAt), attempts: 0 };
      const before = windows.get(keyOf(empty));
      windows.set(
        keyOf(empty),
        booked(before ?? { ...empty, amounts: formatMetered(parseMetered(undefined)) }, attempt),
      );
    }
  }
  return { windows: latest([...windows.values()], toInstant(now)), tiers: bookTiers(history, attempts) };
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

function booked(use: WindowUse, attempt: MeteredAttempt): WindowUse {
  const reported = attempt.pods.reduce<ReportedUsage | undefined>(
    (sum, one) => addCounts(sum, one.reported, Number.MAX_SAFE_INTEGER),
    use.reported,
  );
  return {
    window: use.window,
    start: use.start,
    attempts: use.attempts + 1,
    amounts: formatMetered(addMetered(parseMetered(use.amounts), amountsOf(attempt))),
    ...defined({ reported }),
  };
}

/**
 * As many windows of each length as are kept, the newest first. Those that have not begun are of a clock that was ahead: they stand
 * last, lest they push out what is.
 */
function latest(windows: readonly WindowUse[], now: string): WindowUse[] {
  return WINDOWS.flatMap((name) =>
    windows
      .filter(({ window }) => window === name)
      .toSorted((a, b) => Number(a.start > now) - Number(b.start > now) || (a.start < b.start ? 1 : -1))
      .slice(0, KEPT_WINDOWS[name]),
  );
}

function bookTiers(
  history: UsageHistory | undefined,
  attempts: readonly MeteredAttempt[],
): UsageHistory['tiers'] {
  const before = new Map((history?.tiers ?? []).map(({ tier, runUnits }) => [tier, parseMicro(runUnits)]));
  for (const attempt of attempts) {
    const { tier } = attempt.rate;
    before.set(tier, (before.get(tier) ?? 0n) + amountsOf(attempt).runUnits);
  }
  return TIERS.flatMap((tier) => {
    const micro = before.get(tier);
    return micro === undefined ? [] : [{ tier, runUnits: formatMicro(micro) }];
  });
}

function keyOf({ window, start }: Pick<WindowUse, 'window' | 'start'>): string {
  return `${window} ${start}`;
}

/** Run units of the last month in which any were used, for people: `12.5 in 2026-11`; undefined before the first. */
export function monthSummary(history: UsageHistory | undefined): string | undefined {
  const month = history?.windows.find(({ window }) => window === 'month');
  return month && `${month.amounts.runUnits} in ${month.start.slice(0, 7)}`;
}
