// SPDX-License-Identifier: Apache-2.0
import type { Condition } from './object.ts';

/** Longest message that `metav1.Condition` takes, in characters. */
export const MAX_MESSAGE_LENGTH = 32_768;
/** The summary of every kind; `kubectl wait --for=condition=Ready` works on it. */
export const READY = 'Ready';
/** kstatus: there while work towards the spec is under way. */
export const RECONCILING = 'Reconciling';
/** kstatus: there while nothing can move on until somebody changes something. */
export const STALLED = 'Stalled';

const ELLIPSIS = '…';

/** What a decision says about one condition; the rest is filled in by `setCondition`. */
export interface ConditionInput {
  readonly type: string;
  readonly status: Condition['status'];
  /** PascalCase, not empty. */
  readonly reason: string;
  /** A sentence for people. Cut at `MAX_MESSAGE_LENGTH`. */
  readonly message: string;
}

/** When and of which spec a condition speaks. */
export interface Judgement {
  /** `metadata.generation` that was looked at; undefined where the status as a whole tells it. */
  readonly generation?: number;
  readonly now: Date;
}

/** `text` of at most `max` UTF-16 units, with an ellipsis where it was cut; never half a surrogate pair. */
export function truncate(text: string, max = MAX_MESSAGE_LENGTH): string {
  if (text.length <= max) return text;
  const end = max - ELLIPSIS.length;
  const last = text.charCodeAt(end - 1);
  const splitsPair = last >= 0xd8_00 && last <= 0xdb_ff;
  return text.slice(0, splitsPair ? end - 1 : end) + ELLIPSIS;
}

/**
 * `conditions` with `input` in it, sorted by type. `lastTransitionTime` is kept while the status stays the
 * same, and no other condition is touched.
 */
export function setCondition(
  conditions: readonly Condition[],
  input: ConditionInput,
  at: Judgement,
): readonly Condition[] {
  const before = conditions.find((one) => one.type === input.type);
  const condition: Condition = {
    type: input.type,
    status: input.status,
    reason: input.reason,
    message: truncate(input.message),
    ...(at.generation !== undefined && { observedGeneration: at.generation }),
    lastTransitionTime: before?.status === input.status ? before.lastTransitionTime : toInstant(at.now),
  };
  return [...conditions.filter((one) => one.type !== input.type), condition].toSorted(byType);
}

/** `setCondition` for several, in order. */
export function setConditions(
  conditions: readonly Condition[],
  inputs: readonly ConditionInput[],
  at: Judgement,
): readonly Condition[] {
  return inputs.reduce((so, input) => setCondition(so, input, at), conditions);
}

/** `conditions` without the one of `type`. */
export function removeCondition(conditions: readonly Condition[], type: string): readonly Condition[] {
  return conditions.filter((one) => one.type !== type);
}

/** The condition of `type`, when there is one. */
export function findCondition(conditions: readonly Condition[], type: string): Condition | undefined {
  return conditions.find((one) => one.type === type);
}

/** Whether the condition of `type` is there and True. */
export function isTrue(conditions: readonly Condition[], type: string): boolean {
  return findCondition(conditions, type)?.status === 'True';
}

/** How an object stands as a whole, in the three ways that kstatus knows. */
export type Standing =
  | { readonly kind: 'ready'; readonly reason: string; readonly message: string }
  | { readonly kind: 'reconciling'; readonly reason: string; readonly message: string }
  | { readonly kind: 'stalled'; readonly reason: string; readonly message: string };

/**
 * Sets Ready, and Reconciling or Stalled while they are true (they are removed else, as kstatus wants). Ready
 * carries the same reason and message, so that `kubectl get` tells the story from one condition.
 */
export function setStanding(
  conditions: readonly Condition[],
  standing: Standing,
  at: Judgement,
): readonly Condition[] {
  const { kind, reason, message } = standing;
  const ready: ConditionInput = { type: READY, status: kind === 'ready' ? 'True' : 'False', reason, message };
  const rest = removeCondition(removeCondition(conditions, RECONCILING), STALLED);
  // Found among the old conditions first, so that its transition time lives on while it stays true.
  if (kind === 'ready') return setCondition(rest, ready, at);
  const type = kind === 'stalled' ? STALLED : RECONCILING;
  const kept = conditions.filter((one) => one.type === type);
  return setConditions([...rest, ...kept], [ready, { type, status: 'True', reason, message }], at);
}

/**
 * Ready as the sum of `types`: the first one that is not True gives reason and message; all True gives
 * `whenTrue`. A condition that is missing counts as Unknown.
 */
export function summarize(
  conditions: readonly Condition[],
  types: readonly string[],
  whenTrue: { readonly reason: string; readonly message: string },
): ConditionInput {
  for (const type of types) {
    const found = findCondition(conditions, type);
    if (found === undefined) {
      return { type: READY, status: 'Unknown', reason: 'Pending', message: `${type} is not known yet` };
    }
    if (found.status !== 'True') {
      return { type: READY, status: found.status, reason: found.reason, message: found.message };
    }
  }
  return { type: READY, status: 'True', ...whenTrue };
}

/** An instant as `metav1.Time` writes it: whole seconds, UTC. */
export function toInstant(now: Date): string {
  return `${now.toISOString().slice(0, 19)}Z`;
}

function byType(a: Condition, b: Condition): number {
  if (a.type === b.type) return 0;
  return a.type < b.type ? -1 : 1;
}
