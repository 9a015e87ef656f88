// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS } from '#crds/v1alpha1/run';
import type { Failure } from '../run/outcome.ts';

/**
 * Why a Run of that many pods never starts where Kueue decides: it would let them in one by one, as they are not told to it as a group, which is not
 * done yet.
 */
export function ungrouped(pods: number): string {
  const found = `spec.gang of its Agent: found ${pods} pods where Kueue decides what starts`;
  return `${found}; allowed are Runs of one pod, or a GPU class with deviceClassName, on which Kueue does not decide`;
}

/** How such a Run fails. */
export function ungroupedFailure(message: string): Failure {
  return {
    reason: RUN_REASONS.WorkloadRefused,
    error: { code: 'invalid_request', message, retryable: false },
  };
}
