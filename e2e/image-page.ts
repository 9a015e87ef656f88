// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const PAGE = join(import.meta.dirname, '../docs/spec/v1alpha1/refused-images.md');

/** The rows of the table under a heading of the page of refused images, each by its cells. */
export function rowsUnder(heading: string): readonly (readonly string[])[] {
  const [, part = ''] = readFileSync(PAGE, 'utf8').split(`## ${heading}\n`);
  const [under = ''] = part.split(/^## /m);
  const lines = under.split('\n').filter((line) => line.startsWith('| '));
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
