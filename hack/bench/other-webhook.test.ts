// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { Agent, request } from 'undici';
import { announcementIn, startEmpty, startOther } from './other-webhook.ts';

const URL = 'https://127.0.0.1:1/admit';

test('where it serves is one line', (t) => {
  const said = { url: URL, caFile: '/ca.crt', pid: 7 };
  t.deepEqual(announcementIn(JSON.stringify(said)), said);
  t.deepEqual(announcementIn(`{"url":"${URL}","caFile":"ca.crt"}`), { url: URL, caFile: 'ca.crt' });
});

const refused: Record<string, { line: string; says: RegExp }> = {
  'no JSON': { line: 'listening', says: /said "listening"; what is wanted first is a line \{"url"/ },
  'no object': { line: '[]', says: /said \[\]; what is wanted/ },
  'no url': { line: '{"caFile":"f"}', says: /said undefined for url/ },
  'one that is not encrypted': {
    line: '{"url":"http://127.0.0.1/","caFile":"f"}',
    says: /said "http:\/\/127.0.0.1\/" for url/,
  },
  'no authority': { line: `{"url":"${URL}"}`, says: /said undefined for caFile/ },
  // A signal or a look at process 0 would be about whoever asks.
  'no process': { line: `{"url":"${URL}","caFile":"f","pid":0}`, says: /said 0 for pid/ },
};

for (const [name, { line, says }] of Object.entries(refused))
  test(`refused: ${name}`, (t) => void t.throws(() => announcementIn(line), { message: says }));

let folder: string;

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nexusos-other-'));
});

test.after.always(() => rm(folder, { recursive: true, force: true }));

async function programOf(name: string, ...lines: readonly string[]): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, ['#!/bin/sh', ...lines, ''].join('\n'), { mode: 0o755 });
  return path;
}

test('it is told what it needs, and ends what it started when nobody needs it any more', async (t) => {
  const caFile = join(folder, 'ca.crt');
  const ended = join(folder, 'ended');
  const program = await programOf(
    'orderly',
    'printf %s "$WHERE" > "$CA"',
    `echo '${JSON.stringify({ url: URL, caFile, pid: 7 })}'`,
    'cat > /dev/null',
    `touch '${ended}'`,
  );
  const other = await startOther(program, { WHERE: 'the authority', CA: caFile });
  t.deepEqual([other.url, other.ca, other.pid], [URL, 'the authority', 7]);
  t.false(existsSync(ended));
  await other.stop();
  t.true(existsSync(ended));
  await t.notThrowsAsync(other.stop(), 'once more is no harm');
});

test('one that ends before it serves', async (t) => {
  const program = await programOf('early', 'exit 3');
  await t.throwsAsync(startOther(program, {}), {
    message: /early ended with 3 before it told where it serves/,
  });
});

test('one that is not there', async (t) => {
  await t.throwsAsync(startOther(join(folder, 'nowhere'), {}), { message: /nowhere/ });
});

test('one that says something else first is ended', async (t) => {
  const ended = join(folder, 'wordy-ended');
  const program = await programOf('wordy', 'echo listening', 'cat > /dev/null', `touch '${ended}'`);
  await t.throwsAsync(startOther(program, {}), { message: /said "listening"/ });
  t.true(existsSync(ended));
});

test('a webhook that judges nothing answers reviews by their uid, and refuses what has no annotations', async (t) => {
  const empty = await startEmpty();
  const { url, ca, pid } = empty;
  const dispatcher = new Agent({ allowH2: false, connect: { ca } });
  t.teardown(async () => {
    await dispatcher.close();
    await empty.stop();
  });
  t.true(pid !== undefined && pid !== process.pid);
  // As the API server passes it on: `added` waits for a refusal by 403.
  const refusal = { allowed: false, status: { code: 403, message: 'no annotations' } };
  for (const annotations of [{ team: 'a' }, undefined]) {
    const uid = '5f2a9c01-d3aa-4b1e-9a44-0123456789ab';
    const body = JSON.stringify({ request: { uid, object: { metadata: { annotations } } } });
    const answer = await request(url, { method: 'POST', dispatcher, body });
    const { response } = (await answer.body.json()) as { readonly response: unknown };
    t.deepEqual(response, { uid, ...(annotations === undefined ? refusal : { allowed: true }) });
  }
});
