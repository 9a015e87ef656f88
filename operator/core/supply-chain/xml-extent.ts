// SPDX-License-Identifier: Apache-2.0
import { type Judgement, refuse } from './judgement.ts';

/** How much a text of XML would come to, if it is one. */
export interface XmlExtent {
  /** Elements, attributes, comments and instructions: each takes memory, however few letters it has. */
  readonly values: number;
  readonly depth: number;
  /** What it declares is replaced in what follows: a few lines of it come to gigabytes, or to what others keep in files. */
  readonly declares: boolean;
}

/** What goes by its own end: markup in it is none. */
const SKIPPED: readonly (readonly [begin: string, end: string])[] = [
  ['<!--', '-->'],
  ['<![CDATA[', ']]>'],
  ['<?', '?>'],
];

/**
 * Counts without making anything of it. Of a text that is no XML it counts what is before the first fault, which is as far as a parser gets.
 *
 * xmlExtentOf('<a b="1"><c/></a>') -> { values: 3, depth: 2, declares: false }
 */
export function xmlExtentOf(xml: string): XmlExtent {
  let values = 0;
  let depth = 0;
  let deepest = 0;
  for (let place = xml.indexOf('<'); place !== -1; place = xml.indexOf('<', place)) {
    const skipped = SKIPPED.find(([begin]) => xml.startsWith(begin, place));
    if (skipped !== undefined) {
      values += 1;
      place = after(xml, skipped[1], place + skipped[0].length);
    } else if (xml[place + 1] === '!') {
      return { values, depth: deepest, declares: true };
    } else if (xml[place + 1] === '/') {
      depth -= 1;
      place = after(xml, '>', place);
    } else {
      const tag = tagAt(xml, place);
      values += tag.values;
      deepest = Math.max(deepest, depth + 1);
      depth += tag.isEmpty ? 0 : 1;
      place = tag.end;
    }
  }
  return { values, depth: deepest, declares: false };
}

function after(xml: string, end: string, from: number): number {
  const found = xml.indexOf(end, from);
  return found === -1 ? xml.length : found + end.length;
}

/** What ends a tag, and what in it counts or hides such an end. */
const IN_TAG = /["'=>]/g;

/** The tag that begins at a place: itself and its attributes, each of which has an equals sign. */
function tagAt(
  xml: string,
  begin: number,
): { readonly values: number; readonly end: number; readonly isEmpty: boolean } {
  let values = 1;
  IN_TAG.lastIndex = begin;
  for (let found = IN_TAG.exec(xml); found !== null; found = IN_TAG.exec(xml)) {
    const [sign] = found;
    if (sign === '>') return { values, end: IN_TAG.lastIndex, isEmpty: xml[IN_TAG.lastIndex - 2] === '/' };
    if (sign === '=') values += 1;
    else IN_TAG.lastIndex = after(xml, sign, IN_TAG.lastIndex);
  }
  return { values, end: xml.length, isEmpty: false };
}

/** What a text of XML may be at most. */
export interface XmlLimits {
  readonly maxLength: number;
  readonly maxDepth: number;
  readonly maxValues: number;
}

/** A bill of materials of 10,000 parts has some 250,000 values, and some 10 MiB. */
export const XML_LIMITS: XmlLimits = { maxLength: 16 << 20, maxDepth: 64, maxValues: 500_000 };

/** Whether a text may be given to a parser of XML, with what it comes to; that is seen before it is parsed. */
export function readableXml(xml: string, what: string, limits: XmlLimits = XML_LIMITS): Judgement<XmlExtent> {
  const { maxLength, maxDepth, maxValues } = limits;
  if (xml.length > maxLength)
    return refuse('TooLarge', `${what} has ${xml.length} letters; ${maxLength} are allowed in XML`);
  const extent = xmlExtentOf(xml);
  if (extent.declares)
    return refuse('Malformed', `${what} has a declaration (<!DOCTYPE); XML is read without any`);
  if (extent.depth > maxDepth) return refuse('TooLarge', `${what} is nested deeper than ${maxDepth}`);
  if (extent.values > maxValues)
    return refuse('TooLarge', `${what} has ${extent.values} values; ${maxValues} are allowed in XML`);
  const encoding = ENCODING.exec(xml)?.[1];
  if (encoding !== undefined && !/^utf-?8$/i.test(encoding))
    return refuse('Malformed', `${what} says that it is in ${encoding.slice(0, 40)}; wanted is UTF-8`);
  return { kind: 'verified', value: extent };
}

/** What the first line says of how letters are written. */
const ENCODING = /^\uFEFF?<\?xml\s[^?>]{0,200}?\bencoding\s*=\s*["']([A-Za-z0-9._-]+)["']/;

/** Whether a text is XML by how it begins. */
export function looksLikeXml(text: string): boolean {
  return /^\s*</.test(text);
}
