// SPDX-License-Identifier: Apache-2.0
import type { Outcome } from './command.ts';
import { manifestText } from './manifest.ts';

/** Long enough for a sentence with several names. */
const MAX_COMMENT = 2000;

/** What is printed of an outcome: the value for programs, or lines for people. */
export function outputText({ value, before = [], table, after = [] }: Outcome, format: string): string {
  if (format === 'json') return JSON.stringify(value, undefined, 2);
  if (format === 'yaml') return manifestText(value).trimEnd();
  const rows = table === undefined || table.rows.length === 0 ? [] : columns([table.head, ...table.rows]);
  return [...before, ...rows, ...after].join('\n');
}

/** Rows as lines, each column as wide as its widest cell. Cells are of one line, and without what a terminal obeys. */
export function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const clean = rows.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of clean) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  }
  return clean.map((row) =>
    row.map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0))).join('  '),
  );
}

/** `text` within a line, as `printable` has it; of more than `max` characters only the first, and a mark that there are more. */
export function shown(text: string, max: number): string {
  const letters = Array.from(printable(text));
  return letters.length <= max ? letters.join('') : `${letters.slice(0, max - 1).join('')}…`;
}

/** A comment of YAML, with the end of its line. Words of others stay in it: of what ends a line in any version of YAML, there is nothing in it. */
export function commentLine(words: string): string {
  return `# ${shown(words, MAX_COMMENT)}\n`;
}

/** Messages come from packs and objects of others: what steers a terminal is not passed on. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
}
