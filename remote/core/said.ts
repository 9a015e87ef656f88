// SPDX-License-Identifier: Apache-2.0
import { MAX_RESULT_BYTES, type ReportedUsage, type TerminationMessage } from '#crds/v1alpha1/run-result';
import type { Conversation } from './conversation.ts';
import type { Failure } from './failure.ts';
import type { Output } from './output.ts';

/** Longest message of an error that the operator takes. */
const MAX_ERROR = 2048;

/** How an attempt ended. `asks`: the agent wants to be told something before it goes on. */
export type Ending =
  | {
      readonly kind: 'asks';
      readonly prompt: string;
      readonly conversation: Conversation;
      readonly usage?: ReportedUsage | undefined;
    }
  | ({ readonly kind: 'completed'; readonly usage?: ReportedUsage | undefined } & Output)
  | { readonly kind: 'failed'; readonly failure: Failure; readonly usage?: ReportedUsage | undefined };

/** What a container says at its end, in at most 4096 bytes: what is too long is cut, and says so. */
export function terminationText(ending: Ending, hide: (text: string) => string): string {
  const usage = ending.usage === undefined ? {} : { usage: ending.usage };
  if (ending.kind === 'failed') return failedText(ending.failure, usage, hide);
  if (ending.kind === 'asks') return askedText(ending, hide);
  const artifacts = ending.artifacts.map((one) => ({ ...one, name: hide(one.name), uri: hide(one.uri) }));
  return fitted({ ...usage, ...(artifacts.length > 0 && { artifacts }) }, hidden(ending.output, hide));
}

function failedText(
  { message, retryable, code }: Failure,
  usage: Pick<TerminationMessage, 'usage'>,
  hide: (text: string) => string,
): string {
  const error = { message: cutTo(hide(message), MAX_ERROR), retryable, code };
  const text = JSON.stringify({ error, ...usage });
  // In JSON a text may be longer than it is.
  return bytes(text) <= MAX_RESULT_BYTES
    ? text
    : JSON.stringify({ error: { ...error, message: cutTo(error.message, 512) }, ...usage });
}

function askedText(
  { prompt, conversation, usage }: Extract<Ending, { readonly kind: 'asks' }>,
  hide: (text: string) => string,
): string {
  const written = (text: string): string =>
    JSON.stringify({ inputRequired: { prompt: text, state: conversation }, ...(usage && { usage }) });
  const whole = hide(prompt);
  return written(
    shortened(
      whole,
      longest(whole, (length) => written(shortened(whole, length))),
    ),
  );
}

type Rest = Pick<TerminationMessage, 'artifacts' | 'usage'>;

/** As much as there is room for; addresses of files come before words. */
function fitted(rest: Rest, output: unknown): string {
  const whole = JSON.stringify({ output, ...rest });
  if (bytes(whole) <= MAX_RESULT_BYTES) return whole;
  const kept = withinHalf(rest);
  const missing = (rest.artifacts?.length ?? 0) - (kept.artifacts?.length ?? 0);
  const note = missing === 0 ? '' : `\n[${missing} more files]`;
  const text = (typeof output === 'string' ? output : JSON.stringify(output)) + note;
  const written = (length: number) => JSON.stringify({ output: shortened(text, length), ...kept });
  return written(longest(text, written));
}

/** Length of the longest beginning of a text with which what is written fits: a character may take up to six bytes. */
function longest(text: string, written: (length: number) => string): number {
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (bytes(written(middle)) <= MAX_RESULT_BYTES) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Files whose addresses take no more than half of the room. */
function withinHalf(rest: Rest): Rest {
  const artifacts = [...(rest.artifacts ?? [])];
  while (artifacts.length > 0 && bytes(JSON.stringify(artifacts)) > MAX_RESULT_BYTES / 2) artifacts.pop();
  return { ...rest, artifacts };
}

function shortened(text: string, length: number): string {
  if (length >= text.length) return text;
  return `${wellFormed(text.slice(0, length))}\n[cut here: it has ${bytes(text)} bytes]`;
}

function cutTo(text: string, length: number): string {
  return text.length <= length ? text : `${wellFormed(text.slice(0, length - 1))}…`;
}

/** A cut may go through a character that takes two. */
function wellFormed(text: string): string {
  return text.replace(/[\uD800-\uDBFF]$/, '');
}

/** Data without secrets: as data again, or as text where it is none any more. */
function hidden(output: unknown, hide: (text: string) => string): unknown {
  if (typeof output === 'string') return hide(output);
  const text = hide(JSON.stringify(output ?? null));
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}
