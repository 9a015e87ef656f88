// SPDX-License-Identifier: Apache-2.0
import { baseScoreTenths } from './cvss.ts';
import { asText } from './documents.ts';
import type { Severity } from './requirement.ts';

/** One vulnerability of one package, whoever found it. */
export interface Finding {
  /** All names of it, so that a waiver of one is a waiver of all. */
  readonly ids: readonly string[];
  /** Package URL; empty where the report has none. */
  readonly purl: string;
  readonly severity: Severity;
  /** The highest base score that the report has, in tenths. */
  readonly scoreTenths?: number;
}

/** A number from 0 to 10, as a number or as a text of one, in tenths. */
export function tenthsOf(value: unknown): number | undefined {
  const text = typeof value === 'number' ? String(value) : asText(value);
  if (text === undefined || !/^\d{1,2}(?:\.\d{1,16})?$/.test(text)) return undefined;
  const score = Number(text);
  return score <= 10 ? Math.round(score * 10) : undefined;
}

/** What a report has of one vulnerability, as it stands there. */
export interface Raw {
  readonly ids: readonly (string | undefined)[];
  readonly purl: string | undefined;
  readonly words: readonly (string | undefined)[];
  readonly vectors: readonly (string | undefined)[];
  /** Base scores that the report states. */
  readonly numbers: readonly unknown[];
}

/** The worst of what the report calls it, what its vectors come to, and what it states as scores: none may hide another. */
export function finding({ ids, purl = '', words, vectors, numbers }: Raw): Finding {
  const scores = present(
    vectors.map((vector) => (vector === undefined ? undefined : baseScoreTenths(vector))),
  );
  const stated = present(numbers.map(tenthsOf));
  const named = present(words.map((word) => (word === undefined ? undefined : severityOf(word))));
  // A number without a vector may make it worse. That it is low is no reason to take what nobody scored for low.
  const counted = [...scores, ...stated.filter((one) => scores.length + named.length > 0 || one >= MEDIUM)];
  const scoreTenths = counted.length === 0 ? undefined : Math.max(...counted);
  return {
    ids: [...new Set(present(ids))],
    purl,
    severity: worst([...named, ...counted.map(ofScore)]),
    ...(scoreTenths !== undefined && { scoreTenths }),
  };
}

function present<T>(values: readonly (T | undefined)[]): readonly T[] {
  return values.filter((one) => one !== undefined);
}

const WORDS: Readonly<Record<string, Severity>> = {
  critical: 'Critical',
  high: 'High',
  medium: 'Medium',
  moderate: 'Medium',
  low: 'Low',
  negligible: 'Low',
};

/** What a report calls bad, by the word; undefined of a word that says nothing of it. */
export function severityOf(word: string): Severity | undefined {
  const lower = word.toLowerCase();
  return Object.hasOwn(WORDS, lower) ? WORDS[lower] : undefined;
}

const MEDIUM = 40;

/** By the bands of CVSS 3 and 4. */
export function ofScore(tenths: number): Severity {
  if (tenths >= 90) return 'Critical';
  if (tenths >= 70) return 'High';
  return tenths >= MEDIUM ? 'Medium' : 'Low';
}

const BAD: readonly Severity[] = ['Critical', 'High', 'Medium', 'Low'];

/** The worst of several; of none, nobody has said. */
export function worst(severities: readonly Severity[]): Severity {
  return BAD.find((severity) => severities.includes(severity)) ?? 'Unscored';
}
