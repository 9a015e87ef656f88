// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS } from '#crds/v1alpha1/run';
import type { Place } from '../run/observed.ts';
import type { Run } from '../run/run.ts';
import type { Queue } from './ledger.ts';

/** Reasons of those that want no quota for now: they are passed, and nobody stands behind them. */
const ASIDE: ReadonlySet<string> = new Set([
  RUN_REASONS.Suspended,
  RUN_REASONS.ApprovalRequired,
  RUN_REASONS.InputRequired,
  RUN_REASONS.RetryBackoff,
  RUN_REASONS.GangNotStarted,
  RUN_REASONS.Duplicate,
]);

/**
 * The places of the Runs that wait, by uid. `max`: how many may wait; of those that nobody has looked at yet, whoever is one too
 * many is told that the queue is full.
 */
export function placesOf(
  queue: Pick<Queue, 'waiting'>,
  runs: readonly Run[],
  max = Infinity,
): ReadonlyMap<string, Place> {
  const queued = new Set(
    runs.filter((run) => run.status?.phase === 'Queued').map((run) => run.metadata.uid ?? ''),
  );
  const found = queue.waiting.filter(({ candidate }) => queued.has(candidate.uid)).length;
  const places = new Map<string, Place>();
  let ahead = 0;
  for (const [i, { candidate, reason, message, current }] of queue.waiting.entries()) {
    const isAside = ASIDE.has(reason);
    if (!isAside) ahead += 1;
    const isFull = i + 1 > max || found >= max;
    const full = isFull ? { full: { found: Math.max(found, i), allowed: max } } : {};
    places.set(candidate.uid, {
      kind: 'waiting',
      position: isAside ? undefined : ahead,
      reason,
      message,
      ...(current !== undefined && { current }),
      ...full,
    });
  }
  return places;
}
