// SPDX-License-Identifier: Apache-2.0
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { auditedWrites, auditPosition } from './audit-writes.ts';

function line(path: string, more: object = {}): string {
  const event = {
    stage: 'ResponseComplete',
    verb: 'create',
    requestURI: path,
    stageTimestamp: 'now',
    ...more,
  };
  return `${JSON.stringify({ ...event, user: { username: 'me' }, responseStatus: { code: 201 } })}\n`;
}

const places: Readonly<Record<string, number>> = {
  'at the end of a line': line('/before').length,
  'in the middle of one': line('/before').length - 20,
  'before the end of one': line('/before').length - 1,
};

for (const [title, written] of Object.entries(places)) {
  test(`what comes after a place in the audit log is read, wherever that was: ${title}`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'nexusos-audit-'));
    t.teardown(() => rm(folder, { recursive: true }));
    const log = join(folder, 'audit.log');
    await writeFile(log, line('/before').slice(0, written));
    const from = await auditPosition(log);
    await appendFile(log, line('/before').slice(written));
    await appendFile(log, line('/first') + line('/second', { verb: 'get' }) + line('/third'));
    const seen = async (after: number) => (await auditedWrites(log, after)).map(({ path }) => path);
    t.deepEqual(await seen(from), ['/first', '/third']);
    t.deepEqual(await seen(0), ['/before', '/first', '/third']);
  });
}
