// SPDX-License-Identifier: Apache-2.0
import { AGENT_REASONS } from '#crds/v1alpha1/agent';
import { type ConditionInput, removeCondition, setCondition } from '../conditions.ts';
import { meantBy } from '../images/admit.ts';
import { adviceOn } from '../images/advice.ts';
import { nameOf } from '../images/policy.ts';
import type { ImageTrust } from '../images/trust.ts';
import type { Condition } from '../object.ts';
import type { Agent } from './agent.ts';

const { ImageVerified, ImageRefused, ImageUnknown, VerifyingImage } = AGENT_REASONS;
/** The condition that says what policies on images say of the image. It holds up no Run: admission refuses the pods. */
const TYPE = 'ImageVerified';

const HELD = {
  Refused: { status: 'False', reason: ImageRefused },
  Unknown: { status: 'Unknown', reason: ImageUnknown },
  Pending: { status: 'Unknown', reason: VerifyingImage },
} as const;

/** The conditions with what is said of the image; without, where no policy is about it. */
export function withImage(
  { metadata }: Agent,
  {
    conditions,
    image,
  }: { readonly conditions: readonly Condition[]; readonly image: ImageTrust | undefined },
  now: Date,
): readonly Condition[] {
  const told = conditionOf(image ?? { kind: 'unasked' });
  if (told === undefined) return removeCondition(conditions, TYPE);
  return setCondition(conditions, told, { generation: metadata.generation ?? 0, now });
}

function conditionOf(image: ImageTrust): ConditionInput | undefined {
  if (image.kind === 'unasked') return undefined;
  if (image.kind === 'trusted')
    return { type: TYPE, status: 'True', reason: ImageVerified, message: image.message };
  const { kind, policy, reason, message, digest } = image.finding;
  const advice = kind === 'Pending' ? undefined : adviceOn(reason);
  const next = advice === undefined ? '' : `; ${advice}`;
  const said = `${nameOf(policy)} (${reason}): ${message}${next}`;
  return { type: TYPE, ...HELD[kind], message: `${image.name}${meantBy(image.name, digest)}: ${said}` };
}

/** When something else may be said of it, though nobody tells. */
export function imageAgainMs(image: ImageTrust | undefined): number {
  return image?.kind === 'trusted' ? image.againMs : Infinity;
}
