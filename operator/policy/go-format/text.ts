// SPDX-License-Identifier: Apache-2.0
import { quote, quoteAscii } from '../values/quote.ts';
import { type Flags, pad } from './directive.ts';

/** Text as Go formats it; undefined where the verb is not for text. */
export function formatText(text: string, verb: string, flags: Flags): string | undefined {
  switch (verb) {
    case 'v':
      return flags.sharpV ? quoted(text, flags) : pad(cut(text, flags), flags);
    case 's':
      return pad(cut(text, flags), flags);
    case 'q':
      return quoted(text, flags);
    case 'x':
      return hex(text, flags);
    case 'X':
      return hex(text, flags).toUpperCase();
    default:
      return undefined;
  }
}

/** The first characters, as many as the precision says. */
function cut(text: string, { precision }: Flags): string {
  return precision === undefined || precision >= text.length
    ? text
    : Array.from(text).slice(0, precision).join('');
}

function quoted(text: string, flags: Flags): string {
  const kept = cut(text, flags);
  if (flags.sharp && !/[^\t\x20-\x7e\u0080-\ufefe\uff00-\u{10ffff}]|`/u.test(kept))
    return pad(`\`${kept}\``, flags);
  return pad(flags.plus ? quoteAscii(kept) : quote(kept), flags);
}

/** The bytes of a text; the precision is how many of them. */
function hex(text: string, flags: Flags): string {
  const { sharp, space, precision } = flags;
  const bytes = new TextEncoder().encode(text).subarray(0, precision);
  if (bytes.length === 0) return pad('', flags);
  const pairs = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'));
  const mark = sharp ? '0x' : '';
  return pad(mark + pairs.join(space ? ` ${mark}` : ''), flags);
}
