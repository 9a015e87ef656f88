// SPDX-License-Identifier: Apache-2.0
import { MAX_VERDICT_POLICIES } from '#crds/v1alpha1/image-verdict';
import { isDigest } from '../oci/digest.ts';
import { asDocument, asList, asText, at, type Document, readDocument } from '../supply-chain/documents.ts';
import { type Judgement, refuse } from '../supply-chain/judgement.ts';
import type { Outcome } from '../supply-chain/verdict.ts';
import { type ProvenFacts, readProvenFacts } from './proven-facts.ts';

/** The predicate of a verification summary, which this is one of. */
export const SUMMARY_PREDICATE = 'https://slsa.dev/verification_summary/v1';

/** Where, in the predicate, stands what a summary has no field for. */
const DETAILS = 'nexusos.dev/verdict';

const STATEMENT = 'https://in-toto.io/Statement/v1';
const SLSA_VERSION = '1.2';
/** Of builds, in that version; policies may know a fourth, from before it. */
const HIGHEST_LEVEL = 3;
/** Of the statement that is signed, for who signs and for who reads. In an envelope it is a third longer. */
export const MAX_STATEMENT = 65_536;
const LIMITS = { maxBytes: MAX_STATEMENT, maxDepth: 16 };
/** What a statement has beside the proof: the image twice, who vouches, and the first policy. */
const MAX_BESIDE = 4096;
/** Longest messages, tried one after the other. Without any, 64 policies with the longest names fit. */
const MESSAGES = [256, 128, 64, 0];

/** What one policy says of an image. */
export interface PolicyVerdict {
  readonly kind: 'ClusterImagePolicy' | 'ImagePolicy';
  readonly name: string;
  readonly uid: string;
  /** Of the policy's spec: a verdict is on what was asked then. */
  readonly generation: number;
  /** Of the policy with all trust that it names. */
  readonly digest: string;
  readonly outcome: Outcome;
  readonly reason?: string;
  readonly message: string;
  /** From when on time alone may have changed it. */
  readonly validUntil?: string;
  /** When that was found, where it was before the rest of the proof: what is kept becomes no younger by what is found beside it. */
  readonly verifiedAt?: string;
  /** What those that the policy trusts state; undefined where there was no room to tell it: then it is not known. */
  readonly facts?: ProvenFacts;
}

/** What the operator vouches for: in which namespace which image is what, and what each policy says of it. */
export interface Proof {
  readonly namespace: string;
  /** Whole, with nothing left unsaid: `docker.io/library/busybox:1.36`. */
  readonly image: string;
  /** What it is; undefined where not even that could be told. */
  readonly digest?: string;
  readonly verifiedAt: string;
  /** From when on it counts for nothing. */
  readonly expiresAt: string;
  readonly policies: readonly PolicyVerdict[];
}

/** Who vouches. */
export interface Verifier {
  readonly id: string;
  readonly version: string;
}

/** The statement to be signed: a verification summary of SLSA that others can read as such. */
export function proofStatement(proof: Proof, verifier: Verifier): object {
  const passed = proof.policies.every(({ outcome }) => outcome === 'Verified');
  const [first] = proof.policies;
  return {
    _type: STATEMENT,
    subject: proof.digest === undefined ? [] : [{ name: proof.image, digest: digestSet(proof.digest) }],
    predicateType: SUMMARY_PREDICATE,
    predicate: {
      verifier: { id: verifier.id, version: { nexusos: verifier.version } },
      timeVerified: proof.verifiedAt,
      resourceUri: `oci://${proof.image}`,
      policy: { uri: uriOf(first), digest: digestSet(first?.digest) },
      verificationResult: passed ? 'PASSED' : 'FAILED',
      verifiedLevels: passed ? levelsOf(proof.policies) : ['FAILED'],
      slsaVersion: SLSA_VERSION,
      [DETAILS]: proof,
    },
  };
}

/** The highest level of SLSA that a trusted builder builds at, as the platform knows it: what a tenant says of builders, others need not believe. */
function levelsOf(policies: readonly PolicyVerdict[]): readonly string[] {
  const levels = policies.flatMap(({ kind, facts }) =>
    kind === 'ClusterImagePolicy' ? (facts?.provenance?.level ?? []) : [],
  );
  return levels.length === 0 ? [] : [`SLSA_BUILD_LEVEL_${Math.min(HIGHEST_LEVEL, Math.max(...levels))}`];
}

/** The proof with its messages cut until it can be read by whoever is to go by it; the very one where it can be as it is. */
export function fitted(proof: Proof): Proof {
  const spare = MAX_STATEMENT - MAX_BESIDE - Buffer.byteLength(JSON.stringify(proof));
  if (spare >= 0) return proof;
  let fit = proof;
  for (const length of MESSAGES) {
    const policies = proof.policies.map((one) => ({ ...one, message: one.message.slice(0, length) }));
    fit = withRoomForFacts({ ...proof, policies });
    if (Buffer.byteLength(JSON.stringify(fit)) <= MAX_STATEMENT - MAX_BESIDE) return fit;
  }
  return fit;
}

/** Without the facts of as many of the last policies as there is no room for: those of the platform come first. */
function withRoomForFacts(proof: Proof): Proof {
  let over = Buffer.byteLength(JSON.stringify(proof)) - (MAX_STATEMENT - MAX_BESIDE);
  const policies = proof.policies.toReversed().map((one) => {
    if (over <= 0 || one.facts === undefined) return one;
    const { facts, ...rest } = one;
    over -= Buffer.byteLength(JSON.stringify(facts)) + ',"facts":'.length;
    return rest;
  });
  return { ...proof, policies: policies.toReversed() };
}

function uriOf(policy: PolicyVerdict | undefined): string {
  return policy === undefined ? '' : `k8s://${policy.kind}/${policy.name}`;
}

function digestSet(digest: string | undefined): object {
  const [algorithm = '', hex = ''] = (digest ?? '').split(':');
  return algorithm === '' ? {} : { [algorithm]: hex };
}

/** Reads what was signed. Nothing of it is true before the signature is checked. */
export function readProof(payload: Uint8Array): Judgement<Proof> {
  const read = readDocument(payload, 'the proof', LIMITS);
  if (read.kind !== 'verified') return read;
  const type = asText(read.value['predicateType']);
  const details = asDocument(at(read.value, 'predicate', DETAILS));
  if (read.value['_type'] !== STATEMENT || type !== SUMMARY_PREDICATE || details === undefined) {
    return refuse('Malformed', `the proof is no ${SUMMARY_PREDICATE} with ${DETAILS}`);
  }
  const proof = proofOf(details);
  return proof === undefined
    ? refuse('Malformed', `the proof has no ${DETAILS} that is whole`)
    : { kind: 'verified', value: proof };
}

function proofOf(details: Document): Proof | undefined {
  const texts = ['namespace', 'image', 'digest', 'verifiedAt', 'expiresAt'].map((name) =>
    asText(details[name]),
  );
  const [namespace, image, digest, verifiedAt, expiresAt] = texts;
  const list = asList(details['policies']);
  const policies = list.flatMap((one) => policyVerdictOf(one) ?? []);
  const isWhole = policies.length === list.length && list.length > 0 && list.length <= MAX_VERDICT_POLICIES;
  if (!isWhole || namespace === undefined || image === undefined) return undefined;
  if (!isTime(verifiedAt) || !isTime(expiresAt) || !isDigestFor(digest, policies)) return undefined;
  return { namespace, image, ...(digest !== undefined && { digest }), verifiedAt, expiresAt, policies };
}

/** Of what nobody could name nothing can be verified. */
function isDigestFor(digest: string | undefined, policies: readonly PolicyVerdict[]): boolean {
  return digest === undefined ? policies.every(({ outcome }) => outcome === 'Unknown') : isDigest(digest);
}

const OUTCOMES: ReadonlySet<unknown> = new Set<Outcome>(['Verified', 'Refused', 'Unknown']);
const KINDS: ReadonlySet<unknown> = new Set(['ClusterImagePolicy', 'ImagePolicy']);

function policyVerdictOf(value: unknown): PolicyVerdict | undefined {
  const one = asDocument(value);
  if (one === undefined || !OUTCOMES.has(one['outcome']) || !KINDS.has(one['kind'])) return undefined;
  const isNamed = ['name', 'uid', 'digest'].every((name) => asText(one[name]) !== undefined);
  const isTold = typeof one['message'] === 'string' && Number.isInteger(one['generation']);
  const times = [one['validUntil'], one['verifiedAt']];
  const isTimed = times.every((time) => time === undefined || isTime(asText(time)));
  const isStated = one['facts'] === undefined || readProvenFacts(one['facts']) !== undefined;
  return isNamed && isTold && isTimed && isStated ? (one as unknown as PolicyVerdict) : undefined;
}

function isTime(text: string | undefined): text is string {
  return text !== undefined && !Number.isNaN(Date.parse(text));
}
