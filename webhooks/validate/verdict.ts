// SPDX-License-Identifier: Apache-2.0
import { isDeepEqual } from '#operator/core/compare';
import { type AdmissionRequest, type Answer, type Refusal } from '../review.ts';

/** What an object has to be told. */
export interface Verdict {
  readonly refusals?: readonly Refusal[];
  readonly warnings?: readonly string[];
}

/** The answer that says so. */
export function answerOf({ refusals = [], warnings = [] }: Verdict): Answer {
  return { allowed: refusals.length === 0, refusals, warnings, auditAnnotations: {} };
}

/**
 * Whether somebody asks for another spec than there is. Who does not is refused nothing: labels, annotations and finalizers of what was
 * let in once can always be changed.
 */
export function asksForChange({ operation, object, oldObject }: AdmissionRequest): boolean {
  if (operation === 'CREATE') return true;
  return operation === 'UPDATE' && !isDeepEqual(object?.['spec'], oldObject?.['spec']);
}
