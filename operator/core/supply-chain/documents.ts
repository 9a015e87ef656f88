// SPDX-License-Identifier: Apache-2.0
import { type Judgement, refuse } from './judgement.ts';

/** A JSON object that others wrote. */
export type Document = Readonly<Record<string, unknown>>;

/** What a document may be at most. */
export interface DocumentLimits {
  readonly maxBytes: number;
  readonly maxDepth: number;
}

/** Signatures, statements without a large predicate, trust roots. */
export const SMALL: DocumentLimits = { maxBytes: 1 << 20, maxDepth: 32 };

/** Statements that carry a bill of materials or a report. */
export const LARGE: DocumentLimits = { maxBytes: 32 << 20, maxDepth: 64 };

/** Reads a JSON object: UTF-8 without errors, no larger and no deeper than it may be. */
export function readDocument(bytes: Uint8Array, what: string, limits: DocumentLimits): Judgement<Document> {
  if (bytes.length > limits.maxBytes) {
    return refuse('TooLarge', `${what} has ${bytes.length} bytes; ${limits.maxBytes} are allowed`);
  }
  const value = parse(bytes);
  if (value === undefined) return refuse('Malformed', `${what} is not a JSON object`);
  return isDeeper(value, limits.maxDepth)
    ? refuse('TooLarge', `${what} is nested deeper than ${limits.maxDepth}`)
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

function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (depth === 0) return true;
  const inner: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  return inner.some((one) => isDeeper(one, depth - 1));
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
