// SPDX-License-Identifier: Apache-2.0
import { GROUP } from '#crds/v1alpha1/names';
import type { DecisionContext, PolicyDecider } from './policy.ts';
import { BEYOND_PACKS } from './registrations.ts';
import { ALLOWED, type AdmissionRequest, type Answer, merged } from './review.ts';

/** What says whether an object of ours makes sense beside the others. Pure over what is known. */
export type Validation = (request: AdmissionRequest) => Answer;

/** Who is asked about a request. */
export interface Judges {
  readonly validate: Validation;
  readonly decider: PolicyDecider;
}

/** What both say together: all reasons at once, so that nobody has to come again for each. */
export async function judge(
  { validate, decider }: Judges,
  request: AdmissionRequest,
  context: DecisionContext,
): Promise<Answer> {
  const policy = isBeyondPacks(request) ? ALLOWED : await decider.decide(request, context);
  return context.mutating ? policy : merged(validate(request), policy);
}

/** What packs never judge: what decides on packs. A bad one could otherwise not be taken back. */
function isBeyondPacks({ resource }: AdmissionRequest): boolean {
  return resource.group === GROUP && BEYOND_PACKS.has(resource.resource);
}
