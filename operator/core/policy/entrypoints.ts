// SPDX-License-Identifier: Apache-2.0
import type { PackResult } from './compose.ts';
import { readAnswer } from './outputs.ts';
import { isJsonObject } from './review.ts';
import type { Entrypoint } from './snapshot.ts';

/** What one entry point came to. */
export type EntrypointResult =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'undefined' }
  | { readonly kind: 'failed'; readonly reason: string; readonly message: string };

/** An entry point, and what it came to. */
export interface Asked {
  readonly entrypoint: Entrypoint;
  readonly result: EntrypointResult;
}

/** Rules whose findings may be written in many ways. */
const FINDINGS: ReadonlySet<string> = new Set(['deny', 'warn', 'violation']);
const UNDEFINED = {
  kind: 'failed',
  reason: 'Undefined',
  message: 'the decision is undefined: no rule gives one',
} as const;

/**
 * What a pack answers by all its entry points. A module that we compiled has one, whose answer is all there is; a prebuilt one has one for
 * each rule. One that fails is a failure of the pack: what the others say is not all that it would say.
 */
export function resultOf(asked: readonly Asked[]): PackResult {
  const answer: Record<string, unknown> = {};
  for (const { entrypoint, result } of asked) {
    if (result.kind === 'failed') return result;
    if (entrypoint.role === 'decision') {
      if (result.kind === 'undefined') return UNDEFINED;
      return read(result.value);
    }
    const value = ruleValue(entrypoint.role, result);
    if (value === undefined) continue;
    answer[entrypoint.role] = joined(answer[entrypoint.role], value);
  }
  return asked.length === 0 ? UNDEFINED : read(answer);
}

function read(value: unknown): PackResult {
  const found = readAnswer(value);
  if (found.kind === 'ok') return { kind: 'answer', answer: found.answer };
  return { kind: 'failed', reason: 'Malformed', message: found.message };
}

/** A set of rules that is undefined is empty; an opinion that is undefined is none. */
function ruleValue(
  role: string,
  result: Extract<EntrypointResult, { kind: 'value' | 'undefined' }>,
): unknown {
  if (role === 'allow') return result.kind === 'undefined' ? null : result.value;
  if (result.kind === 'undefined') return undefined;
  return FINDINGS.has(role) ? findingsOf(result.value) : result.value;
}

/** `deny if …` and `deny := "…"` are as common as sets of messages, and meant the same. */
function findingsOf(value: unknown): unknown {
  if (value === true) return ['it is not allowed'];
  if (value === false) return [];
  return typeof value === 'string' || isJsonObject(value) ? [value] : value;
}

/** Of two entry points for one role: both lists, or that both allow. */
function joined(before: unknown, value: unknown): unknown {
  if (before === undefined) return value;
  if (Array.isArray(before) && Array.isArray(value)) return [...before, ...(value as readonly unknown[])];
  if (before === false || value === false) return false;
  return before === true && value === true ? true : null;
}
