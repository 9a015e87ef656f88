// SPDX-License-Identifier: Apache-2.0
import { isDeepEqual } from '../../core/compare.ts';
import type { KubeObject } from '../../core/object.ts';
import { attemptsOf, isActive, isFinished, phaseOf, type Run } from '../../core/run/run.ts';
import type { Patience, Reader, SeenChange } from '../../runtime/controller.ts';
import type { LedgerPasses } from './ledger-passes.ts';
import { ledgerOf } from './workloads.ts';

/**
 * How long a ledger may wait before it looks at a change. Each Run changes some ten times, and its pod as often; what decides
 * anything is that it comes, and that it gives back what others wait for. The rest is seen by the next pass, whenever that is, and brings
 * one by itself only so that in the end everything has been seen.
 */
export interface LedgerWakes {
  readonly ofRuns: Patience;
  readonly ofPods: Patience;
  readonly ofQuotas: Patience;
}

/** What decides nothing. */
const SEEN_MS = 1000;
/** What is given back while nobody waits; as long as reservations are given back together. */
const GIVEN_BACK_MS = 4000;
/** What others may be about to get. */
const SOON_MS = 100;
const MOVED_MS = 250;

/** What wakes a ledger, by what its last pass has left. */
export function wakesOf(passes: Pick<LedgerPasses, 'hasWaiting'>): LedgerWakes {
  const hasWaiting = ({ old, object }: SeenChange, read: Reader): boolean => {
    const { namespace = '' } = (object ?? old)?.metadata ?? {};
    const ledger = ledgerOf(read, namespace);
    return ledger === undefined || passes.hasWaiting(ledger.metadata.name);
  };
  return {
    ofRuns(change, read) {
      const kind = turnOf(change);
      if (kind !== 'gaveBack') return kind === 'decides' ? 0 : SEEN_MS;
      return hasWaiting(change, read) ? 0 : GIVEN_BACK_MS;
    },
    ofPods(change, read) {
      if (isLeaving(change)) return 0;
      return hasWaiting(change, read) ? SOON_MS : SEEN_MS;
    },
    ofQuotas: (change, read) => (hasWaiting(change, read) ? 0 : MOVED_MS),
  };
}

/** A ledger that was written by ourselves says what we have decided; a new spec counts at once. */
export const ofOwnWrites: Patience = ({ old, object }) =>
  old?.metadata.generation !== object?.metadata.generation ? 0 : MOVED_MS;

/** Agents and Tenants, of which figures change all the time. */
export const ofFigures: Patience = ({ old, object }) => {
  if (old === undefined || object === undefined) return 0;
  return isDeepEqual(standingOf(old), standingOf(object)) ? SEEN_MS : 0;
};

function standingOf({ metadata, status }: KubeObject): unknown {
  const { conditions, activeRevision } = (status ?? {}) as Readonly<Record<string, unknown>>;
  return [metadata.uid, metadata.generation, metadata.deletionTimestamp ?? '', conditions, activeRevision];
}

/** What a change of a Run means to the ledger. */
function turnOf({ old, object }: SeenChange): 'decides' | 'gaveBack' | 'chatter' {
  if (old === undefined) return 'decides';
  const was = old as Run;
  if (object === undefined) return isFinished(was) ? 'chatter' : 'decides';
  const is = object as Run;
  if (!isDeepEqual(intentOf(was), intentOf(is))) return 'decides';
  if (isFinished(is)) return turnOfEnd(was, is);
  return isActive(is) || isDeepEqual(waitOf(was), waitOf(is)) ? 'chatter' : 'decides';
}

/** Devices are what other tenants wait for. */
function turnOfEnd(was: Run, is: Run): 'decides' | 'gaveBack' | 'chatter' {
  if (isFinished(was)) return 'chatter';
  return is.status?.gpu === undefined ? 'gaveBack' : 'decides';
}

function intentOf({ metadata }: Run): unknown {
  return [metadata.uid, metadata.generation, metadata.deletionTimestamp ?? ''];
}

/** What is told of a Run that waits, beside its place and when it came. */
function waitOf(run: Run): unknown {
  const { status = {} } = run;
  const { queue: _, conditions: __, observedGeneration: ___, arrival: ____, ...others } = status;
  return { ...others, phase: phaseOf(run), attempt: attemptsOf(run) };
}

/** A pod that goes, or is gone, may be the last of a Run that is gone. */
function isLeaving({ old, object }: SeenChange): boolean {
  if (object === undefined) return true;
  const isGoing = object.metadata.deletionTimestamp !== undefined;
  return isGoing && (old?.metadata.deletionTimestamp === undefined || object['status'] !== old['status']);
}
