// SPDX-License-Identifier: Apache-2.0
import { labelsOf, type TenantFacts } from './facts.ts';
import { isJsonObject, type Review } from './review.ts';
import { type LabelSelector, matchesGlob, selects } from './selector.ts';

/** Names one PolicyPack. */
export interface PackRef {
  readonly namespace: string;
  readonly name: string;
}

/** For whom an exemption is: objects that every part given here fits. */
export interface ExemptionSubjects {
  readonly namespaces?: readonly string[] | undefined;
  readonly tenants?: readonly string[] | undefined;
  readonly kinds?: readonly string[] | undefined;
  readonly names?: readonly string[] | undefined;
  readonly selector?: LabelSelector | undefined;
}

/** A PolicyExemption of the namespace of the platform; those of any other count for nothing and never come here. */
export interface Exemption {
  readonly name: string;
  readonly packRef: PackRef;
  readonly rules?: readonly string[] | undefined;
  readonly subjects: ExemptionSubjects;
  readonly expiresAt: string;
  readonly ticket: string;
  /** Who asked for it, as the API server noted. */
  readonly requestedBy: string | undefined;
  /** When that was. */
  readonly requestedAt?: string | undefined;
  readonly approval?: { readonly decision: string; readonly by?: string | undefined } | undefined;
}

/** What a pack says against a request, as far as an exemption asks. */
export interface Claim {
  readonly review: Review;
  readonly tenant: TenantFacts | undefined;
  readonly pack: PackRef;
  readonly rule: string;
}

/**
 * Whether an exemption counts at `now`: two people stand for it, and it has not expired. An instant that cannot be read is over.
 */
export function isInForce(
  exemption: Pick<Exemption, 'approval' | 'requestedBy' | 'expiresAt'>,
  now: Date,
): boolean {
  return isApprovedByAnother(exemption) && Date.parse(exemption.expiresAt) > now.getTime();
}

/** Whether two people stand for what was asked for: who asked is known, and somebody else has approved it. */
export function isApprovedByAnother({
  approval,
  requestedBy,
}: Pick<Exemption, 'approval' | 'requestedBy'>): boolean {
  if (approval?.decision !== 'Approved' || approval.by === undefined || approval.by === '') return false;
  return requestedBy !== undefined && requestedBy !== '' && requestedBy !== approval.by;
}

/** Whether an exemption lifts what a pack says against a request. One function for webhook, scan and CLI. */
export function exempts(exemption: Exemption, claim: Claim, now: Date): boolean {
  const { packRef, rules } = exemption;
  if (packRef.namespace !== claim.pack.namespace || packRef.name !== claim.pack.name) return false;
  if (rules !== undefined && !rules.includes(claim.rule)) return false;
  return isInForce(exemption, now) && isSubject(exemption.subjects, claim);
}

/** Nobody is exempt everywhere: one that names neither namespaces nor tenants is for no one. */
function isSubject(subjects: ExemptionSubjects, { review, tenant }: Claim): boolean {
  if (subjects.namespaces === undefined && subjects.tenants === undefined) return false;
  return (
    isListed(subjects.namespaces, review.namespace) &&
    isListed(subjects.tenants, tenant?.name) &&
    isListed(subjects.kinds, review.kind.kind) &&
    isNamed(subjects.names, review) &&
    isSelected(subjects.selector, review)
  );
}

function isListed(list: readonly string[] | undefined, value: string | undefined): boolean {
  return list === undefined || (value !== undefined && value !== '' && list.includes(value));
}

/** What is made under a generated name has no other yet: the part before counts, then and later. */
function isNamed(patterns: readonly string[] | undefined, review: Review): boolean {
  if (patterns === undefined) return true;
  const found = review.object?.['metadata'] ?? review.oldObject?.['metadata'];
  const metadata = isJsonObject(found) ? found : {};
  const name = textOf(metadata['name']);
  const beginning = textOf(metadata['generateName']);
  // Whoever gives a name may write any beginning beside it, from which it was not generated.
  const isGenerated = name === '' || name.startsWith(beginning);
  return (
    fitsOne(review.name, patterns) ||
    fitsOne(name, patterns) ||
    (isGenerated && fitsOne(beginning, patterns.filter(isBeginning)))
  );
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function fitsOne(name: string, patterns: readonly string[]): boolean {
  return name !== '' && patterns.some((pattern) => matchesGlob(pattern, name));
}

/** No name ends like this, so it can only mean what others begin with. */
function isBeginning(pattern: string): boolean {
  return /[*-]$/.test(pattern);
}

/** Both, unlike in a binding: a label that is put on with this very request must not lift anything from what was there. */
function isSelected(selector: LabelSelector | undefined, review: Review): boolean {
  if (selector === undefined) return true;
  return [review.object, review.oldObject].every(
    (object) => object === undefined || selects(selector, labelsOf(object)),
  );
}
