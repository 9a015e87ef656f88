// SPDX-License-Identifier: Apache-2.0
import { PIECE, type Pieces } from '../pieces.ts';
import type { Candidate, Waiting } from './admit.ts';

/** A Run that goes on waiting. */
export interface WaitingRun extends Waiting {
  readonly candidate: Candidate;
}

/** How a candidate stood when it was looked at last. */
interface Stood {
  place: number;
  waiting: WaitingRun | undefined;
}

const stood = new WeakMap<Candidate, Stood>();

/**
 * The candidates in order. A queue of thousands is put in order by each pass, and is in order already but for a few: each is put where it
 * stood last before they are compared, so that they are compared with their neighbours alone. Comparing is one piece, whatever their number.
 */
export function* inLine(
  candidates: readonly Candidate[],
  order: (a: Candidate, b: Candidate) => number,
): Pieces<readonly Candidate[]> {
  const before: (Candidate | undefined)[] = [];
  const others: Candidate[] = [];
  for (const [i, one] of candidates.entries()) {
    if (i % PIECE === 0) yield;
    const place = stood.get(one)?.place;
    if (place === undefined || before[place] !== undefined) others.push(one);
    else setAt(before, place, one);
  }
  const line = before.filter((one) => one !== undefined);
  for (const one of others) line.push(one);
  line.sort(order);
  for (const [place, one] of line.entries()) {
    if (place % PIECE === 0) yield;
    remember(one, place);
  }
  return line;
}

/** Without holes, which would make it a slow one. */
function setAt(before: (Candidate | undefined)[], place: number, one: Candidate): void {
  while (before.length <= place) before.push(undefined);
  before[place] = one;
}

function remember(one: Candidate, place: number): void {
  const known = stood.get(one);
  if (known === undefined) stood.set(one, { place, waiting: undefined });
  else known.place = place;
}

/** A candidate that goes on waiting: the same object as in the last pass, where it waits for the same. */
export function waitingRun(candidate: Candidate, verdict: Waiting): WaitingRun {
  const known = stood.get(candidate);
  const before = known?.waiting;
  if (before !== undefined && isSame(before, verdict)) return before;
  const { reason, message, current } = verdict;
  const waiting = { candidate, reason, message, ...(current !== undefined && { current }) };
  if (known !== undefined) known.waiting = waiting;
  return waiting;
}

function isSame(a: Waiting, b: Waiting): boolean {
  return a.reason === b.reason && a.message === b.message && a.current === b.current;
}
