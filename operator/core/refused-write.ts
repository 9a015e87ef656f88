// SPDX-License-Identifier: Apache-2.0
import { findCondition, READY, setStanding, type Standing } from './conditions.ts';
import type { ErrorCode, ReconcileError } from './errors.ts';
import type { Condition, KubeObject } from './object.ts';
import { type Plan, statusOnly } from './plan.ts';

/** Reason of what stands still because the API server refuses a write that it needs. */
export const WRITE_REFUSED = 'WriteRefused';
/** What passes by itself within this time is not worth a write. */
export const TOLD_AFTER_MS = 5000;
/** When what was refused is tried again. A policy, a quota, an object or a right of somebody else is in the way: nothing tells when that changes. */
export const TRIED_AGAIN_MS = 15_000;
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'conflict',
  'forbidden',
  'invalid_request',
  'not_found',
  'policy_blocked',
  'quota_exceeded',
]);

interface Conditioned {
  readonly conditions?: readonly Condition[] | undefined;
}

/**
 * Has an object say what the API server refuses to it, some seconds after it began to stand still. `replaces`: the reasons
 * of Ready that say less than that. Undefined when there is nothing to say, or not yet.
 */
export function tellRefusal<Status extends Conditioned>(
  object: KubeObject & { readonly status?: Status },
  { obstacle, replaces }: { readonly obstacle: ReconcileError; readonly replaces: readonly string[] },
  now: Date,
): Plan<Status> | undefined {
  const { status, metadata } = object;
  const ready = readyOf(object);
  if (status === undefined || ready === undefined || !REFUSALS.has(obstacle.code)) return undefined;
  if (isRecent(ready, now) || ![WRITE_REFUSED, ...replaces].includes(ready.reason)) return undefined;
  const message = `the API server refuses what is needed, and it is tried again: ${obstacle.message}`;
  const result = {
    kind: 'requeueAfter',
    afterMs: TRIED_AGAIN_MS,
    why: 'to try again what was refused',
  } as const;
  if (isSaid(ready, message)) return statusOnly(status, result);
  const at = { generation: metadata.generation ?? 0, now };
  const conditions = setStanding(status.conditions ?? [], refusedStanding(message), at);
  return statusOnly({ ...status, conditions }, result);
}

/** What an object said of a refusal, for as long as what is needed is not there; undefined when it said nothing of its present spec. */
export function toldRefusal(object: KubeObject & { readonly status?: Conditioned }): Standing | undefined {
  const ready = readyOf(object);
  if (ready?.reason !== WRITE_REFUSED || ready.observedGeneration !== object.metadata.generation)
    return undefined;
  return refusedStanding(ready.message);
}

function readyOf({ status }: { readonly status?: Conditioned }): Condition | undefined {
  return findCondition(status?.conditions ?? [], READY);
}

function refusedStanding(message: string): Standing {
  return { kind: 'reconciling', reason: WRITE_REFUSED, message };
}

function isRecent({ lastTransitionTime }: Condition, now: Date): boolean {
  return now.getTime() - Date.parse(lastTransitionTime) < TOLD_AFTER_MS;
}

/** Figures, such as what is used of a quota, may change all the time. */
function isSaid({ reason, message }: Condition, wanted: string): boolean {
  return reason === WRITE_REFUSED && withoutFigures(message) === withoutFigures(wanted);
}

/** A message as far as it says the same whatever is counted at the moment: figures are not news. */
export function withoutFigures(text: string): string {
  return text.replaceAll(/\d+/g, '0');
}
