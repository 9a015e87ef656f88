// SPDX-License-Identifier: Apache-2.0
import type { PackResult } from './compose.ts';
import { readAnswer } from './outputs.ts';
import type { Entrypoint } from './snapshot.ts';

/** What an entry point of a module came to. */
export type EntrypointVerdict =
  | { readonly kind: 'value'; readonly value: unknown; readonly micros: number }
  | { readonly kind: 'undefined'; readonly micros: number }
  | { readonly kind: 'failed'; readonly reason: string; readonly message: string; readonly micros: number };

/** An entry point, and what it came to. */
export interface AskedEntrypoint {
  readonly entrypoint: Entrypoint;
  readonly verdict: EntrypointVerdict;
}

/**
 * What a pack says, of what its entry points came to. One that decides everything must answer: nothing said would be a rule that
 * never holds. Of the others each answers one key, and may have nothing to say; of several for the same, all count.
 */
export function resultOf(asked: readonly AskedEntrypoint[]): PackResult {
  if (asked.length === 0) return failed('Entrypoint', 'the module has no entry point that is asked');
  const broken = asked.find(({ verdict }) => verdict.kind === 'failed')?.verdict;
  if (broken?.kind === 'failed') return failed(broken.reason, broken.message);
  const silent = asked.find(
    ({ entrypoint, verdict }) => entrypoint.role === 'decision' && verdict.kind === 'undefined',
  );
  if (silent !== undefined) return failed('Undefined', `${silent.entrypoint.path} is undefined`);
  const merged = new Map<string, unknown>();
  for (const { entrypoint, verdict } of asked) {
    if (verdict.kind !== 'value') continue;
    const fault = take(merged, entrypoint, verdict.value);
    if (fault !== undefined) return failed('BadResult', fault);
  }
  const answer = readAnswer(Object.fromEntries(merged));
  return answer.kind === 'ok'
    ? { kind: 'answer', answer: answer.answer }
    : failed('BadResult', answer.message);
}

function failed(reason: string, message: string): PackResult {
  return { kind: 'failed', reason, message };
}

/** Adds what an entry point answers to the rest; a sentence where that cannot be. */
function take(merged: Map<string, unknown>, { role, path }: Entrypoint, value: unknown): string | undefined {
  if (role === 'decision') {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return `${path} answered something else than an object`;
    for (const [key, one] of Object.entries(value)) merged.set(key, join(key, merged.get(key), one));
    return undefined;
  }
  merged.set(role, join(role, merged.get(role), value));
  return undefined;
}

/** Two that speak of access must both allow; two lists are one. What is neither is judged by whoever reads the answer. */
function join(key: string, known: unknown, value: unknown): unknown {
  if (known === undefined) return value;
  if (key === 'allow') return known === true && value === true;
  return Array.isArray(known) && Array.isArray(value)
    ? [...(known as unknown[]), ...(value as unknown[])]
    : null;
}
