// SPDX-License-Identifier: Apache-2.0
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import type { MeteredAttempt } from '#crds/v1alpha1/run-usage';
import type { KubeObject } from '../object.ts';
import type { Run } from '../run/run.ts';
import { settle } from '../run/settlement.ts';

/** A Run that is gone, as it was seen last, and the pod of its last attempt. */
export interface LastSeen {
  readonly run: Run;
  readonly pod: KubeObject | undefined;
  /** Of a Run of many pods: those of its last attempt. */
  readonly members?: readonly KubeObject[];
}

/** What was found of the Run of a reservation that is given back; undefined when nobody has seen it. */
export type Holder = { readonly run: Run } | LastSeen | undefined;

/**
 * The attempt that was admitted by a reservation, settled. It must name the very reservation: one that was made for an attempt that
 * had ended by then, by who had not seen that yet, counts nothing a second time. Undefined for such a one, and where nothing was admitted.
 */
export function attemptOf(
  { attempt, serial }: Reservation,
  holder: Holder,
  now: Date,
): MeteredAttempt | undefined {
  if (holder === undefined || serial === undefined) return undefined;
  const { status } = 'pod' in holder ? settle(holder.run, { ...holder, until: now }, now) : holder.run;
  return status?.usage?.attempts?.find((one) => one.attempt === attempt && one.reservation === serial);
}
