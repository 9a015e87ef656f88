// SPDX-License-Identifier: Apache-2.0
import { IMAGE_POLICY_REASONS, type ImagePolicyStatus } from '#crds/v1alpha1/image-policy';
import { MAX_VERDICT_POLICIES } from '#crds/v1alpha1/image-verdict';
import { TRUST_ROOT_REASONS, type TrustRootSpec, type TrustRootStatus } from '#crds/v1alpha1/trust-root';
import { setStanding, type Standing } from '../conditions.ts';
import type { KubeObject } from '../object.ts';
import { parseReference } from '../oci/reference.ts';
import { DONE, type Plan, statusOnly } from '../plan.ts';
import { countOf } from '../words.ts';
import { quote } from '../supply-chain/judgement.ts';
import { imagePolicyFacts, type ImagePolicyObject } from './objects.ts';
import { isAbout } from './policy.ts';
import type { ImageVerdictObject } from './verdict-plan.ts';
import type { Problem, RootRead } from './works.ts';

/** What was seen of a policy on images. */
export interface PolicySeen {
  /** Of the policy with all that it names. */
  readonly digest: string;
  readonly problems: readonly Problem[];
  /** Verdicts on images that it may be about. */
  readonly verdicts: readonly KubeObject[];
  /** Whether it names Secrets, of which no watch tells. */
  readonly hasSecrets: boolean;
}

/** How often it is looked whether a Secret says something else. */
const SECRETS_MS = 60_000;

/** What a policy tells of itself: whether it can be applied, and what became of images. */
export function planImagePolicy(
  object: ImagePolicyObject & { readonly status?: ImagePolicyStatus },
  { digest, problems, verdicts, hasSecrets }: PolicySeen,
  now: Date,
): Plan<ImagePolicyStatus> {
  const { kind, metadata, status } = object;
  const generation = metadata.generation ?? 0;
  const said = verdicts.flatMap((one): readonly SaidOfImage[] => {
    const { spec, status: its } = one as ImageVerdictObject;
    const own = its?.policies?.find((policy) => policy.kind === kind && policy.name === metadata.name);
    if (own === undefined) return [];
    return [{ ...own, image: spec?.image ?? '', namespace: one.metadata.namespace ?? '' }];
  });
  const count = (outcome: string) => said.filter((one) => one.outcome === outcome).length;
  const ready = readyStanding(object, said);
  const standing = problems.length > 0 ? standingOf(problems) : (leftOut(object, verdicts) ?? ready);
  const conditions = setStanding(status?.conditions ?? [], standing, { generation, now });
  return statusOnly(
    {
      observedGeneration: generation,
      digest,
      verified: count('Verified'),
      refused: count('Refused'),
      unknown: count('Unknown'),
      conditions: [...conditions],
    },
    hasSecrets ? { kind: 'requeueAfter', afterMs: SECRETS_MS, why: 'to see what its Secrets say' } : DONE,
  );
}

/** What a policy says of one image. */
interface SaidOfImage {
  readonly image: string;
  readonly namespace: string;
  readonly outcome: string;
  readonly reason?: string | undefined;
}

/** Of a policy that is applied: that it is about nothing, and what would be if it were enforced, is told before anybody enforces it. */
function readyStanding({ spec }: ImagePolicyObject, said: readonly SaidOfImage[]): Standing {
  const reason = IMAGE_POLICY_REASONS.InForce;
  const message = 'images are verified by it';
  if (said.length === 0) {
    const why = 'none that is in use is of the repositories and namespaces that it is for';
    return { kind: 'ready', reason, message: `${message}; ${why}` };
  }
  const failed = said.filter(({ outcome }) => outcome !== 'Verified');
  const [first] = failed;
  if (spec.enforcement !== 'Warn' || first === undefined) return { kind: 'ready', reason, message };
  // The same one, in whatever order they come: what did not change is not written.
  const example = failed.reduce((one, other) => (placeOf(other) < placeOf(one) ? other : one), first);
  const why = `${quote(example.image)} in namespace ${example.namespace} (${example.reason ?? example.outcome})`;
  const would = `with enforcement Enforce no new pod would start of ${failed.length} of ${countOf(said.length, 'image')} in use, such as ${why}`;
  return { kind: 'ready', reason, message: `${message}; ${would}` };
}

function placeOf({ namespace, image }: SaidOfImage): string {
  return `${namespace}/${image}`;
}

/** The first problems in words; all images wait, or are refused, as long as there is one. */
const TOLD = 5;

function standingOf(problems: readonly Problem[]): Standing {
  const told = problems
    .slice(0, TOLD)
    .map(({ field, found, wanted }) => `${field}: found ${found}; wanted is ${wanted}`);
  const more = problems.length > TOLD ? `; and ${problems.length - TOLD} more` : '';
  return {
    kind: 'stalled',
    reason: reasonOf(problems),
    message: `${told.join('; ')}${more}. Until then no image is as asked.`,
  };
}

function reasonOf(problems: readonly Problem[]): string {
  if (problems.every(({ isForbidden }) => isForbidden === true)) return IMAGE_POLICY_REASONS.Forbidden;
  return problems.every(({ isMissing }) => isMissing === true)
    ? IMAGE_POLICY_REASONS.NotFound
    : IMAGE_POLICY_REASONS.InvalidSpec;
}

/** Where policies are so many that an image is not looked at by this one. */
function leftOut(object: ImagePolicyObject, verdicts: readonly KubeObject[]): Standing | undefined {
  const facts = imagePolicyFacts(object);
  const images = verdicts.flatMap((one) => {
    const { spec, status } = one as ImageVerdictObject;
    const policies = status?.policies ?? [];
    const isLeft =
      policies.length >= MAX_VERDICT_POLICIES &&
      !policies.some(({ kind, name }) => kind === facts.kind && name === facts.name);
    const read = isLeft ? parseReference(spec.image) : undefined;
    return read?.kind === 'ok' && isAbout(facts, read.reference) ? [spec.image] : [];
  });
  if (images.length === 0) return undefined;
  const [first = ''] = images.toSorted();
  const [who, they] =
    images.length === 1
      ? [`${quote(first)} is`, 'It does']
      : [`${images.length} images, such as ${quote(first)}, are`, 'They do'];
  const message = `${who} looked at by ${MAX_VERDICT_POLICIES} other policies, those of the platform first, then by name. ${they} not pass this one: have fewer policies.`;
  return { kind: 'stalled', reason: IMAGE_POLICY_REASONS.TooManyPolicies, message };
}

/** What was seen of a trust root. */
export interface RootSeen {
  /** Undefined where the ConfigMap, or the key in it, is not there. */
  readonly read: RootRead | Problem | undefined;
  /** Policies that name it. */
  readonly policies: number;
}

type TrustRootObject = KubeObject & { readonly spec: TrustRootSpec; readonly status?: TrustRootStatus };

/** What a trust root tells of itself: whether it could be read, and what is in it. */
export function planTrustRoot(
  { metadata, spec, status }: TrustRootObject,
  { read, policies }: RootSeen,
  now: Date,
): Plan<TrustRootStatus> {
  const generation = metadata.generation ?? 0;
  const isRead = read !== undefined && 'digest' in read;
  const conditions = setStanding(status?.conditions ?? [], rootStanding(spec, read), { generation, now });
  return statusOnly({
    observedGeneration: generation,
    ...(isRead && { digest: read.digest, parts: read.parts }),
    policies,
    conditions: [...conditions],
  });
}

function rootStanding({ configMapRef, parts }: TrustRootSpec, read: RootSeen['read']): Standing {
  if (parts !== undefined && read !== undefined && !('digest' in read)) return partStanding(read);
  const field = configMapRef === undefined ? 'spec.trustedRoot' : 'spec.configMapRef';
  if (read === undefined) {
    const found = `no key ${configMapRef?.key} in a ConfigMap ${configMapRef?.name}`;
    const message = `${field}: found ${found} in the namespace of the platform; wanted is a trusted_root.json there`;
    return { kind: 'stalled', reason: TRUST_ROOT_REASONS.NotFound, message };
  }
  if ('digest' in read) {
    return {
      kind: 'ready',
      reason: TRUST_ROOT_REASONS.Read,
      message: `${read.parts.length} authorities and logs`,
    };
  }
  const within = read.field === '' ? '' : ` at ${read.field}`;
  const message = `${field}: found ${read.found}${within}; wanted is ${read.wanted}`;
  return { kind: 'stalled', reason: TRUST_ROOT_REASONS.InvalidTrustRoot, message };
}

/** Of parts it is told which one it is. */
function partStanding({ field, found, wanted, isMissing }: Problem): Standing {
  const place = field === '' ? 'spec.parts' : `spec.${field}`;
  const where = isMissing === true ? ' in the namespace of the platform' : '';
  return {
    kind: 'stalled',
    reason: isMissing === true ? TRUST_ROOT_REASONS.NotFound : TRUST_ROOT_REASONS.InvalidTrustRoot,
    message: `${place}: found ${found}${where}; wanted is ${wanted}`,
  };
}
