// SPDX-License-Identifier: Apache-2.0
import { saysCycloneDx } from './cyclonedx-xml.ts';
import { asDocument, asList, asText, at, type Document, LARGE, readDocument, SMALL } from './documents.ts';
import { type Judgement, quote, refuse, type Refused } from './judgement.ts';
import { looksLikeXml } from './xml-extent.ts';

/** The predicate that says nothing but: I have signed this. */
export const SIGNATURE_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';

/** The predicate of a bill of materials in CycloneDX. */
export const CYCLONEDX_PREDICATE = 'https://cyclonedx.org/bom';

/** Payload type of in-toto statements in DSSE envelopes. */
export const STATEMENT_PAYLOAD = 'application/vnd.in-toto+json';

/** Media type of simple signing, the older form of cosign. */
export const SIMPLE_SIGNING = 'application/vnd.dev.cosign.simplesigning.v1+json';

const STATEMENT_TYPES = new Set(['https://in-toto.io/Statement/v0.1', 'https://in-toto.io/Statement/v1']);

/** Subjects of one statement: releases list all their artifacts. */
const MAX_SUBJECTS = 1024;

/** What a signer states, and about what. */
export interface Statement {
  readonly predicateType: string;
  readonly predicate: Document;
  /** Digests of what it is about, as `sha256:...`. */
  readonly subjects: readonly string[];
}

/** Reads an in-toto statement. Nothing of it is true yet: see who signed it, and `bindingProblem`. */
export function readStatement(payload: Uint8Array): Judgement<Statement> {
  const read = readDocument(payload, 'the statement', LARGE);
  if (read.kind !== 'verified') return read;
  const statement = read.value;
  const type = asText(statement['_type']);
  if (type === undefined || !STATEMENT_TYPES.has(type)) {
    return refuse('Malformed', `the statement is of type ${quote(type ?? '')}, not an in-toto statement`);
  }
  const predicateType = asText(statement['predicateType']);
  if (predicateType === undefined) return refuse('Malformed', 'the statement has no predicateType');
  const predicate = predicateOf(statement['predicate'] ?? {});
  if (predicate === undefined) return refuse('Malformed', 'the predicate of the statement is no object');
  const subjects = asList(statement['subject']);
  return subjects.length > MAX_SUBJECTS
    ? refuse('TooLarge', `the statement has ${subjects.length} subjects; ${MAX_SUBJECTS} are allowed`)
    : {
        kind: 'verified',
        value: {
          predicateType: namedType(predicateType, predicate),
          predicate,
          subjects: subjects.flatMap(digestsOf),
        },
      };
}

/** What is no JSON is a text: that of cosign is in an object by itself, except for SPDX. */
function predicateOf(predicate: unknown): Document | undefined {
  return typeof predicate === 'string' ? { Data: predicate } : asDocument(predicate);
}

/** What cosign calls any text that is no JSON. */
const ANY_TEXT = 'https://cosign.sigstore.dev/attestation/v1';

/** A bill of materials in XML has no type by which cosign would attest it: it says itself what it is. */
function namedType(predicateType: string, predicate: Document): string {
  const xml = predicateType === ANY_TEXT ? xmlOf(predicate) : undefined;
  return xml !== undefined && saysCycloneDx(xml) ? CYCLONEDX_PREDICATE : predicateType;
}

/** What cosign writes beside a text. */
const FRAME = new Set(['Data', 'Timestamp']);

/** The text in XML that a predicate is, and nothing beside it: what could be read in two ways is read as JSON. */
export function xmlOf(predicate: Document): string | undefined {
  const text = asText(predicate['Data']);
  if (text === undefined || !looksLikeXml(text)) return undefined;
  return Object.keys(predicate).every((key) => FRAME.has(key)) ? text : undefined;
}

function digestsOf(subject: unknown): readonly string[] {
  return ['sha256', 'sha512'].flatMap((algorithm) => {
    const hex = asText(at(subject, 'digest', algorithm));
    return hex === undefined ? [] : [`${algorithm}:${hex}`];
  });
}

/** Undefined where a statement is about `digest`: the signature of an envelope does not say what it is for. */
export function bindingProblem({ subjects }: Statement, digest: string): Refused | undefined {
  if (subjects.includes(digest)) return undefined;
  const found = subjects[0] === undefined ? 'no image' : quote(subjects[0]).slice(1, -1);
  return refuse('DigestMismatch', `the signed statement is about ${found}; ${digest} is asked for`);
}

/** Types of the payload of simple signing that are signatures of images. */
const SIMPLE_TYPES = new Set(['cosign container image signature', SIGNATURE_PREDICATE]);

/** Reads a payload of simple signing as the statement that it is. */
export function readSimpleSigning(payload: Uint8Array): Judgement<Statement> {
  const read = readDocument(payload, 'the signed payload', SMALL);
  if (read.kind !== 'verified') return read;
  const type = asText(at(read.value, 'critical', 'type'));
  if (type === undefined || !SIMPLE_TYPES.has(type)) {
    return refuse('Malformed', `the signed payload is of type ${quote(type ?? '')}`);
  }
  const found = asText(at(read.value, 'critical', 'image', 'docker-manifest-digest'));
  const predicate = asDocument(read.value['optional']) ?? {};
  const subjects = found === undefined ? [] : [found];
  return { kind: 'verified', value: { predicateType: SIGNATURE_PREDICATE, predicate, subjects } };
}
