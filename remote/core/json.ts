// SPDX-License-Identifier: Apache-2.0

/** Deepest nesting that is read: agents hand on documents, and nobody can follow one that is deeper. */
export const MAX_DEPTH = 64;

/** What a text holds as JSON, or why it is not read. */
export type Parsed =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'unread'; readonly why: string };

/** Reads JSON of bounded depth: it is looked at before anything is made of it. */
export function parseJson(text: string): Parsed {
  if (depthOf(text) > MAX_DEPTH)
    return { kind: 'unread', why: `it is nested deeper than ${MAX_DEPTH} levels` };
  try {
    return { kind: 'json', value: JSON.parse(text) };
  } catch {
    return { kind: 'unread', why: 'it is not JSON' };
  }
}

/** How deep brackets are nested in a text, those in strings aside. */
export function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let isString = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    // What is escaped ends no string.
    if (character === '\\' && isString) at += 1;
    else if (character === '"') isString = !isString;
    else if (!isString) depth += STEPS.get(character) ?? 0;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

const STEPS: ReadonlyMap<string | undefined, number> = new Map([
  ['[', 1],
  ['{', 1],
  [']', -1],
  ['}', -1],
]);
