// SPDX-License-Identifier: Apache-2.0
import { RECONCILING, STALLED } from '../core/conditions.ts';
import type { Condition, KubeObject } from '../core/object.ts';
import type { PlanEvent } from '../core/plan.ts';

/** An Event of a changed condition. */
export interface ConditionEvent extends PlanEvent {
  /** The reason that the condition had before; undefined for a new one. */
  readonly was: string | undefined;
}

/**
 * The Events that a change of conditions is worth: one for each reason that is new or whose status turned.
 * Ready repeats what another condition tells, so equal sentences are told once.
 */
export function conditionEvents(before: unknown, after: unknown): readonly ConditionEvent[] {
  const old = new Map(conditionsOf(before).map((one) => [one.type, one]));
  const now = conditionsOf(after);
  const isStalled = now.some((one) => one.type === STALLED && one.status === 'True');
  const events = new Map<string, ConditionEvent>();
  for (const condition of now) {
    const known = old.get(condition.type);
    if (known?.status === condition.status && known.reason === condition.reason) continue;
    const event: ConditionEvent = {
      type: isWarning(condition, isStalled) ? 'Warning' : 'Normal',
      reason: condition.reason,
      message: condition.message,
      was: known?.reason,
    };
    const sentence = `${event.reason}\n${event.message}`;
    if (events.get(sentence)?.type !== 'Warning') events.set(sentence, event);
  }
  return [...events.values()];
}

/** `status.conditions`, or none. */
export function conditionsOf(status: unknown): readonly Condition[] {
  if (typeof status !== 'object' || status === null || !('conditions' in status)) return [];
  return Array.isArray(status.conditions) ? (status.conditions as Condition[]) : [];
}

/** `status` of an object, as it came. */
export function statusOf(object: KubeObject): unknown {
  return object['status'];
}

/** Work under way is no reason to warn; being stuck is. */
function isWarning(condition: Condition, isStalled: boolean): boolean {
  if (condition.type === STALLED) return condition.status === 'True';
  if (condition.type === RECONCILING || condition.status !== 'False') return false;
  return isStalled;
}
