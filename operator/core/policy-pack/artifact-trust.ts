// SPDX-License-Identifier: Apache-2.0
import { POLICY_PACK_REASONS } from '#crds/v1alpha1/policy-pack';
import type { ImageFinding } from '../images/admit.ts';
import { adviceOn } from '../images/advice.ts';
import { nameOf } from '../images/policy.ts';
import { imageTrust, type TrustSeen } from '../images/trust.ts';
import { formatReference, parseReference } from '../oci/reference.ts';
import type { ArtifactContent, PackFault } from './verification.ts';

const { ArtifactRefused, ArtifactUnknown, VerifyingArtifact } = POLICY_PACK_REASONS;
const AT = 'spec.source.oci';

/** What policies on images say of the artifact of a pack. */
export type ArtifactTrust =
  /** No policy is about it. */
  | { readonly kind: 'unasked' }
  /** It is as asked by those that are enforced. */
  | { readonly kind: 'trusted'; readonly message: string; readonly againMs: number }
  /** It is not, or that is not known: it is not read, and what was made of it goes no further. */
  | { readonly kind: 'fault'; readonly fault: PackFault };

/** The artifact as an image is named; undefined of what has no name. */
export function artifactName({
  image,
  digest,
}: Pick<ArtifactContent, 'image' | 'digest'>): string | undefined {
  const read = parseReference(`${image}@${digest}`);
  return read.kind === 'ok' ? formatReference(read.reference) : undefined;
}

/** Judges an artifact as admission judges an image: by what was proved of it, by each policy that is about it. */
export function artifactTrust(
  content: Pick<ArtifactContent, 'image' | 'digest'>,
  seen: TrustSeen,
): ArtifactTrust {
  const name = artifactName(content);
  // What has no name cannot be fetched either, and is told so.
  const trust = name === undefined ? UNASKED : imageTrust(name, seen);
  // That pods may run what could not be told does not make rules of it: what decides goes on meanwhile.
  if (trust.kind === 'held' || trust.kind === 'untold')
    return { kind: 'fault', fault: faultOf(trust.name, trust.finding) };
  if (trust.kind === 'unasked') return trust;
  const { message, againMs } = trust;
  return { kind: 'trusted', message: `its artifact: ${message}`, againMs };
}

const UNASKED = { kind: 'unasked' } as const;

function faultOf(name: string, { kind, policy, reason, message }: ImageFinding): PackFault {
  const by = `${name}, by ${nameOf(policy)}`;
  if (kind === 'Pending')
    return {
      reason: VerifyingArtifact,
      message: `${AT}: ${by}: ${message}`,
      passing: true,
      isUnknown: true,
    };
  const advice = adviceOn(reason);
  const told = `${by} (${reason}): ${message}${advice === undefined ? '' : `; ${advice}`}`;
  if (kind === 'Unknown')
    return {
      reason: ArtifactUnknown,
      message: `${AT}: it could not be told whether this is as asked: ${told}`,
      passing: true,
      isUnknown: true,
    };
  return { reason: ArtifactRefused, message: `${AT}: refused: ${told}`, passing: false };
}
