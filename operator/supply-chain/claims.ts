// SPDX-License-Identifier: Apache-2.0
import { type Judgement, refuse, type Refused } from '../core/supply-chain/judgement.ts';
import {
  bindingProblem,
  readSimpleSigning,
  readStatement,
  SIGNATURE_PREDICATE,
  SIMPLE_SIGNING,
  type Statement,
  STATEMENT_PAYLOAD,
  xmlOf,
} from '../core/supply-chain/statement.ts';
import type { ProvenSigner, ReadyAuthority } from './authority.ts';
import { checkSignature, type CheckedAgainst } from './check-signature.ts';
import { readClassicAttestation, readClassicSignature } from './classic.ts';
import type { Effort } from './effort.ts';
import type { Evidence, Gathered } from './evidence.ts';
import { ARTIFACT, readBundle, sha256, type SignedItem } from './signed-item.ts';

/** Something that is said about an image, by whoever signed it. Nothing of it is true before that is checked. */
export interface Claim {
  readonly origin: string;
  readonly statement: Statement;
  /** Whether it is by this authority, and about the image. */
  readonly by: (authority: ReadyAuthority) => Judgement<ProvenSigner>;
}

/** What is attached to an image, read: claims, and why others could not be. */
export interface Claims {
  readonly claims: readonly Claim[];
  readonly unreadable: readonly Refused[];
}

/** Reads what is attached to `digest`. Each signature is checked at most once for an authority. */
export function readClaims(digest: string, gathered: Gathered, against: CheckedAgainst): Claims {
  const claims: Claim[] = [];
  const unreadable: Refused[] = [];
  for (const evidence of gathered.evidence) {
    for (const read of claimsOf(evidence, { digest, gathered, against })) {
      if (read.kind === 'verified') claims.push(read.value);
      else if (read.kind === 'refused') unreadable.push(read);
    }
  }
  return { claims, unreadable };
}

interface Reading {
  readonly digest: string;
  readonly gathered: Gathered;
  readonly against: CheckedAgainst;
}

function claimsOf(evidence: Evidence, reading: Reading): readonly Judgement<Claim>[] {
  const { against } = reading;
  const items = itemsOf(evidence, reading.gathered.subject);
  if (items.kind !== 'verified') return [items];
  // Signatures of one envelope are over one content, which is read once.
  const read = new Map<Buffer, Judgement<Statement>>();
  return items.value.map((item): Judgement<Claim> => {
    const statement = read.get(item.payload) ?? keptStatement(item, against.effort);
    read.set(item.payload, statement);
    if (statement.kind !== 'verified') return statement;
    return {
      kind: 'verified',
      value: claimOf({ item, statement: statement.value, origin: evidence.origin }, reading),
    };
  });
}

function itemsOf(evidence: Evidence, subject: Uint8Array): Judgement<readonly SignedItem[]> {
  const { form, bytes, annotations } = evidence;
  if (form === 'bundle') return readBundle(bytes, subject);
  return form === 'signature'
    ? readClassicSignature(bytes, annotations)
    : readClassicAttestation(bytes, annotations);
}

/** The statement, where there is room for it; a text in XML takes as much again as it has elements and attributes. */
function keptStatement(item: SignedItem, effort: Effort | undefined): Judgement<Statement> {
  const tooMuch = effort?.keep(item.payload);
  if (tooMuch !== undefined) return tooMuch;
  const statement = statementOf(item);
  const xml = statement.kind === 'verified' ? xmlOf(statement.value.predicate) : undefined;
  return (xml === undefined ? undefined : effort?.keepXml(xml)) ?? statement;
}

function statementOf({ payloadType, payload }: SignedItem): Judgement<Statement> {
  switch (payloadType) {
    case STATEMENT_PAYLOAD:
      return readStatement(payload);
    case SIMPLE_SIGNING:
      return readSimpleSigning(payload);
    case ARTIFACT:
      return { kind: 'verified', value: artifactStatement(payload) };
    default:
      return refuse('Unsupported', `an envelope has a payload of another type than ${STATEMENT_PAYLOAD}`);
  }
}

function artifactStatement(manifest: Uint8Array): Statement {
  return { predicateType: SIGNATURE_PREDICATE, predicate: {}, subjects: [`sha256:${sha256(manifest)}`] };
}

function claimOf(
  { item, statement, origin }: { item: SignedItem; statement: Statement; origin: string },
  { digest, against }: Reading,
): Claim {
  const known = new Map<string, Judgement<ProvenSigner>>();
  return {
    origin,
    statement,
    by: (authority) => {
      const before = known.get(authority.name);
      if (before !== undefined) return before;
      const signer = checkSignature(item, authority, against);
      const problem = signer.kind === 'verified' ? bindingProblem(statement, digest) : undefined;
      const judged = problem ?? signer;
      known.set(authority.name, judged);
      return judged;
    },
  };
}
