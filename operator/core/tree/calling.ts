// SPDX-License-Identifier: Apache-2.0
import type { Reservation, ReservedCall } from '#crds/v1alpha1/quota-ledger';
import type { Aged } from '../quota/queue-order.ts';
import type { Below } from './below.ts';

/** What the queue knows of a Run that calls others, or that others call. */
export interface Calling {
  /** Its place below the Run that calls it. */
  readonly call?: ReservedCall;
  /** Levels of Runs that there may be below it, if any, and what these need: as much stays free when it is admitted. */
  readonly levels?: number;
  readonly below?: Below;
  /** What it reserves for Runs below it, where nobody calls it. */
  readonly pool?: NonNullable<Reservation['pool']>;
  /** The age that its place in the queue follows from, if not its own. */
  readonly turn?: Aged;
}
