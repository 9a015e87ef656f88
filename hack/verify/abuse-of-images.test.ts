// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';

const ROOT = join(import.meta.dirname, '../..');
const PAGE = 'docs/development/abuse-of-images.md';

/** Rows of the tables: what is tried, and by which tests of which file. */
async function rows(): Promise<readonly { what: string; file: string; titles: readonly string[] }[]> {
  const text = await readFile(join(ROOT, PAGE), 'utf8');
  return text
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| ---') && !line.startsWith('| what is'))
    .map((line) => {
      const [, what = '', , tried = ''] = line.split(' | ').length === 3 ? ['', ...line.split(' | ')] : [];
      const [, file = '', titles = ''] = /^`([^`]+)`: (.+) \|$/.exec(tried) ?? [];
      return { what: what.replace(/^\| /, ''), file, titles: titles.split('; ') };
    });
}

test('what is said to be tried is tried', async (t) => {
  const all = await rows();
  t.true(all.length > 30, `${all.length} rows`);
  for (const { what, file, titles } of all) {
    t.not(file, '', `${what}: no test is named`);
    if (file === '') continue;
    const source = await readFile(join(ROOT, file), 'utf8').catch(() => '');
    for (const title of titles) t.true(source.includes(title), `${what}: ${file} has nothing of "${title}"`);
  }
});
