// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { allControllers } from '../generate/roles.ts';

const PAGE = join(import.meta.dirname, '../../docs/architecture.md');

/** Names in the first column of the table of controllers. */
async function inTable(): Promise<readonly string[]> {
  const [, after = ''] = (await readFile(PAGE, 'utf8')).split('\n| controller |');
  const [table = ''] = after.split('\n\n');
  const rows = table.split('\n').slice(2);
  return rows.flatMap((row) => (row.split('|')[1] ?? '').split(',').map((name) => name.trim()));
}

const names = allControllers().map(({ name }) => name);

test('the page of the architecture names each controller, and what it decides', async (t) => {
  const told = await inTable();
  t.true(names.length > 12, names.join());
  for (const name of names) t.true(told.includes(name), `${name} is not in the table`);
  t.deepEqual(
    told.filter((one, index) => told.indexOf(one) !== index),
    [],
  );
});

test('and the drawing does', async (t) => {
  const [, drawing = ''] = (await readFile(PAGE, 'utf8')).split('```');
  for (const name of names) t.regex(drawing, new RegExp(`(^|[ ·])${name}( ·|$)`, 'm'), name);
});
