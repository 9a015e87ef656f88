// SPDX-License-Identifier: Apache-2.0
import { startTimer } from './processor-timer.ts';
import type { Figure } from './report.ts';
import { percentile } from './statistics.ts';

/** How often each of two things is measured, in turns. An odd number, so that the median is one of them. */
export const TURNS = 3;

/** What one turn has taken. */
export interface Turn {
  /** Things in a second. */
  readonly rate: number;
  /** What each program has taken for one of them, in milliseconds of processor time. */
  readonly spent: ReadonlyMap<string, number>;
}

/** The processes whose time is counted, by the name that figures give them. */
export type Pids = Readonly<Record<string, number>>;

/** Counts what it takes until `count` things are done, which `does` tells in seconds. */
export async function timeTurn(pids: Pids, count: number, does: () => Promise<number>): Promise<Turn> {
  const timer = await startTimer(pids);
  const rate = count / (await does());
  return { rate, spent: await timer.perThing(count) };
}

/** The median of the rates of some turns. */
export function medianRate(turns: readonly Turn[]): number {
  return percentile(
    turns.map(({ rate }) => rate),
    0.5,
  );
}

/**
 * How the rates of `ours` are to those of the floor, whose turns came right before them: each to its own, since a machine that others share is
 * by a third faster in one minute than in the next.
 */
export function ratioFigures(
  name: string,
  {
    floor,
    ours,
    atLeast,
  }: { readonly floor: readonly Turn[]; readonly ours: readonly Turn[]; readonly atLeast: number },
): readonly Figure[] {
  const ratios = ours.map(({ rate }, turn) => rate / (floor[turn]?.rate ?? Number.NaN));
  return [
    {
      name: `${name}, median of ${ratios.length} turns`,
      value: percentile(ratios, 0.5),
      unit: '',
      bar: { atLeast },
    },
    { name: '... the lowest', value: Math.min(...ratios), unit: '' },
    { name: '... the highest', value: Math.max(...ratios), unit: '' },
  ];
}

/** What each program has taken for one thing of a kind, such as `Run`: the median of the turns. */
export function timeFigures(thing: string, turns: readonly Turn[]): readonly Figure[] {
  const programs = [...(turns[0]?.spent.keys() ?? [])];
  return programs.map((program) => ({
    name: `processor time of the ${program} per ${thing}`,
    value: percentile(
      turns.map(({ spent }) => spent.get(program) ?? Number.NaN),
      0.5,
    ),
    unit: 'ms',
  }));
}
