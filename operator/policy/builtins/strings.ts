// SPDX-License-Identifier: Apache-2.0
import { type Value } from '../values/value.ts';
import { type Builtin, type Builtins, expectModest, ofTexts, textsOf, wholeOf } from './builtin.ts';

/** What can be asked of texts beyond what the compiler has code for. */
export const STRING_BUILTINS: Builtins = {
  'strings.any_prefix_match': anyMatch((text, start) => text.startsWith(start)),
  'strings.any_suffix_match': anyMatch((text, end) => text.endsWith(end)),
  'strings.count': ofTexts(countOf),
  'strings.split_n': ([text, delimiter, most]) => {
    const count = wholeOf(most);
    if (typeof text !== 'string' || typeof delimiter !== 'string' || count === undefined) return undefined;
    return splitN({ text, delimiter }, count);
  },
  indexof_n: ofTexts(indexesOf),
  'glob.quote_meta': ofTexts((pattern) => pattern.replace(/[*?\\[\]{}]/g, '\\$&')),
};

function anyMatch(isMatch: (text: string, part: string) => boolean): Builtin {
  return ([searched, parts]) => {
    const texts = oneOrMany(searched);
    const wanted = oneOrMany(parts);
    if (texts === undefined || wanted === undefined) return undefined;
    return texts.some((text) => wanted.some((part) => isMatch(text, part)));
  };
}

function oneOrMany(value: Value | undefined): readonly string[] | undefined {
  return typeof value === 'string' ? [value] : textsOf(value);
}

/** How often one text is in the other, without overlaps; that of no character is between all of them. */
function countOf(text: string, part: string): number {
  if (part === '') return Array.from(text).length + 1;
  return text.split(part).length - 1;
}

/** The places of a text in another, in characters; overlaps count. */
function indexesOf(text: string, part: string): Value | undefined {
  if (part === '') return undefined;
  const indexes: number[] = [];
  let characters = 0;
  let counted = 0;
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + 1)) {
    characters += Array.from(text.slice(counted, at)).length;
    counted = at;
    indexes.push(characters);
    expectModest('indexof_n', indexes.length);
  }
  return indexes;
}

/** The first pieces of a text, so many of them; below zero, the last. */
function splitN(
  { text, delimiter }: { readonly text: string; readonly delimiter: string },
  count: bigint,
): readonly string[] {
  const pieces = delimiter === '' ? Array.from(text) : text.split(delimiter);
  const number = Number(count);
  return number < 0 ? pieces.slice(number) : pieces.slice(0, number);
}
