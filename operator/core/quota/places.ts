// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS } from '#crds/v1alpha1/run';
import { PIECE } from '../pieces.ts';
import type { Place } from '../run/observed.ts';
import { isNear, untilWorthMs } from '../run/queue-place.ts';
import type { WaitingPlace } from '../run/status.ts';
import type { Run } from '../run/run.ts';
import type { Queue } from './ledger.ts';
import type { WaitingRun } from './queue-line.ts';
import { runsByUid } from './runs-by-uid.ts';

/** Reasons of those that want no quota for now, however much is free: they are passed, and nobody stands behind them. */
const ASIDE: ReadonlySet<string> = new Set([
  RUN_REASONS.Suspended,
  RUN_REASONS.ApprovalRequired,
  RUN_REASONS.InputRequired,
  RUN_REASONS.RetryBackoff,
  RUN_REASONS.GangNotStarted,
  RUN_REASONS.Duplicate,
  RUN_REASONS.AgentNotFound,
  RUN_REASONS.AgentNotReady,
  RUN_REASONS.RevisionNotFound,
]);

/** The places of a queue: each is worked out for who asks. */
export interface Places {
  /** The place of the Run of that uid; undefined where it does not wait. */
  get(uid: string): Place | undefined;
  /** All of them, in order. */
  values(): Iterable<Place>;
}

/**
 * The places of the Runs that wait, by uid. `max`: how many may wait; of those that nobody has looked at yet, whoever is one too
 * many is told that the queue is full.
 */
export function placesOf(queue: Pick<Queue, 'waiting'>, runs: readonly Run[], max = Infinity): Places {
  const { waiting } = queue;
  const found = max === Infinity ? 0 : countQueued(queue, runs);
  const indexes = new Map<string, number>();
  const ahead: number[] = [];
  let last = 0;
  for (const [i, { candidate, reason }] of waiting.entries()) {
    if (!ASIDE.has(reason)) last += 1;
    ahead.push(last);
    indexes.set(candidate.uid, i);
  }
  const placeAt = (i: number): Place | undefined => {
    const one = waiting[i];
    return one && { ...placeOf(one, ahead[i]), ...fullAt(i, { found, max }) };
  };
  return {
    get: (uid) => placeAt(indexes.get(uid) ?? -1),
    values: () =>
      waiting
        .keys()
        .map((i) => placeAt(i))
        .filter((one) => one !== undefined),
  };
}

/** A waiting Run that does not say what its place is by now. */
export interface PlaceNews {
  readonly run: Run;
  /** How soon it is to be looked at, in milliseconds. */
  readonly withinMs: number;
}

/**
 * Who of a queue does not say what its place is by now. A Run is woken for that, and by nothing else: thousands may wait for hours, and nobody
 * looks at them meanwhile. Where all have news at once, as when their tenant is suspended, those at the end are looked at half a minute later. In pieces:
 * each is of so many of the queue, and is looked at when it is asked for.
 */
export function* newsOf(
  { waiting }: Pick<Queue, 'waiting'>,
  runs: readonly Run[],
  now: Date,
): Generator<readonly PlaceNews[], undefined, undefined> {
  const byUid = runsByUid(runs);
  let position = 0;
  for (let from = 0; from < waiting.length; from += PIECE) {
    const news: PlaceNews[] = [];
    for (const [i, one] of waiting.slice(from, from + PIECE).entries()) {
      const isAside = ASIDE.has(one.reason);
      if (!isAside) position += 1;
      const found = newsFor(
        byUid.get(one.candidate.uid),
        { ...one, position: isAside ? undefined : position },
        now,
      );
      if (found !== undefined) news.push(spread(found, { index: from + i, of: waiting.length }));
    }
    yield news;
  }
}

function newsFor(run: Run | undefined, place: WaitingPlace, now: Date): PlaceNews | undefined {
  // Who has said nothing yet is about to.
  if (run?.status?.queue === undefined) return undefined;
  const untilMs = untilWorthMs(run, place, now);
  return untilMs === Infinity ? undefined : { run, withinMs: Math.max(NEWS_MS, untilMs) };
}

function spread(news: PlaceNews, place: { readonly index: number; readonly of: number }): PlaceNews {
  if (isNear(place.index + 1)) return news;
  return { ...news, withinMs: news.withinMs + (SPREAD_MS * place.index) / place.of };
}

/** What its own pass sees otherwise would have it woken by each pass over the queue. */
const NEWS_MS = 1000;
const SPREAD_MS = 30_000;

/** How many of those who wait say so already. */
function countQueued({ waiting }: Pick<Queue, 'waiting'>, runs: readonly Run[]): number {
  const byUid = runsByUid(runs);
  return waiting.filter(({ candidate }) => byUid.get(candidate.uid)?.status?.phase === 'Queued').length;
}

function placeOf({ reason, message, current }: WaitingRun, position: number | undefined): Place {
  return {
    kind: 'waiting',
    position: ASIDE.has(reason) ? undefined : position,
    reason,
    message,
    ...(current !== undefined && { current }),
  };
}

function fullAt(i: number, { found, max }: { readonly found: number; readonly max: number }): object {
  const isFull = i + 1 > max || found >= max;
  return isFull ? { full: { found: Math.max(found, i), allowed: max } } : {};
}
