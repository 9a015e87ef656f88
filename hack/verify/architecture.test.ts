// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { webhookCertificatesController } from '#operator/controllers/webhook-certificates';
import { allControllers } from '../generate/roles.ts';

const PAGE = join(import.meta.dirname, '../../docs/architecture.md');

/** Names in the first column of the table of controllers. */
async function inTable(): Promise<readonly string[]> {
  const [, after = ''] = (await readFile(PAGE, 'utf8')).split('\n| controller |');
  const [table = ''] = after.split('\n\n');
  const rows = table.split('\n').slice(2);
  return rows.flatMap((row) => (row.split('|')[1] ?? '').split(',').map((name) => name.trim()));
}

// That of certificates is there where the chart has admission, and its rules are in a role of their own.
const certificates = webhookCertificatesController({ namespace: 'n', secretName: 's', validSeconds: 60 });
const names = [...allControllers(), certificates].map(({ name }) => name);

test('the page of the architecture names each controller, and what it decides', async (t) => {
  const told = await inTable();
  t.true(names.length > 12, names.join());
  t.deepEqual(told.toSorted(), names.toSorted(), 'all of them, each once, and nobody else');
});

test('and the drawing does', async (t) => {
  const [, drawing = ''] = (await readFile(PAGE, 'utf8')).split('```');
  // Controllers stand in the lines below the operator, and nothing else does.
  const [, below = ''] = drawing.split(/^ *operator \(.*$/mu);
  const drawn = below
    .split(/[·\n]/u)
    .map((one) => one.trim())
    .filter((one) => one !== '');
  t.deepEqual(drawn.toSorted(), names.toSorted());
});
