// SPDX-License-Identifier: Apache-2.0
import type { Figure } from './report.ts';

/** What Runs cost on a control plane that had others before. */
export interface GrowthPoint {
  /** How many there are in all when these have ended. */
  readonly total: number;
  /** How many these were. */
  readonly runs: number;
  /** From the first creation to the last end, in seconds. */
  readonly seconds: number;
  /** What each program took for one of them, in milliseconds of processor time. */
  readonly spent: ReadonlyMap<string, number>;
  /** Requests of the operator that write, for one of them. */
  readonly writes: number;
  /** Memory of the operator afterwards, in MB. */
  readonly memory: number;
}

const SHARES = [1 / 20, 1 / 10, 1 / 4, 1 / 2, 1];
const BAR_WIDTH = 40;

/**
 * The totals at which is looked, up to `largest`.
 *
 * totalsUpTo(20_000) -> [1000, 2000, 5000, 10000, 20000]
 */
export function totalsUpTo(largest: number): readonly number[] {
  const totals = SHARES.map((share) => Math.round(largest * share)).filter((total) => total > 0);
  return [...new Set(totals)];
}

/** The points as a table for people. */
export function toTable(points: readonly GrowthPoint[]): string {
  const programs = [...(points[0]?.spent.keys() ?? [])];
  const header = ['Runs in all', 'Runs', 'seconds', 'ms per Run', ...programs, 'writes', 'MB'];
  const rows = points.map(({ total, runs, seconds, spent, writes, memory }) => [
    String(total),
    String(runs),
    seconds.toFixed(1),
    ((seconds * 1000) / runs).toFixed(2),
    ...programs.map((name) => (spent.get(name) ?? Number.NaN).toFixed(2)),
    writes.toFixed(2),
    memory.toFixed(0),
  ]);
  return aligned([header, ...rows]);
}

/**
 * One bar for each point, the longest of the full width: cost that grows in proportion to Runs shows as bars of one length.
 *
 *     1000 ████████ 4.00
 *     2000 ██████████ 5.00
 */
export function toBars(bars: readonly (readonly [name: string, value: number])[]): string {
  const most = Math.max(...bars.map(([, value]) => value), Number.MIN_VALUE);
  const widest = Math.max(...bars.map(([name]) => name.length), 0);
  return bars
    .map(([name, value]) => {
      const bar = '█'.repeat(Math.round((value / most) * BAR_WIDTH));
      return `${name.padStart(widest)} ${bar} ${value.toFixed(2)}`;
    })
    .join('\n');
}

/** What the last Runs cost for what the first ones did; the operator alone has a bar. */
export function ratiosOf(points: readonly GrowthPoint[], bar: number): readonly Figure[] {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return [];
  const which = `${last.total} Runs / ${first.total} Runs`;
  const perProgram = [...last.spent].map(([name, spent]): Figure => {
    const value = spent / (first.spent.get(name) ?? Number.NaN);
    const figure = { name: `processor time of the ${name} per Run, ${which}`, value, unit: '' };
    return name === 'operator' ? { ...figure, bar: { atMost: bar } } : figure;
  });
  const time = last.seconds / last.runs / (first.seconds / first.runs);
  return [
    ...perProgram,
    { name: `time per Run, ${which}`, value: time, unit: '' },
    { name: `writes of the operator per Run, ${which}`, value: last.writes / first.writes, unit: '' },
  ];
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) => row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('  '))
    .join('\n');
}
