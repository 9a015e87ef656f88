// SPDX-License-Identifier: Apache-2.0
import { MAX_VERDICT_POLICIES } from '#crds/v1alpha1/image-verdict';
import { formatReference, parseReference, type Reference } from '../oci/reference.ts';
import { isUnanswered } from '../supply-chain/judgement.ts';
import { heldPolicies } from './bound.ts';
import type { ImageUse } from './images.ts';
import { type ImagePolicyFacts, isAbout } from './policy.ts';
import type { PolicyVerdict, Proof } from './proof.ts';

/** What is known of images when a pod is judged: from memory alone. */
export interface KnownImages {
  /** Of a namespace: what was proved of an image that is written so, with nothing left unsaid. */
  readonly proofOf: (image: string) => Proof | undefined;
  /** Of a namespace: what was proved of the image with that digest in a repository, by whatever names: what is gone by, the latest first. */
  readonly proofsOfDigest: (repository: string, digest: string) => readonly Proof[];
}

/** What is to be judged, and by what. */
export interface ImagesAsked {
  readonly uses: readonly ImageUse[];
  /** Those that are for the namespace. */
  readonly policies: readonly ImagePolicyFacts[];
  readonly known: KnownImages;
  readonly now: Date;
}

/** Why an image does not pass a policy, or not yet. */
export interface ImageFinding {
  /** Refused: it is not as asked. Unknown: that could not be told. Pending: nobody has looked yet. */
  readonly kind: 'Refused' | 'Unknown' | 'Pending';
  readonly use: ImageUse;
  readonly policy: ImagePolicyFacts;
  readonly reason: string;
  readonly message: string;
  /** What was looked at, where that is known: this, and not the name, is what has to be signed. */
  readonly digest?: string;
}

/** What a name meant when it was looked at, to be said behind it; nothing where it says so itself, or nobody knows. */
export function meantBy(image: string, digest: string | undefined): string {
  return digest === undefined || image.endsWith(`@${digest}`) ? '' : ` (${digest})`;
}

/** What images come to. */
export interface ImagesJudged {
  readonly findings: readonly ImageFinding[];
  /** By what was written: what it is, so that it is that which runs. */
  readonly digests: ReadonlyMap<string, string>;
  /** Whole names of images of which there is nothing to go by. */
  readonly wanted: readonly string[];
  /** As verdicts name them: images that are refused by what was found of them, where that is enforced. */
  readonly refused: readonly string[];
}

/** Judges images by what is known of them. Each policy that is about an image has to be content. */
export function judgeImages({ uses, policies, known, now }: ImagesAsked): ImagesJudged {
  const findings: ImageFinding[] = [];
  const digests = new Map<string, string>();
  const wanted = new Set<string>();
  const refused = new Set<string>();
  for (const use of uses) {
    const judged = judgeImage(use, { policies, known, now });
    findings.push(...judged.findings);
    if (judged.digest !== undefined) digests.set(use.image, judged.digest);
    if (judged.wanted !== undefined) wanted.add(judged.wanted);
    if (judged.refused !== undefined) refused.add(judged.refused);
  }
  return { findings, digests, wanted: [...wanted], refused: [...refused] };
}

type Judging = Omit<ImagesAsked, 'uses'>;

interface ImageJudged {
  readonly findings: readonly ImageFinding[];
  readonly digest?: string | undefined;
  readonly wanted?: string | undefined;
  readonly refused?: string | undefined;
}

function judgeImage(use: ImageUse, { policies, known, now }: Judging): ImageJudged {
  const read = parseReference(use.image);
  if (read.kind === 'refused') {
    // What nobody can name, a policy may be about: whoever reads it otherwise than we do runs it.
    const message = `found ${read.found}; what would pass is ${read.wanted}`;
    const found = { kind: 'Refused', use, reason: 'InvalidReference', message } as const;
    return { findings: policies.map((policy) => ({ ...found, policy })) };
  }
  const { reference } = read;
  const asked = policies.filter((policy) => isAbout(policy, reference));
  if (asked.length === 0) return { findings: [] };
  const proofs = proofsFor(reference, known);
  const held = new Set(heldPolicies(asked));
  const results = asked.map((policy) => ({
    policy,
    ...(held.has(policy) ? resultOf(policy, { proofs, now }) : { result: LEFT_OUT, image: undefined }),
  }));
  const findings = results.flatMap(({ policy, result }): readonly ImageFinding[] =>
    result === undefined ? [] : [{ ...result, use, policy }],
  );
  const isPending = findings.some(({ kind }) => kind === 'Pending');
  // What a warning is about stays as it was written: nobody is held to it.
  const isHeld = results.some(
    ({ policy, result }) => policy.enforcement === 'Enforce' && result === undefined,
  );
  const refused = results.find(
    ({ policy, result }) =>
      policy.enforcement === 'Enforce' && result?.kind === 'Refused' && result !== LEFT_OUT,
  );
  return {
    findings,
    ...(refused !== undefined && { refused: refused.image }),
    ...(isHeld && reference.digest === undefined && { digest: proofs[0]?.digest }),
    ...(isPending && { wanted: formatReference(reference) }),
  };
}

/** What was proved of an image as it is written; where it is written with its digest, also by other names of that. What counts first is first. */
export function proofsFor(reference: Reference, known: KnownImages): readonly Proof[] {
  const { registry, repository, digest } = reference;
  const own = known.proofOf(formatReference(reference));
  if (digest === undefined) return own === undefined ? [] : [own];
  const others = known.proofsOfDigest(`${registry}/${repository}`, digest).filter((one) => one !== own);
  if (own?.digest === digest) return [own, ...others];
  // One without a digest says why not even that could be told: nothing is verified by it.
  return own !== undefined && own.digest === undefined ? [...others, own] : others;
}

type Result = Pick<ImageFinding, 'kind' | 'reason' | 'message' | 'digest'>;

/** What a policy is held against: what was proved of one image, by one name of it or by several. */
interface Counting {
  readonly proofs: readonly Proof[];
  readonly now: Date;
}

/** What a policy says now, until when, and where that stands; or why nothing counts. */
export type CountingVerdict =
  | { readonly verdict: PolicyVerdict; readonly proof: Proof; readonly end: number }
  | { readonly pending: string };

/**
 * What a policy says of an image, as far as it counts now; or why it does not. What could not be told by one name of it takes the place of nothing that
 * is known by another: a registry that is silent when a pod is looked at that runs does not take back what it was let in by.
 */
export function countingVerdict(policy: ImagePolicyFacts, { proofs, now }: Counting): CountingVerdict {
  const [own, ...others] = proofs;
  if (own === undefined) return { pending: 'is being verified' };
  const first = countingIn(policy, own, now);
  if (isTold(first.found)) return first.found;
  const told = others.map((one) => countingIn(policy, one, now)).filter(({ found }) => isTold(found));
  return (told.find(({ digest }) => digest === (first.digest ?? digest)) ?? first).found;
}

function isTold(found: CountingVerdict): boolean {
  return 'verdict' in found && found.verdict.outcome !== 'Unknown';
}

/** What one proof says for a policy, with the digest of what the policy asked then: only what asks the same takes the place of another. */
function countingIn(
  policy: ImagePolicyFacts,
  proof: Proof,
  now: Date,
): { readonly found: CountingVerdict; readonly digest?: string } {
  const verdict = proof.policies.find(({ uid }) => uid === policy.uid);
  if (verdict === undefined) return { found: { pending: 'is being verified' } };
  if (verdict.generation !== policy.generation)
    return { found: { pending: 'is being verified again, since the policy has changed' } };
  const { digest } = verdict;
  const end = endOf(policy, { proof, verdict });
  if (now.getTime() < end) return { found: { verdict, proof, end }, digest };
  const pending = `is being verified again: what was found at ${proof.verifiedAt} does not count any more`;
  return { found: { pending }, digest };
}

/** Nothing where the policy is content. */
function resultOf(
  policy: ImagePolicyFacts,
  counting: Counting,
): { readonly result?: Result; readonly image?: string } {
  const found = countingVerdict(policy, counting);
  if ('pending' in found) return { result: pending(found.pending) };
  const { verdict, proof } = found;
  if (verdict.outcome === 'Verified' || isAllowed(verdict, policy)) return {};
  const { outcome: kind, reason = kind, message } = verdict;
  const { digest, image } = proof;
  return { result: { kind, reason, message, ...(digest !== undefined && { digest }) }, image };
}

/** What is attached to an image, or a policy that cannot be read, lets nothing in: only that nobody answered may. */
function isAllowed({ outcome, reason }: PolicyVerdict, { unknown }: ImagePolicyFacts): boolean {
  return outcome === 'Unknown' && unknown === 'Allow' && isUnanswered(reason);
}

/** What nobody looks at never passes: who makes more policies than there may be gets nothing by it. */
const LEFT_OUT: Result = {
  kind: 'Refused',
  reason: 'TooManyPolicies',
  message: `more than ${MAX_VERDICT_POLICIES} policies are about the image, and it is not looked at by this one`,
};

function pending(message: string): Result {
  return { kind: 'Pending', reason: 'BeingVerified', message };
}

/** Until when a verdict counts: as long as it was said to, and no longer than the policy lets one. */
function endOf(
  { maxAgeSeconds }: ImagePolicyFacts,
  { proof, verdict }: { readonly proof: Proof; readonly verdict: PolicyVerdict },
): number {
  const ends = [
    Date.parse(proof.expiresAt),
    Date.parse(verdict.verifiedAt ?? proof.verifiedAt) + maxAgeSeconds * 1000,
    verdict.validUntil === undefined ? Infinity : Date.parse(verdict.validUntil),
  ];
  return Math.min(...ends);
}
