// SPDX-License-Identifier: Apache-2.0
import { isBeyondPacks } from '#operator/core/policy/match';
import type { ImageJudge } from './images/image-judge.ts';
import type { DecisionContext, PolicyDecider } from './policy.ts';
import { ALLOWED, type AdmissionRequest, type Answer, merged } from './review.ts';

/** What says whether an object of ours makes sense beside the others. Pure over what is known. */
export type Validation = (request: AdmissionRequest) => Answer;

/** Who is asked about a request. */
export interface Judges {
  readonly validate: Validation;
  readonly decider: PolicyDecider;
  readonly images: Pick<ImageJudge, 'pin' | 'decide'>;
}

/** What both say together: all reasons at once, so that nobody has to come again for each. */
export async function judge(
  { validate, decider, images }: Judges,
  request: AdmissionRequest,
  context: DecisionContext,
): Promise<Answer> {
  const policy = isBeyondPacks(request.resource) ? ALLOWED : await decider.decide(request, context);
  if (context.mutating) return merged(policy, images.pin(request, policy.patch));
  return merged(merged(validate(request), policy), images.decide(request));
}
