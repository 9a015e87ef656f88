// SPDX-License-Identifier: Apache-2.0
import type { Figure } from './report.ts';
import { percentile } from './statistics.ts';

/** Who is asked about what is created. */
export type Asked = 'nobody' | 'an empty webhook' | 'NexusOS' | 'the other';

/** What has been measured of one of them, in all turns. */
export interface Answers {
  readonly milliseconds: number[];
  /** What each program has taken of a processor, in milliseconds. */
  readonly spent: Map<string, number>;
}

/** What has been measured at one width, by who was asked. Nobody has to be among them. */
export type Measured = ReadonlyMap<Asked, Answers>;

/** What an administrator waits for at most. */
const ADDED_MS = 5;
/** Of what the other adds. */
const SHARE = 0.5;
const SHARES = [0.5, 0.95];

/** Whether bars hold for the width. At one connection a machine has time for everything. */
export interface FigureOptions {
  readonly connections: number;
  readonly hasBars: boolean;
}

/** The times themselves, what being asked adds to them, and how that of ours is to that of the other. */
export function addedFigures(measured: Measured, { connections, hasBars }: FigureOptions): readonly Figure[] {
  const at = connections === 1 ? 'one connection' : `${connections} connections`;
  const times = [...measured].flatMap(([asked, { milliseconds }]) =>
    SHARES.map((share) => ({
      name: `${at}, ${asked} asked, p${share * 100}`,
      value: percentile(milliseconds, share),
      unit: 'ms',
    })),
  );
  const programs = [...measured].flatMap(([asked, { milliseconds, spent }]) =>
    [...spent].map(([program, ms]) => ({
      name: `${at}, ${asked} asked: processor time of the ${program}`,
      value: ms / milliseconds.length,
      unit: 'ms',
    })),
  );
  const added = [...measured.keys()]
    .filter((asked) => asked !== 'nobody')
    .flatMap((asked) =>
      SHARES.map((share) => ({
        name: `${at}: added by ${asked}, p${share * 100}`,
        value: addedBy(measured, asked, share),
        unit: 'ms',
        ...(hasBars && asked === 'NexusOS' && share === 0.95 && { bar: { atMost: ADDED_MS } }),
      })),
    );
  const ratios = measured.has('the other')
    ? SHARES.map((share) => ({
        name: `${at}: added by NexusOS / added by the other, p${share * 100}`,
        value: addedBy(measured, 'NexusOS', share) / addedBy(measured, 'the other', share),
        unit: '',
        ...(hasBars && { bar: { atMost: SHARE } }),
      }))
    : [];
  const own = measured.has('an empty webhook')
    ? SHARES.map((share) => ({
        name: `${at}: added by NexusOS beyond an empty webhook, p${share * 100}`,
        value: addedBy(measured, 'NexusOS', share) - addedBy(measured, 'an empty webhook', share),
        unit: 'ms',
      }))
    : [];
  return [...times, ...added, ...own, ...ratios, ...programs];
}

function addedBy(measured: Measured, asked: Asked, share: number): number {
  const of = (one: Asked) => percentile(measured.get(one)?.milliseconds ?? [], share);
  return of(asked) - of('nobody');
}
