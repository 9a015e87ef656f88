// SPDX-License-Identifier: Apache-2.0
import { countingVerdict, type KnownImages, proofsFor } from '../images/admit.ts';
import { heldPolicies } from '../images/bound.ts';
import { type ImageUse, imagesOf } from '../images/images.ts';
import { type ImagePolicyFacts, isAbout } from '../images/policy.ts';
import type { Proof } from '../images/proof.ts';
import { type ProvenFacts, TOLD_PARTS, type ToldPart } from '../images/proven-facts.ts';
import { formatReference, parseReference } from '../oci/reference.ts';
import { isJsonObject, type Review } from './review.ts';

/** What rules are told of one part of a policy. NotAsked: the policy does not ask it, so nobody has looked. */
export type PartOutcome = 'Verified' | 'Refused' | 'Unknown' | 'NotAsked';

/** What one policy says of an image: whose word it is, and what those that the policy trusts state. */
export interface ImageInputPolicy extends Partial<Omit<ProvenFacts, 'checks'>> {
  readonly kind: ImagePolicyFacts['kind'];
  readonly name: string;
  readonly outcome: 'Verified' | 'Refused' | 'Unknown';
  readonly reason?: string;
  readonly verifiedAt?: string;
  /** From when on it counts no more. */
  readonly validUntil?: string;
  readonly checks: Readonly<Record<ToldPart, PartOutcome>>;
}

/** Why nothing is known of an image. None of it says that it is bad, and none that it is good. */
export const NOT_KNOWN = {
  /** No policy is about it, so nobody looks at it. */
  NotCovered: 'NotCovered',
  /** It is being looked at. */
  BeingVerified: 'BeingVerified',
  /** It could not be told: each policy says why. */
  CouldNotBeTold: 'CouldNotBeTold',
  /** Its name is none. */
  InvalidReference: 'InvalidReference',
  /** Who asks knows of no verdicts: a command line, or a process that has not read them. */
  Unavailable: 'Unavailable',
  /** More is stated of all images together than rules are told. */
  TooMuch: 'TooMuch',
} as const;

/** An image as rules see it. */
export interface ImageInput {
  readonly field: string;
  /** As it is written. */
  readonly image: string;
  /** With nothing left unsaid; absent where its name is none. */
  readonly name?: string;
  /** What it is, as was verified. */
  readonly digest?: string;
  /** Known: some policy has said what it is. */
  readonly state: 'Known' | 'NotKnown';
  readonly reason?: keyof typeof NOT_KNOWN;
  readonly policies: readonly ImageInputPolicy[];
}

/** What is known of the images of a namespace, and by which policies. */
export interface ImagesKnown {
  /** Those that are for the namespace. */
  readonly policies: readonly ImagePolicyFacts[];
  readonly known: KnownImages;
}

/** Says what is known of images that stand in an object. */
export type ImageTeller = (uses: readonly ImageUse[], now: Date) => readonly ImageInput[];

/** Images that rules are told of; those beyond are not known. */
export const MAX_TOLD_IMAGES = 64;
/** Of all that is told of the images of one request: an evaluation has little time, and what it reads takes some. */
export const MAX_TOLD_BYTES = 64 * 1024;

/** A teller that goes by what was proved. Undefined: nobody knows. */
export function tellerOf(lookUp: () => ImagesKnown | undefined): ImageTeller {
  return (uses, now) => {
    const images = lookUp();
    return uses.map((use) => (images === undefined ? unknown(use, 'Unavailable') : tell(use, images, now)));
  };
}

/** Says the same each time, for one request: what it was told first. */
export function toldOnce(teller: ImageTeller): ImageTeller {
  let told: readonly ImageInput[] | undefined;
  return (uses, now) => {
    told ??= teller(uses, now);
    return told;
  };
}

/** What rules find as `input.images`: every image of the object, each once for every place that it stands in. */
export function imageInputs(
  review: Review,
  teller: ImageTeller | undefined,
  now: Date,
): readonly ImageInput[] {
  const uses = usesOf(review);
  if (uses.length === 0) return [];
  const told = (teller ?? tellerOf(() => undefined))(uses.slice(0, MAX_TOLD_IMAGES), now);
  let left = MAX_TOLD_BYTES;
  return uses.map((use, index) => {
    const one = told[index] ?? unknown(use, 'TooMuch');
    left -= Buffer.byteLength(JSON.stringify(one));
    return left < 0 ? unknown(use, 'TooMuch') : one;
  });
}

const AGENT = { group: 'nexusos.dev', resource: 'agents' } as const;

/** Images of what runs pods, and of Agents. */
function usesOf({ resource, object }: Review): readonly ImageUse[] {
  if (resource.group !== AGENT.group || resource.resource !== AGENT.resource)
    return imagesOf(resource, object);
  const spec = object?.['spec'];
  const container = isJsonObject(spec) ? spec['container'] : undefined;
  const image = isJsonObject(container) ? container['image'] : undefined;
  return typeof image === 'string' && image !== '' ? [{ field: 'spec.container.image', image }] : [];
}

function unknown({ field, image }: ImageUse, reason: keyof typeof NOT_KNOWN, name?: string): ImageInput {
  return { field, image, ...(name !== undefined && { name }), state: 'NotKnown', reason, policies: [] };
}

function tell(use: ImageUse, { policies, known }: ImagesKnown, now: Date): ImageInput {
  const read = parseReference(use.image);
  if (read.kind === 'refused') return unknown(use, 'InvalidReference');
  const name = formatReference(read.reference);
  const about = heldPolicies(policies.filter((policy) => isAbout(policy, read.reference)));
  if (about.length === 0) return unknown(use, 'NotCovered', name);
  const proofs = proofsFor(read.reference, known);
  const digest = proofs[0]?.digest;
  const told = about.map((policy) => tellPolicy(policy, proofs, now));
  const isKnown = told.some(({ outcome }) => outcome !== 'Unknown');
  const isPending = told.some(({ reason }) => reason === 'BeingVerified');
  const { field, image } = use;
  return {
    field,
    image,
    name,
    ...(isKnown && digest !== undefined && { digest }),
    state: isKnown ? 'Known' : 'NotKnown',
    ...(!isKnown && { reason: isPending ? ('BeingVerified' as const) : ('CouldNotBeTold' as const) }),
    policies: told,
  };
}

/** What a policy says now. What does not count any more says nothing. */
function tellPolicy(policy: ImagePolicyFacts, proofs: readonly Proof[], now: Date): ImageInputPolicy {
  const { kind, name } = policy;
  const counting = countingVerdict(policy, { proofs, now });
  if ('pending' in counting)
    return { kind, name, outcome: 'Unknown', reason: 'BeingVerified', checks: checksOf(undefined) };
  const { outcome, reason, verifiedAt = counting.proof.verifiedAt, facts } = counting.verdict;
  const { checks, ...stated } = facts ?? {};
  return {
    kind,
    name,
    outcome,
    ...(reason !== undefined && { reason }),
    verifiedAt,
    validUntil: new Date(counting.end).toISOString(),
    checks: checksOf(checks),
    ...stated,
  };
}

/** Where nothing is told of what was stated, nothing of it is known: that is not the same as not being asked. */
function checksOf(checks: ProvenFacts['checks'] | undefined): ImageInputPolicy['checks'] {
  const outcomeOf = (part: ToldPart): PartOutcome =>
    checks === undefined ? 'Unknown' : (checks[part]?.outcome ?? 'NotAsked');
  return Object.fromEntries(TOLD_PARTS.map((part) => [part, outcomeOf(part)])) as Record<
    ToldPart,
    PartOutcome
  >;
}
