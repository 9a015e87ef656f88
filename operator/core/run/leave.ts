// SPDX-License-Identifier: Apache-2.0
import { DONE, type Plan, statusOnly } from '../plan.ts';
import type { KubeObject } from '../object.ts';
import { attemptLabelOf, isNamedAsSaid } from './gang.ts';
import { attemptsOf, childName, identityOf, isActive, isFinished, type Run } from './run.ts';

/** What was seen of the Run that a pod is of. */
export interface PodObserved {
  /** Undefined only when a direct read found none of that uid. */
  readonly run: Run | undefined;
  /** Whether the ledger holds a reservation for that Run: of one that is gone it has yet to count what it has used, by its pod. */
  readonly isReserved: boolean;
}

/** Decides whether a pod of a Run that is being deleted may go: when nobody wants to know any more how it ended. */
export function planLeave(pod: KubeObject, { run, isReserved }: PodObserved): Plan<undefined> {
  const mayGo = run === undefined ? !isReserved : isSettled(pod, run);
  return statusOnly(undefined, mayGo ? { kind: 'finalized' } : DONE);
}

/**
 * Whether the attempt of a pod is over for its Run. The Run may be seen late: then its attempt is an earlier one, or under way, and it is
 * waited for.
 */
function isSettled(pod: KubeObject, run: Run): boolean {
  const attempt = attemptOf(pod, run);
  if (attempt === undefined || attempt < attemptsOf(run) || isFinished(run)) return true;
  return attempt === attemptsOf(run) && !isActive(run);
}

/** Number of the attempt that a pod is of; undefined for one of another name, which is of none. */
function attemptOf(pod: KubeObject, run: Run): number | undefined {
  const said = attemptLabelOf(pod);
  if (said !== undefined) return isNamedAsSaid(pod, identityOf(run)) ? said : undefined;
  const { name } = pod.metadata;
  const digits = /-([0-9]+)$/.exec(name)?.[1];
  const attempt = Number(digits);
  return digits !== undefined && name === childName(identityOf(run), attempt) ? attempt : undefined;
}
