// SPDX-License-Identifier: Apache-2.0
import type { JsonObject } from '#operator/rego/gatekeeper/json';

/** What a case of a suite says must be so of the messages of all violations; undefined where it is. */
export function assertionProblem(assertion: JsonObject, messages: readonly string[]): string | undefined {
  const { message, violations = 'yes' } = assertion;
  const pattern = message === undefined ? undefined : regexOf(message);
  if (pattern === null)
    return `message is no regular expression that is read here: ${JSON.stringify(message)}`;
  const count = messages.filter((one) => pattern === undefined || pattern.test(one)).length;
  const like = pattern === undefined ? '' : ` like ${JSON.stringify(message)}`;
  const wanted = countWanted(violations);
  if (wanted === undefined) return `violations must be a number, yes or no; is ${JSON.stringify(violations)}`;
  return wanted.holds(count)
    ? undefined
    : `${count} violations${like}, wanted ${wanted.text}; said: ${said(messages)}`;
}

function said(messages: readonly string[]): string {
  return messages.length === 0
    ? 'nothing'
    : messages.map((one) => JSON.stringify(one.slice(0, 200))).join(', ');
}

interface Wanted {
  readonly text: string;
  readonly holds: (count: number) => boolean;
}

/** YAML makes booleans of yes and no where it is read by version 1.1. */
function countWanted(violations: unknown): Wanted | undefined {
  if (violations === 'yes' || violations === true) return { text: 'some', holds: (count) => count > 0 };
  if (violations === 'no' || violations === false) return { text: 'none', holds: (count) => count === 0 };
  if (typeof violations !== 'number' || !Number.isInteger(violations) || violations < 0) return undefined;
  return { text: String(violations), holds: (count) => count === violations };
}

/** Null where it is none for JavaScript; that of Go, which suites are written for, is much the same. */
function regexOf(text: unknown): RegExp | null {
  if (typeof text !== 'string') return null;
  try {
    return new RegExp(text);
  } catch {
    return null;
  }
}
