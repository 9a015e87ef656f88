// SPDX-License-Identifier: Apache-2.0
import { POLICY_PACK_REASONS } from '#crds/v1alpha1/policy-pack';
import {
  countingVerdict,
  type ImageFinding,
  judgeImages,
  type KnownImages,
  proofFor,
} from '../images/admit.ts';
import { adviceOn } from '../images/advice.ts';
import { type ImagePolicyFacts, isAbout, nameOf } from '../images/policy.ts';
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

/** What the artifact is judged by. */
export interface ArtifactSeen {
  /** Policies that are for the namespace of the pack. */
  readonly policies: readonly ImagePolicyFacts[];
  readonly known: KnownImages;
  readonly now: Date;
}

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
  { policies, known, now }: ArtifactSeen,
): ArtifactTrust {
  const name = artifactName(content);
  const read = parseReference(name ?? '');
  // What has no name cannot be fetched either, and is told so.
  if (name === undefined || read.kind === 'refused') return { kind: 'unasked' };
  const about = policies.filter((policy) => isAbout(policy, read.reference));
  if (about.length === 0) return { kind: 'unasked' };
  const { findings } = judgeImages({ uses: [{ field: AT, image: name }], policies: about, known, now });
  const held = findings.filter(({ policy }) => policy.enforcement === 'Enforce');
  const deciding = (['Refused', 'Unknown', 'Pending'] as const)
    .map((kind) => held.find((one) => one.kind === kind))
    .find((one) => one !== undefined);
  if (deciding !== undefined) return { kind: 'fault', fault: faultOf(name, deciding) };
  const proof = proofFor(read.reference, known);
  const ends = about.flatMap((policy) => {
    const counting = countingVerdict(policy, { proof, now });
    return 'end' in counting ? [counting.end] : [];
  });
  return {
    kind: 'trusted',
    message: messageOf(about, findings),
    againMs: Math.max(1000, Math.min(...ends) - now.getTime()),
  };
}

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

function messageOf(about: readonly ImagePolicyFacts[], findings: readonly ImageFinding[]): string {
  const against = new Set(findings.map(({ policy }) => policy));
  const content = about.filter((policy) => !against.has(policy)).map(nameOf);
  const warned = findings.map(({ policy, reason }) => `${nameOf(policy)} only warns: ${reason}`);
  return [
    ...(content.length === 0 ? [] : [`the artifact is as asked by ${content.join(', ')}`]),
    ...warned,
  ].join('; ');
}
