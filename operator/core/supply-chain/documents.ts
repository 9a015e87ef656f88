// SPDX-License-Identifier: Apache-2.0
import { extentOnce } from './extent.ts';
import { type Judgement, refuse, type Refused } from './judgement.ts';

/** A JSON object that others wrote. */
export type Document = Readonly<Record<string, unknown>>;

/** What a document may be at most. */
export interface DocumentLimits {
  readonly maxBytes: number;
  readonly maxDepth: number;
  /** Lists, objects, and what is in them. Default: as many as all documents of an image may have. */
  readonly maxValues?: number;
}

/**
 * Values of all documents of an image that are kept at one time: a bill of materials of 10,000 parts has some 200,000. Each may take a hundred bytes and
 * more, of a process that is ended when it has no more of them (image-verification/judge.ts).
 */
export const MAX_VALUES = 1_000_000;

/** Signatures, statements without a large predicate, trust roots. */
export const SMALL: DocumentLimits = { maxBytes: 1 << 20, maxDepth: 32 };

/** Statements that carry a bill of materials or a report. */
export const LARGE: DocumentLimits = { maxBytes: 32 << 20, maxDepth: 64 };

/** Reads a JSON object: UTF-8 without errors, no larger, no deeper and of no more values than it may be; that is seen before it is parsed. */
export function readDocument(bytes: Uint8Array, what: string, limits: DocumentLimits): Judgement<Document> {
  return extentProblem(bytes, what, limits) ?? parseDocument(bytes, what);
}

/** Why a document is not parsed; undefined where it is as large as it may be. */
export function extentProblem(bytes: Uint8Array, what: string, limits: DocumentLimits): Refused | undefined {
  if (bytes.length > limits.maxBytes) {
    return refuse('TooLarge', `${what} has ${bytes.length} bytes; ${limits.maxBytes} are allowed`);
  }
  const { values, depth } = extentOnce(bytes);
  const { maxDepth, maxValues = MAX_VALUES } = limits;
  if (depth > maxDepth) return refuse('TooLarge', `${what} is nested deeper than ${maxDepth}`);
  return values > maxValues
    ? refuse('TooLarge', `${what} has ${values} values; ${maxValues} are allowed`)
    : undefined;
}

/** Reads what is no larger than it may be: see `readDocument`. */
export function parseDocument(bytes: Uint8Array, what: string): Judgement<Document> {
  const value = parse(bytes);
  return value === undefined
    ? refuse('Malformed', `${what} is not a JSON object`)
    : { kind: 'verified', value };
}

function parse(bytes: Uint8Array): Document | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return asDocument(value);
  } catch {
    return undefined;
  }
}

/** The value as an object with keys; undefined of lists and everything else. */
export function asDocument(value: unknown): Document | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Document)
    : undefined;
}

/** The value as a list; empty of everything else. */
export function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The value as a text; undefined of everything else, and of an empty one. */
export function asText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** What is found by going down these keys; undefined where one is not there. */
export function at(value: unknown, ...keys: readonly string[]): unknown {
  let here = value;
  for (const key of keys) {
    const document = asDocument(here);
    if (document === undefined || !Object.hasOwn(document, key)) return undefined;
    here = document[key];
  }
  return here;
}
