// SPDX-License-Identifier: Apache-2.0
import { type RunResult, result } from '#crds/v1alpha1/run-result';
import type { Artifact, Message, Part, Task } from './task.ts';

/** A file by reference. */
type Link = NonNullable<RunResult['artifacts']>[number];

/** What an agent has made, as a Run can tell it. */
export interface Output {
  /** Text, or the value of data that is all there is. */
  readonly output: unknown;
  readonly artifacts: readonly Link[];
}

/** Takes secrets out of a text. */
type Hide = (text: string) => string;

const schema = result.shape.artifacts.unwrap();
const MAX_ARTIFACTS = 32;
/** Output is cut later: beyond this there is no need to gather it. */
const MAX_NOTES = 32;

/** What a task has made: its artifacts, or without any what was said at its end. */
export function outputOfTask({ artifacts, message }: Task, hide: Hide): Output {
  if (artifacts.length > 0) return outputOf(artifacts, hide);
  return outputOf(message === undefined ? [] : [message], hide);
}

/** What a message says. */
export function outputOfMessage(message: Message, hide: Hide): Output {
  return outputOf([message], hide);
}

/** The words of a message. */
export function wordsOf(message: Message | undefined): string {
  return message === undefined ? '' : message.parts.flatMap(textOf).join('\n');
}

function outputOf(made: readonly Artifact[], hide: Hide): Output {
  const parts = made.flatMap(({ name, parts }) => parts.map((part) => named(part, name)));
  const links = linksIn(parts, hide);
  const notes = [...links.notes, ...parts.flatMap(noteOn)];
  const said = parts.filter(({ kind }) => kind === 'text' || kind === 'data');
  const [only] = said;
  if (only?.kind === 'data' && said.length === 1 && notes.length === 0) {
    return { output: only.data, artifacts: links.kept };
  }
  const shown = notes.slice(0, MAX_NOTES);
  const rest = notes.length > shown.length ? [`[and ${notes.length - shown.length} more]`] : [];
  return { output: [...said.flatMap(textOf), ...shown, ...rest].join('\n'), artifacts: links.kept };
}

/** A file without a name goes by that of its artifact. */
function named(part: Part, name: string | undefined): Part {
  return part.kind === 'link' || part.kind === 'bytes' ? { ...part, name: part.name ?? name } : part;
}

function textOf(part: Part): readonly string[] {
  if (part.kind === 'text') return [part.text];
  return part.kind === 'data' ? [JSON.stringify(part.data ?? null)] : [];
}

function noteOn(part: Part): readonly string[] {
  if (part.kind !== 'bytes') return [];
  return [`[${part.name ?? 'a file'}: ${part.size} bytes were handed over in the answer, and are not kept]`];
}

/** Files by reference: as many as a Run can tell of, each under a name of its own. */
function linksIn(
  parts: readonly Part[],
  hide: Hide,
): {
  readonly kept: readonly Link[];
  readonly notes: readonly string[];
} {
  const kept = new Map<string, Link>();
  const notes: string[] = [];
  for (const part of parts) {
    if (part.kind !== 'link') continue;
    const name = freeName((part.name ?? '') || 'file', kept);
    const link = { name, uri: part.uri };
    const isFit = schema.safeParse([link]).success;
    if (isFit && kept.size < MAX_ARTIFACTS) kept.set(name, link);
    else
      notes.push(
        `[${hide(name).slice(0, 64)}: ${isFit ? 'one file too many' : 'its address cannot be told'}]`,
      );
  }
  return { kept: [...kept.values()], notes };
}

/** freeName('a', with 'a') -> 'a-2' */
function freeName(name: string, taken: ReadonlyMap<string, unknown>): string {
  for (let number = 1; ; number += 1) {
    const candidate = number === 1 ? name : `${name}-${number}`;
    if (!taken.has(candidate)) return candidate;
  }
}
