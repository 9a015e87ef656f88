// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { eventually } from '#hack/tools/eventually';
import { digestOfBytes } from '../core/oci/digest.ts';
import { ASKING, clientOf, loginTo } from './testing/client.ts';
import { makeManifest, repositoryAt, serve } from './testing/serve.ts';

test('those who ask the same at the same time ask once; who leaves ends it for nobody else', async (t) => {
  const made = makeManifest();
  const server = await serve(t, (_, response) => void setTimeout(() => response.end(made.bytes), 200));
  const client = clientOf(t, [server]);
  const leaving = client.manifest(repositoryAt(server), made.digest, {
    ...ASKING,
    signal: AbortSignal.timeout(20),
  });
  const staying = Array.from({ length: 20 }, () =>
    client.manifest(repositoryAt(server), made.digest, ASKING),
  );
  t.like(await leaving, { kind: 'unreachable' });
  for (const answer of await Promise.all(staying)) t.is(answer.kind, 'ok');
  t.is(server.asked.length, 1);
});

test('a registry that asks to be left alone is left alone, by who was told so', async (t) => {
  const server = await serve(t, ({ headers }, response) =>
    headers.authorization === undefined
      ? void response.writeHead(429, { 'retry-after': '60' }).end()
      : void response.end(),
  );
  const client = clientOf(t, [server]);
  for (let i = 0; i < 50; i += 1) {
    const answer = await client.resolve({ ...repositoryAt(server), tag: `v${i}` }, ASKING);
    t.like(answer, { kind: 'throttled' });
    if (answer.kind === 'throttled') t.true((answer.retryAfterMs ?? 0) > 50_000);
  }
  t.is(server.asked.length, 1);
  // Somebody else may have more left.
  await client.resolve({ ...repositoryAt(server), tag: 'v' }, { keychain: loginTo(server.host) });
  t.is(server.asked.length, 2);
});

test('a registry that does not answer is left alone after a while, and tried again', async (t) => {
  let isDown = true;
  const made = makeManifest();
  const server = await serve(t, (_, response) =>
    isDown ? void response.destroy() : void response.end(made.bytes),
  );
  const client = clientOf(t, [server], { limits: { failures: 3, openMs: 400 } });
  for (let i = 0; i < 20; i += 1)
    t.like(await client.resolve({ ...repositoryAt(server), tag: `v${i}` }, ASKING), { kind: 'unreachable' });
  const asked = server.asked.length;
  t.true(asked <= 6, `${asked}`);
  isDown = false;
  await t.notThrowsAsync(async () => {
    const endsAt = performance.now() + 60_000;
    while ((await client.manifest(repositoryAt(server), made.digest, ASKING)).kind !== 'ok')
      if (performance.now() > endsAt) throw new Error('it is not tried again');
      else await new Promise((resolve) => setTimeout(resolve, 50));
  });
});

test('a passing failure is tried again at once', async (t) => {
  let left = 2;
  const made = makeManifest();
  const server = await serve(t, (_, response) => {
    left -= 1;
    return left >= 0 ? void response.writeHead(503).end() : void response.end(made.bytes);
  });
  t.is((await clientOf(t, [server]).manifest(repositoryAt(server), made.digest, ASKING)).kind, 'ok');
  t.is(server.asked.length, 3);
});

test('one that is slow takes no place from others, and is not asked more than so much at a time', async (t) => {
  const made = makeManifest();
  const slow = await serve(t, () => {});
  const quick = await serve(t, (_, response) => void response.end(made.bytes));
  const client = clientOf(t, [slow, quick], { limits: { perHost: 2, inAll: 4, waiting: 3 } });
  const leaving = new AbortController();
  const waiting = Array.from({ length: 10 }, (_, i) =>
    client.resolve({ ...repositoryAt(slow), tag: `v${i}` }, { ...ASKING, signal: leaving.signal }),
  );
  t.is((await client.manifest(repositoryAt(quick), made.digest, ASKING)).kind, 'ok');
  await eventually('it is asked', async () => (slow.asked.length === 2 ? true : undefined));
  leaving.abort();
  for (const answer of await Promise.all(waiting)) t.is(answer.kind, 'unreachable');
  t.is(slow.asked.length, 2);
});

test('the hosts of tenants take no place from the platform, nor from tenants whose hosts answer', async (t) => {
  const made = makeManifest();
  const slow = await Promise.all(Array.from({ length: 8 }, () => serve(t, () => {})));
  const quick = await serve(t, (_, response) => void response.end(made.bytes));
  const client = clientOf(t, [...slow, quick], { limits: { inAll: 8, ofPlatform: 2 } });
  const leaving = new AbortController();
  // Three tenants with eight hosts, and three questions of each to all of them.
  const waiting = ['a', 'b', 'c'].flatMap((whose) =>
    slow.flatMap((server) =>
      [1, 2, 3].map((i) =>
        client.resolve(
          { ...repositoryAt(server), tag: `${whose}-${i}` },
          { ...ASKING, whose, signal: leaving.signal },
        ),
      ),
    ),
  );
  const asked = (): number => slow.reduce((sum, server) => sum + server.asked.length, 0);
  await eventually('all places of tenants are taken', async () => (asked() === 8 ? true : undefined));
  const ofPlatform = await client.manifest(repositoryAt(quick), made.digest, { ...ASKING, whose: '' });
  t.is(ofPlatform.kind, 'ok');
  t.is(asked(), 8, 'it had places of its own');
  leaving.abort();
  for (const answer of await Promise.all(waiting)) t.is(answer.kind, 'unreachable');
});

test('the same question of two tenants is answered to each in a place of his own', async (t) => {
  const made = makeManifest();
  const server = await serve(t, (_, response) => void setTimeout(() => response.end(made.bytes), 50));
  const client = clientOf(t, [server]);
  const ask = (whose: string) => client.manifest(repositoryAt(server), made.digest, { ...ASKING, whose });
  for (const answer of await Promise.all([ask('a'), ask('a'), ask('b'), ask('')])) t.is(answer.kind, 'ok');
  t.is(server.asked.length, 3);
  t.is((await ask('c')).kind, 'ok');
  t.is(server.asked.length, 3, 'what is known is told, by keychain');
});

test('what is kept in memory has a bound', async (t) => {
  const blobs = new Map(
    Array.from({ length: 40 }, (_, i) => Buffer.alloc(10_000, i)).map((bytes) => [
      digestOfBytes(bytes),
      bytes,
    ]),
  );
  const server = await serve(
    t,
    ({ url = '' }, response) => void response.end(blobs.get(url.split('/').at(-1) ?? '')),
  );
  const client = clientOf(t, [server], { cacheBytes: 100_000 });
  const readAll = async (): Promise<void> => {
    for (const [digest] of blobs)
      t.is((await client.blob(repositoryAt(server), { digest, size: 10_000 }, ASKING)).kind, 'ok');
  };
  await readAll();
  const last = [...blobs.keys()].at(-1) ?? '';
  await client.blob(repositoryAt(server), { digest: last, size: 10_000 }, ASKING);
  t.is(server.asked.length, 40);
  await readAll();
  t.true(server.asked.length >= 70);
});
