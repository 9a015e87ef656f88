// SPDX-License-Identifier: Apache-2.0

const ESCAPES: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '"': '\\"',
  '\\': '\\\\',
};

/** What Go takes for printable: letters, marks, numbers, punctuation and symbols, and of all spaces the plain one. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** Text in double quotes as Go's strconv.Quote writes it: what cannot be printed is escaped. */
export function quote(text: string): string {
  return `"${Array.from(text, (character) => ESCAPES[character] ?? plainOrEscaped(character)).join('')}"`;
}

/** The same with nothing but ASCII in it. */
export function quoteAscii(text: string): string {
  const escaped = Array.from(text, (character) => {
    const known = ESCAPES[character];
    return known ?? (character >= ' ' && character <= '~' ? character : escape(character));
  });
  return `"${escaped.join('')}"`;
}

/** Whether Go prints this character as it is. */
export function isPrintable(character: string): boolean {
  return PRINTABLE.test(character);
}

function plainOrEscaped(character: string): string {
  return isPrintable(character) ? character : escape(character);
}

/**
 * escape('\u0001') -> '\\x01', escape('\u200b') -> '\\u200b', escape('\u{e0001}') -> '\\U000e0001'
 */
function escape(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const hex = (digits: number): string => code.toString(16).padStart(digits, '0');
  if (code < 0x20 || code === 0x7f) return `\\x${hex(2)}`;
  return code > 0xffff ? `\\U${hex(8)}` : `\\u${hex(4)}`;
}

/** One character in single quotes as Go's strconv.QuoteRune writes it. */
export function quoteCharacter(character: string, isAscii: boolean): string {
  const inside = (isAscii ? quoteAscii(character) : quote(character)).slice(1, -1);
  if (character === '"') return `'"'`;
  return character === "'" ? `'\\''` : `'${inside}'`;
}
