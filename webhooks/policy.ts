// SPDX-License-Identifier: Apache-2.0
import { ALLOWED, type AdmissionRequest, type Answer } from './review.ts';

/** Within what a decision has to be taken. */
export interface DecisionContext {
  /** Aborted when nobody waits for the answer any more, though there is none yet. */
  readonly signal: AbortSignal;
  /** When that is, by `performance.now()`. */
  readonly deadlineAt: number;
  /** Whether the object may still be changed. */
  readonly mutating: boolean;
}

/** What the packs say to a request. */
export interface PolicyDecider {
  /** Whether every pack that is active is loaded, so that what it says is what holds. */
  ready(): boolean;
  /** Never rejects for what a pack does: that is an answer, too. */
  decide(request: AdmissionRequest, context: DecisionContext): Promise<Answer>;
}

/** Where there are no packs. */
export const NO_PACKS: PolicyDecider = {
  ready: () => true,
  decide: () => Promise.resolve(ALLOWED),
};
