// SPDX-License-Identifier: Apache-2.0
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { waitForQuiet, writesOf } from './audit.ts';
import { temporaryFolder } from '../tools/testing/temporary-folder.ts';

function line(verb: string, resource: string, username = 'op'): string {
  return JSON.stringify({
    stage: 'ResponseComplete',
    verb,
    user: { username },
    objectRef: { resource, namespace: 'n', name: 'x' },
  });
}

test('only writes of the user count, and each once; its Lease does not', (t) => {
  const lines = [
    line('get', 'pods'),
    line('watch', 'pods'),
    line('patch', 'configmaps'),
    line('patch', 'configmaps').replace('ResponseComplete', 'RequestReceived'),
    line('update', 'leases'),
    line('create', 'pods', 'somebody else'),
  ];
  t.deepEqual(writesOf(lines, 'op'), [{ verb: 'patch', resource: 'configmaps', name: 'n/x' }]);
});

async function logFile(t: { teardown: (end: () => Promise<void>) => void }): Promise<string> {
  const folder = await temporaryFolder(t, 'audit');
  const path = join(folder, 'audit.log');
  await writeFile(path, '');
  return path;
}

test('silence is found, and the want of it is told', async (t) => {
  const path = await logFile(t);
  await appendFile(path, `${line('create', 'pods')}\n`);
  t.is(
    await waitForQuiet(path, { user: 'op', quietMs: 300, timeoutMs: 60_000 }),
    undefined,
    'the past does not count',
  );

  const noise = setInterval(() => void appendFile(path, `${line('patch', 'pods')}\n`), 20);
  t.teardown(() => clearInterval(noise));
  const last = await waitForQuiet(path, { user: 'op', quietMs: 60_000, timeoutMs: 3000 });
  t.is(last?.[0]?.resource, 'pods');
});
