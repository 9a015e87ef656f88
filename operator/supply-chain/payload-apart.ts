// SPDX-License-Identifier: Apache-2.0
import {
  at,
  type Document,
  type DocumentLimits,
  extentProblem,
  parseDocument,
} from '../core/supply-chain/documents.ts';
import type { Judgement } from '../core/supply-chain/judgement.ts';

/** A document that has an envelope in it, or is one, and the payload of that where it was read beside it. */
export interface SignedDocument {
  /** With a mark where the payload was. */
  readonly document: Document;
  readonly apart?: { readonly mark: string; readonly payload: Buffer };
}

const QUOTE = 0x22;
const PADDING = 0x3d;
/** What is shorter is read with all else. */
const LONG = 1 << 16;
/** Texts before the payload, with their quotes: who has more has his document read as one. */
const MAX_QUOTES = 4096;
/** Decoded at once, of letters that four make three bytes: strings of this length are gone with the next small collection of garbage. */
const PIECE = 3 << 14;

/**
 * Reads a document whose payload is most of it: the payload is decoded from where it is, and never becomes a text that is parsed, as a statement with a bill
 * of materials would, with some megabytes of letters, for each of a few copies. The same is read as if all of it were parsed; what is not as clear is.
 */
export function readSignedDocument(
  bytes: Uint8Array,
  what: string,
  limits: DocumentLimits,
): Judgement<SignedDocument> {
  const problem = extentProblem(bytes, what, limits);
  if (problem !== undefined) return problem;
  const apart = readApart(bytes);
  if (apart !== undefined) return { kind: 'verified', value: apart };
  const read = parseDocument(bytes, what);
  return read.kind === 'verified' ? { kind: 'verified', value: { document: read.value } } : read;
}

/**
 * Undefined where there is no long text, or it is no base64, or it is not the payload. The letters of base64 stand nowhere in JSON but within a text, so another
 * text in its place changes nothing else; and nobody can have written one that is made here.
 */
function readApart(bytes: Uint8Array): SignedDocument | undefined {
  const place = longText(bytes);
  if (place === undefined) return undefined;
  const mark = crypto.randomUUID();
  const parts = [bytes.subarray(0, place.begin), Buffer.from(mark), bytes.subarray(place.end)];
  const read = parseDocument(Buffer.concat(parts), '');
  if (read.kind !== 'verified' || !isPayload(read.value, mark)) return undefined;
  const payload = decoded(bytes.subarray(place.begin, place.end));
  return payload === undefined ? undefined : { document: read.value, apart: { mark, payload } };
}

function isPayload(document: Document, mark: string): boolean {
  return document['payload'] === mark || at(document, 'dsseEnvelope', 'payload') === mark;
}

interface Place {
  readonly begin: number;
  readonly end: number;
}

/** What is between two quotes, and long. */
function longText(bytes: Uint8Array): Place | undefined {
  let begin = bytes.indexOf(QUOTE) + 1;
  for (let count = 0; begin > 0 && count < MAX_QUOTES; count += 1) {
    const end = bytes.indexOf(QUOTE, begin);
    if (end - begin >= LONG) return { begin, end };
    begin = end + 1;
  }
  return undefined;
}

/** Undefined where there is anything but base64: decoders leave that out, so less comes of it. */
function decoded(letters: Uint8Array): Buffer | undefined {
  if (letters.length % 4 !== 0) return undefined;
  const padding = [...letters.subarray(-2)].filter((one) => one === PADDING).length;
  const text = Buffer.from(letters.buffer, letters.byteOffset, letters.length);
  const payload = Buffer.allocUnsafe((letters.length / 4) * 3 - padding);
  let filled = 0;
  for (let at = 0; at < text.length; at += PIECE) {
    filled += payload.write(text.toString('latin1', at, at + PIECE), filled, 'base64');
  }
  return filled === payload.length ? payload : undefined;
}

/** One byte, in base64. */
const STAND_IN = 'AA==';

/**
 * The payload of an envelope, and the envelope with something short in its place: the library copies what it decodes byte by byte, which takes longer
 * than all else that is done with some megabytes. @throws Error for a payload that is no text.
 */
export function payloadApart(
  envelope: Document,
  apart: SignedDocument['apart'],
): { readonly rest: Document; readonly payload: Buffer } {
  const encoded = envelope['payload'] ?? '';
  if (typeof encoded !== 'string') throw new Error('a payload that is no text');
  const payload = encoded === apart?.mark ? apart.payload : Buffer.from(encoded, 'base64');
  return { rest: { ...envelope, payload: payload.length === 0 ? '' : STAND_IN }, payload };
}
