// SPDX-License-Identifier: Apache-2.0
import { Document, visit } from 'yaml';

/**
 * What ends a line in YAML 1.1, as kubectl reads it, and not in YAML 1.2, as it is written here: after one of these in a text of many lines, the next
 * word would be a key of the document.
 */
const OLD_BREAKS = /[\u0085\u2028\u2029]/g;

/** A value as one document of YAML that every version of YAML reads as that value, whoever its texts are of: it goes to kubectl. */
export function manifestText(value: unknown): string {
  const document = new Document(value);
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value === 'string' && node.value.search(OLD_BREAKS) !== -1) node.type = 'QUOTE_DOUBLE';
    },
  });
  // In quotes by now, all of them.
  return document.toString({ lineWidth: 0 }).replaceAll(OLD_BREAKS, escaped);
}

function escaped(letter: string): string {
  return `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
