// SPDX-License-Identifier: Apache-2.0
import { defined } from '../object.ts';
import { arrivalOf, type Run } from '../run/run.ts';
import type { Candidate } from './admit.ts';

/** Each so many seconds of waiting outweigh one point of priority, where a tenant does not say otherwise. */
export const PRIORITY_AGING_SECONDS = 60;

/** What the place of a Run in the queue depends on. */
export type Queued = Pick<Candidate, 'priority' | 'createdAt' | 'arrival' | 'uid' | 'turn'>;

/** What tells which of two Runs was created first. */
export type Aged = Omit<Queued, 'priority' | 'turn'>;

/** What tells when a Run was created. */
export function ageOf(run: Run): Aged {
  const { uid = '', creationTimestamp: createdAt = '' } = run.metadata;
  return { uid, createdAt, ...defined({ arrival: arrivalOf(run) }) };
}

/**
 * The order of the queue of a tenant: the higher priority, then the older. A point of priority is worth as much as
 * `agingSeconds` of age, so nobody is overtaken by those who come that much later for each point that they are above it, and
 * nobody starves. Since all age alike, the order of two Runs never changes: no clock is asked, and nothing is moved by time alone.
 *
 * `agingSeconds`: 0 is strict priority, whatever the age.
 *
 * Runs that others call are as old as the one above all: what was begun is finished before something else begins.
 */
export function queueOrder(agingSeconds: number): (a: Queued, b: Queued) => number {
  return (a, b) => {
    if (a.uid === b.uid) return 0;
    const ahead = a.priority === b.priority ? 0 : aheadMs(a, b, agingSeconds);
    if (ahead !== 0) return ahead;
    const [one, other] = [a.turn ?? a, b.turn ?? b];
    if (one.uid !== other.uid) return isOlder(one, other) ? -1 : 1;
    return isOlder(a, b) ? -1 : 1;
  };
}

/** Whether `a` was created before `b`: by their arrival where the second is the same, and by uid where nothing tells. */
export function isOlder(a: Aged, b: Aged): boolean {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt;
  const [one = 0, other = 0] = [a.arrival, b.arrival];
  return one === other ? a.uid < b.uid : one < other;
}

/** How long before `b` it is the turn of `a`, in milliseconds below zero; above zero if after. */
function aheadMs(a: Queued, b: Queued, agingSeconds: number): number {
  const points = b.priority - a.priority;
  if (agingSeconds === 0) return points;
  const [one, other] = [a.turn ?? a, b.turn ?? b];
  return Date.parse(one.createdAt) - Date.parse(other.createdAt) + points * agingSeconds * 1000;
}
