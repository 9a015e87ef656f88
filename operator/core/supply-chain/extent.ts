// SPDX-License-Identifier: Apache-2.0

/** How much a text of JSON would come to, if it is one. */
export interface Extent {
  /** Lists, objects, and what is in them: each takes memory, however few bytes it has. */
  readonly values: number;
  readonly depth: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const LIST = 0x5b;
const END_OF_LIST = 0x5d;
const OBJECT = 0x7b;
const END_OF_OBJECT = 0x7d;
/** Texts are mostly short, the longest of them hashes: to ask for the end of each costs more than to look. */
const NEAR = 160;

/**
 * Counts without making anything of it, and no further than `most` values. Two bytes may become an object of sixty, and who runs out of memory while JSON is parsed does not get to say
 * so: it ends the process, whatever the thread may have.
 *
 * extentOf('{"a":[1,{}]}') -> { values: 5, depth: 3 }
 */
export function extentOf(json: Uint8Array, most = Infinity): Extent {
  let values = 1;
  let depth = 0;
  let deepest = 0;
  for (let index = 0; index < json.length && values <= most; index += 1) {
    const byte = json[index] ?? 0;
    if (byte === QUOTE) index = endOfText(json, index);
    else if (byte === COMMA) values += 1;
    else if (byte === OBJECT || byte === LIST) {
      values += 1;
      depth += 1;
      deepest = Math.max(deepest, depth);
    } else if (isEnd(byte)) depth -= 1;
  }
  return { values, depth: deepest };
}

function isEnd(byte: number): boolean {
  return byte === END_OF_OBJECT || byte === END_OF_LIST;
}

const counted = new WeakMap<Uint8Array, Extent>();

/** The same of what nobody writes to any more, counted once. */
export function extentOnce(json: Uint8Array): Extent {
  const known = counted.get(json);
  if (known !== undefined) return known;
  const extent = extentOf(json);
  counted.set(json, extent);
  return extent;
}

/** Where a text ends that begins at a place; where there is no end, that of all. */
function endOfText(json: Uint8Array, begin: number): number {
  const near = Math.min(json.length, begin + NEAR);
  let place = begin + 1;
  for (; place < near; place += 1) {
    const byte = json[place];
    if (byte === QUOTE) return place;
    // With what it escapes.
    if (byte === BACKSLASH) place += 1;
  }
  return endOfLongText(json, place);
}

/** The same from within a text: what is at `place` is escaped by nothing before it. */
function endOfLongText(json: Uint8Array, place: number): number {
  for (let end = json.indexOf(QUOTE, place); end !== -1; end = json.indexOf(QUOTE, end + 1)) {
    if (!isEscaped(json, end)) return end;
  }
  return json.length;
}

/** After an odd number of backslashes. */
function isEscaped(json: Uint8Array, place: number): boolean {
  let first = place;
  while (json[first - 1] === BACKSLASH) first -= 1;
  return (place - first) % 2 === 1;
}
