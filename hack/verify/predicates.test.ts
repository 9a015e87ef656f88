// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { PREDICATES } from '#operator/core/supply-chain/requirement';

const PAGE = join(import.meta.dirname, '../../docs/spec/v1alpha1/clusterimagepolicy.md');

test('the page of policies says what statements are called, all of them and no others', async (t) => {
  const text = await readFile(PAGE, 'utf8');
  const [, part = ''] = text.split('### What a statement is called\n');
  const [under = ''] = part.split(/^### /m);
  const rows = under.split('\n').filter((line) => line.startsWith('| ') && line.includes('https://'));
  const told = rows.flatMap((row) =>
    [...(row.split('|')[2] ?? '').matchAll(/`([^`]+)`/g)].map(([, type = '']) => type),
  );
  const { signature: _, ...stated } = PREDICATES;
  t.deepEqual(told.toSorted(), Object.values(stated).flat().toSorted());
});
