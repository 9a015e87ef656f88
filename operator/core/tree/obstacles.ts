// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS } from '#crds/v1alpha1/run';
import { RUN_CALL_REASONS } from '#crds/v1alpha1/run-calls';
import type { BudgetUnit } from '#crds/v1alpha1/budgets';
import { formatMicro } from '../metering/micro.ts';
import type { Waiting } from '../quota/admit.ts';
import { UNIT_WORDS } from '../quota/budgets.ts';
import { countOf } from '../words.ts';

/** That the reservation of its parent was not seen yet, which is a matter of moments. */
export const PARENT_UNSEEN: Waiting = {
  reason: RUN_REASONS.Pending,
  message: 'the reservation of its parent has not been seen yet',
};

/** That Runs which its last attempt has called have still to end. */
export const CHILDREN_ENDING: Waiting = {
  reason: RUN_CALL_REASONS.ChildrenEnding,
  message: 'Runs that its last attempt has called are being ended; its next one starts when they have',
};

/** That the Agent of its parent does not name its Agent. */
export function notNamed(parentAgent: string, agent: string, allowed: readonly string[]): Waiting {
  const names = allowed.length === 0 ? 'none' : allowed.join(', ');
  const message = `spec.agentRef.name: found ${agent}; Agent ${parentAgent}, which calls it, may call ${names} (spec.calls.agents)`;
  return { reason: RUN_CALL_REASONS.CallNotAllowed, message };
}

/** That a Run above it holds devices, and waits for it. */
export function behindDevices(agent: string, above: string): Waiting {
  const message = `spec.agentRef.name: found ${agent}, which asks for GPUs; allowed is one that asks for none, since Run ${above} above it holds some, and Runs that hold GPUs never wait for others`;
  return { reason: RUN_CALL_REASONS.CallNotAllowed, message };
}

/** That there may be no further level. */
export function tooDeep(depth: number, parent: string): Waiting {
  const message = `spec.parentRef: found Run ${parent}, below which this one would be at depth ${depth}; that one may call nobody any more (spec.calls.maxDepth of the Agents above)`;
  return { reason: RUN_CALL_REASONS.CallTooDeep, message };
}

/** That as many were called in all as may be. */
export function tooMany(root: string, allowed: number): Waiting {
  const message = `spec.parentRef: found ${countOf(allowed, 'Run')} below Run ${root}; allowed: ${allowed} in all (spec.calls.maxTotal of its Agent)`;
  return { reason: RUN_CALL_REASONS.TooManyCalls, message };
}

/** That its parent has called as many others as may be under way. */
export function tooManyAtOnce(parent: string, allowed: number): Waiting {
  const message = `Run ${parent} has ${countOf(allowed, 'Run')} under way that it has called, as many as it may at one time (spec.calls.maxChildren of its Agent)`;
  return { reason: RUN_CALL_REASONS.TooManyChildren, message };
}

/** What is left for Runs below one, in millionths. */
export interface Short {
  readonly root: string;
  readonly unit: BudgetUnit;
  readonly need: bigint;
  readonly left: bigint;
}

const WHERE = 'callsBudget of that Run, calls.budget of its Agent';

/** That others of them may leave enough. */
export function reservedByOthers({ root, unit, need, left }: Short): Waiting {
  const message = `it would reserve ${formatMicro(need)} ${UNIT_WORDS[unit]}, and ${formatMicro(left)} are left of what Run ${root} has reserved for Runs below it (${WHERE}); it goes on when others of these use less than they have reserved`;
  return { reason: RUN_CALL_REASONS.TreeBudgetReserved, message };
}

/** That nobody will leave enough who ends by himself. */
export function exhausted({ root, unit, need, left }: Short): Waiting {
  const message = `spec.estimate.${unit}: it would reserve ${formatMicro(need)} ${UNIT_WORDS[unit]}; ${formatMicro(left)} are left of what Run ${root} has reserved for Runs below it (${WHERE})`;
  return { reason: RUN_CALL_REASONS.TreeBudgetExhausted, message };
}
