// SPDX-License-Identifier: Apache-2.0

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Whether brackets are nested deeper than `most` in a text of JSON, given as UTF-8. Of other texts it says nothing. Without parsing: that is
 * what it protects. Each question of the API server is read by it three times, so its bytes are compared and not looked up.
 */
export function isDeeper(json: Uint8Array, most: number): boolean {
  const { length } = json;
  let depth = 0;
  for (let at = 0; at < length; at += 1) {
    const byte = json[at];
    if (byte === QUOTE) at = endOfText(json, at);
    else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      if (depth > most) return true;
    } else if (byte === 0x7d || byte === 0x5d) depth -= 1;
  }
  return false;
}

/** Where the text ends that begins here. */
function endOfText(json: Uint8Array, from: number): number {
  const { length } = json;
  let at = from + 1;
  while (at < length) {
    const byte = json[at];
    if (byte === QUOTE) return at;
    at += byte === BACKSLASH ? 2 : 1;
  }
  return at;
}
