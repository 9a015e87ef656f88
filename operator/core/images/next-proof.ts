// SPDX-License-Identifier: Apache-2.0
import { canonicalJson } from '../compare.ts';
import { truncate } from '../conditions.ts';
import { parseReference } from '../oci/reference.ts';
import { MAX_VERDICT_MESSAGE } from '../supply-chain/told-verdict.ts';
import type { ImageVerdict } from '../supply-chain/verdict.ts';
import type { ImagePolicyFacts } from './policy.ts';
import { fitted, type PolicyVerdict, type Proof } from './proof.ts';
import { provenFacts } from './proven-facts.ts';
import type { ImageFindings } from './verification.ts';

/** A policy that is about an image, and the digest of it with all that it names. */
export interface PolicyAsked {
  readonly facts: ImagePolicyFacts;
  readonly digest: string;
}

/** What the next proof is made from. */
export interface ProofSeen {
  readonly namespace: string;
  readonly image: string;
  readonly policies: readonly PolicyAsked[];
  /** What was proved before, by ourselves. */
  readonly previous: Proof | undefined;
  /** What was found since; undefined where nobody has looked. */
  readonly findings: ImageFindings | undefined;
  readonly now: Date;
}

/** A tag may be moved at any time: how long it is believed to name the same image. */
const TAG_MS = 600_000;
const DIGEST_MS = 3_600_000;

/**
 * What is proved from now on; undefined where nothing can be yet. What was known goes on to count while it could not be told otherwise, and as long as
 * it was said to. The very proof before where it says the same and is not old: a system that stays as it is writes nothing.
 */
export function nextProof(given: ProofSeen): Proof | undefined {
  const seen = { ...given, findings: foundSince(given) };
  const { previous, policies } = seen;
  const drafts = policies.map((one) => draftOf(one, seen)).filter((one) => one !== undefined);
  const verifiedAt = foundAt(drafts, seen);
  if (drafts.length === 0 || verifiedAt === undefined) return undefined;
  const digest = seen.findings?.digest ?? previous?.digest;
  const proof = fitted({
    namespace: seen.namespace,
    image: seen.image,
    ...(digest !== undefined && { digest }),
    verifiedAt,
    expiresAt: new Date(Date.parse(verifiedAt) + maxAgeMs(policies)).toISOString(),
    policies: drafts.map((one) => toldOf(one, { verifiedAt, previous })),
  });
  return previous !== undefined && !isWorthWriting(proof, previous, seen) ? previous : proof;
}

/** What was found, unless it was before what is proved already: a process that led once remembers what another has found out better since. */
export function foundSince({
  previous,
  findings,
}: Pick<ProofSeen, 'previous' | 'findings'>): ImageFindings | undefined {
  if (findings === undefined || previous === undefined) return findings;
  return findings.checkedAt.getTime() < Date.parse(previous.verifiedAt) ? undefined : findings;
}

/** Whether what was proved is by something else than what is asked now: a key that was given up vouches for nothing, also before anybody has looked. */
export function isWithdrawn({ previous, policies }: Pick<ProofSeen, 'previous' | 'policies'>): boolean {
  const digests = new Map(policies.map(({ facts, digest }) => [facts.uid, digest]));
  return (previous?.policies ?? []).some(({ uid, digest }) => (digests.get(uid) ?? digest) !== digest);
}

function foundAt(drafts: readonly Draft[], { previous, findings }: ProofSeen): string | undefined {
  const isKept = drafts.every((one) => one.isKept);
  return isKept || findings === undefined ? previous?.verifiedAt : findings.checkedAt.toISOString();
}

/** What a proof says for one policy. What is kept becomes no younger by what was found beside it. */
function toldOf(
  { verdict, isKept }: Draft,
  { verifiedAt, previous }: { readonly verifiedAt: string; readonly previous: Proof | undefined },
): PolicyVerdict {
  if (!isKept || previous === undefined || verifiedAt === previous.verifiedAt) return verdict;
  return { ...verdict, verifiedAt: verdict.verifiedAt ?? previous.verifiedAt };
}

interface Draft {
  readonly verdict: PolicyVerdict;
  readonly isKept: boolean;
}

/** What a policy says now; undefined where nobody knows yet. */
function draftOf(asked: PolicyAsked, seen: ProofSeen): Draft | undefined {
  const found = seen.findings?.verdicts.get(asked.facts.uid);
  const kept = keptOf(asked, seen);
  // What is only said otherwise, as how it is enforced, is no other verdict.
  if (kept !== undefined && (found === undefined || isStillBest(kept, found)))
    return { verdict: { ...kept, ...nameOf(asked.facts) }, isKept: true };
  if (found === undefined) return undefined;
  const verdict = verdictOf(found, asked);
  return {
    verdict: isUnknownAgain(verdict, kept) ? { ...verdict, message: kept.message } : verdict,
    isKept: false,
  };
}

/** What could not be told takes the place of nothing that is known. */
function isStillBest(kept: PolicyVerdict, found: ImageVerdict): boolean {
  return found.outcome === 'Unknown' && kept.outcome !== 'Unknown';
}

/** Not known for the same reason: that is said in the words of the first time, which may count failures. */
function isUnknownAgain(found: PolicyVerdict, kept: PolicyVerdict | undefined): kept is PolicyVerdict {
  return found.outcome === 'Unknown' && kept?.outcome === 'Unknown' && kept.reason === found.reason;
}

/** What a policy said before, where it counts still: of the same image, asked the same, and not too old. */
function keptOf(
  { facts, digest }: PolicyAsked,
  { previous, findings, now }: ProofSeen,
): PolicyVerdict | undefined {
  const isSameImage = findings?.digest === undefined || findings.digest === previous?.digest;
  const before = previous?.policies.find((one) => one.uid === facts.uid && one.digest === digest);
  if (before === undefined || !isSameImage) return undefined;
  return isOver(before, { facts, previous, now }) ? undefined : before;
}

function nameOf({ kind, name, uid, generation }: ImagePolicyFacts) {
  return { kind, name, uid, generation };
}

function isOver(
  before: PolicyVerdict,
  {
    facts,
    previous,
    now,
  }: { readonly facts: ImagePolicyFacts; readonly previous: Proof | undefined; readonly now: Date },
): boolean {
  const end = before.validUntil === undefined ? Infinity : Date.parse(before.validUntil);
  const aged = Date.parse(before.verifiedAt ?? previous?.verifiedAt ?? '') + facts.maxAgeSeconds * 1000;
  return !(now.getTime() < Math.min(end, aged));
}

function verdictOf(found: ImageVerdict, { facts, digest }: PolicyAsked): PolicyVerdict {
  const { outcome, reason, message, validUntil } = found;
  return {
    ...nameOf(facts),
    digest,
    outcome,
    ...(reason !== undefined && { reason }),
    message: truncate(message, MAX_VERDICT_MESSAGE),
    ...(validUntil !== undefined && { validUntil }),
    // What is not known is not known: part of it would be another part each time.
    ...(outcome !== 'Unknown' && { facts: provenFacts(found) }),
  };
}

/** Each policy lets a verdict count for a time; the shortest holds for the proof as a whole, since it is asked anew by then. */
function maxAgeMs(policies: readonly PolicyAsked[]): number {
  return Math.min(...policies.map(({ facts }) => facts.maxAgeSeconds)) * 1000;
}

/** Another proof where it says something else, or where half of the time is over that the one before counts for. */
function isWorthWriting(proof: Proof, previous: Proof, { now }: ProofSeen): boolean {
  if (said(proof) !== said(previous)) return true;
  const begin = Date.parse(previous.verifiedAt);
  const isOld = now.getTime() - begin >= (Date.parse(previous.expiresAt) - begin) / 2;
  return isOld && Date.parse(proof.verifiedAt) > begin;
}

function said({ image, namespace, digest, verifiedAt, expiresAt, policies }: Proof): string {
  const ageMs = Date.parse(expiresAt) - Date.parse(verifiedAt);
  // In whatever order policies were listed.
  const told = policies.toSorted((a, b) => (a.uid < b.uid ? -1 : Number(a.uid > b.uid)));
  return canonicalJson({ image, namespace, digest, ageMs, policies: told });
}

/** How long what was found of an image is fresh: then it is looked at again, though nothing is known to have changed. */
export function freshMs(image: string, policies: readonly PolicyAsked[]): number {
  const read = parseReference(image);
  const isPinned = read.kind === 'ok' && read.reference.digest !== undefined;
  return Math.min(isPinned ? DIGEST_MS : TAG_MS, maxAgeMs(policies) / 4);
}

/** Who is refused signs next: so it is looked at again soon, and then later and later, up to what is fresh anyway. */
const REFUSED_MS = 30_000;

/** Who tries it again has signed it, maybe: then it is looked at so soon after it was last. */
const TRIED_MS = 15_000;

/** How long it is believed that an image is refused, that was so often in a row; and that somebody has tried to run since it was looked at. */
export function refusedFreshMs(times: number, isTried: boolean): number {
  if (times === 0) return Infinity;
  return isTried ? TRIED_MS : REFUSED_MS * 2 ** (times - 1);
}

/** Whether an image is refused by what was proved: it may be signed any moment, and who verifies knows when it was looked at last. */
export function isRefused(previous: Proof | undefined): boolean {
  return (previous?.policies ?? []).some(({ outcome }) => outcome === 'Refused');
}

/** Whether an image has to be looked at: nobody has, a policy is another one, what was found is over or not fresh any more, or nobody could tell. */
export function isDue({ previous, policies, image, now }: Omit<ProofSeen, 'findings'>): boolean {
  if (previous === undefined) return true;
  if (now.getTime() >= dueAtMs({ previous, policies, image })) return true;
  return policies.some(({ facts, digest }) => {
    const before = previous.policies.find((one) => one.uid === facts.uid && one.digest === digest);
    return before === undefined || before.outcome === 'Unknown' || isOver(before, { facts, previous, now });
  });
}

/** When an image is to be looked at again, where nothing changes. */
export function dueAtMs({
  previous,
  policies,
  image,
}: {
  readonly previous: Proof;
  readonly policies: readonly PolicyAsked[];
  readonly image: string;
}): number {
  const ends = previous.policies.flatMap(({ validUntil }) => validUntil ?? []).map((one) => Date.parse(one));
  const found = previous.policies.map(({ verifiedAt }) => Date.parse(verifiedAt ?? previous.verifiedAt));
  return Math.min(Math.min(...found) + freshMs(image, policies), ...ends);
}
