// SPDX-License-Identifier: Apache-2.0
import { asDocument, asList, asText, at, type Document, LARGE, readDocument, SMALL } from './documents.ts';
import { type Judgement, quote, refuse } from './judgement.ts';

/** The predicate that says nothing but: I have signed this. */
export const SIGNATURE_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';

/** Payload type of in-toto statements in DSSE envelopes. */
export const STATEMENT_PAYLOAD = 'application/vnd.in-toto+json';

/** Media type of simple signing, the older form of cosign. */
export const SIMPLE_SIGNING = 'application/vnd.dev.cosign.simplesigning.v1+json';

const STATEMENT_TYPES = new Set(['https://in-toto.io/Statement/v0.1', 'https://in-toto.io/Statement/v1']);

/** Subjects of one statement: releases list all their artifacts. */
const MAX_SUBJECTS = 1024;

/** What a signer states about an image. */
export interface Statement {
  readonly predicateType: string;
  readonly predicate: Document;
}

/** Reads an in-toto statement, and holds that it is about `digest` (`sha256:...`). A signature says nothing else of what it is for. */
export function readStatement(payload: Uint8Array, digest: string): Judgement<Statement> {
  const read = readDocument(payload, 'the statement', LARGE);
  if (read.kind !== 'verified') return read;
  const statement = read.value;
  const type = asText(statement['_type']);
  if (type === undefined || !STATEMENT_TYPES.has(type)) {
    return refuse('Malformed', `the statement is of type ${quote(type ?? '')}, not an in-toto statement`);
  }
  const predicateType = asText(statement['predicateType']);
  if (predicateType === undefined) return refuse('Malformed', 'the statement has no predicateType');
  const predicate = asDocument(statement['predicate'] ?? {});
  if (predicate === undefined) return refuse('Malformed', 'the predicate of the statement is no object');
  const wrong = subjectProblem(statement['subject'], digest);
  return wrong ?? { kind: 'verified', value: { predicateType, predicate } };
}

function subjectProblem(subjects: unknown, digest: string): ReturnType<typeof refuse> | undefined {
  const list = asList(subjects);
  if (list.length > MAX_SUBJECTS) {
    return refuse('TooLarge', `the statement has ${list.length} subjects; ${MAX_SUBJECTS} are allowed`);
  }
  const [algorithm = '', hex = ''] = digest.split(':');
  const digests = list.map((one) => asText(at(one, 'digest', algorithm)));
  if (digests.includes(hex)) return undefined;
  const found = digests.find((one) => one !== undefined);
  return refuse(
    'DigestMismatch',
    found === undefined
      ? `the statement names no ${algorithm} digest of an image; ${digest} is asked for`
      : `the statement is about ${algorithm}:${quote(found).slice(1, -1)}; ${digest} is asked for`,
  );
}

/** Types of the payload of simple signing that are signatures of images. */
const SIMPLE_TYPES = new Set(['cosign container image signature', SIGNATURE_PREDICATE]);

/** Reads a payload of simple signing, and holds that it is about `digest`. */
export function readSimpleSigning(payload: Uint8Array, digest: string): Judgement<Statement> {
  const read = readDocument(payload, 'the signed payload', SMALL);
  if (read.kind !== 'verified') return read;
  const type = asText(at(read.value, 'critical', 'type'));
  if (type === undefined || !SIMPLE_TYPES.has(type)) {
    return refuse('Malformed', `the signed payload is of type ${quote(type ?? '')}`);
  }
  const found = asText(at(read.value, 'critical', 'image', 'docker-manifest-digest'));
  if (found !== digest) {
    return refuse('DigestMismatch', `the signature is about ${quote(found ?? '')}; ${digest} is asked for`);
  }
  const predicate = asDocument(read.value['optional']) ?? {};
  return { kind: 'verified', value: { predicateType: SIGNATURE_PREDICATE, predicate } };
}
