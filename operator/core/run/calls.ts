// SPDX-License-Identifier: Apache-2.0
import type { Price } from '#crds/v1alpha1/price';
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import type { CallStatus } from '#crds/v1alpha1/run-calls';
import { RUN_CALL_REASONS } from '#crds/v1alpha1/run-calls';
import type { ErrorCode } from '../errors.ts';
import { defined } from '../object.ts';
import type { Failure } from './outcome.ts';
import type { Run } from './run.ts';
import type { Cause } from './status.ts';

/** What its reservation says of a Run among those that call each other, in its status; undefined where it calls nobody, and nobody calls it. */
export function callStatusOf({ levels = 0, call }: Reservation): CallStatus | undefined {
  if (call === undefined) return levels === 0 ? undefined : { depth: 0, levels };
  const { depth, attempt, root: uid, rootName: name } = call;
  return { depth, levels, attempt, root: { name, uid } };
}

/** The same the other way round: the ledger at hand may be older than the status. */
export function reservedCall({ spec, status }: Run): Pick<Reservation, 'levels' | 'call'> {
  const { depth = 0, levels = 0, attempt, root } = status?.call ?? {};
  const { parentRef } = spec;
  const isCalled = parentRef !== undefined && attempt !== undefined && root !== undefined;
  const call = isCalled
    ? { parent: parentRef.uid, attempt, root: root.uid, rootName: root.name, depth }
    : undefined;
  return defined({ levels: levels === 0 ? undefined : levels, call });
}

/**
 * What a Run pays that starts now. One that another one calls pays what that does, as what is below a Run was reserved by its price: so
 * a tree has one. Any other pays `price`, what its tenant does.
 */
export function priceAtStart(
  { call }: Pick<Reservation, 'call'>,
  { parent, price }: { readonly parent?: Run | undefined; readonly price?: Price | undefined },
): Price | undefined {
  const caller = call && parent?.status?.usage?.open;
  return caller === undefined ? price : caller.rate.price;
}

/** What no wait would change: the Run fails with it. */
const REFUSED: Readonly<Record<string, { readonly code: ErrorCode; readonly retryable: boolean }>> = {
  [RUN_CALL_REASONS.CallNotAllowed]: { code: 'policy_blocked', retryable: false },
  [RUN_CALL_REASONS.CallTooDeep]: { code: 'policy_blocked', retryable: false },
  [RUN_CALL_REASONS.TooManyCalls]: { code: 'quota_exceeded', retryable: false },
  [RUN_CALL_REASONS.TreeBudgetExhausted]: { code: 'quota_exceeded', retryable: true },
};

/** How a Run fails that may not be called; undefined for what it may wait for. */
export function refusedCall({ reason, message }: Cause): Failure | undefined {
  const refused = REFUSED[reason];
  return refused && { reason, error: { ...refused, message } };
}
