// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { digestOfBytes } from '../core/oci/digest.ts';
import { ASKING, BLOB, BLOB_DIGEST, clientOf, serveContent } from './testing/client.ts';
import { complain, makeManifest, repositoryAt, serve } from './testing/serve.ts';

test('a tag is resolved without reading what it stands for; what it stands for is read by digest', async (t) => {
  const made = makeManifest({ annotations: { a: 'b' } });
  const server = await serveContent(t, made);
  const client = clientOf(t, [server]);
  const resolved = await client.resolve({ ...repositoryAt(server), tag: 'v1' }, ASKING);
  t.deepEqual(resolved, { kind: 'ok', value: { digest: made.digest, mediaType: made.type } });
  const manifest = await client.manifest(repositoryAt(server), made.digest, ASKING);
  t.like(manifest, { kind: 'ok', value: { annotations: { a: 'b' }, digest: made.digest } });
  const blob = await client.blob(repositoryAt(server), { digest: BLOB_DIGEST, size: BLOB.length }, ASKING);
  t.is(blob.kind === 'ok' && Buffer.from(blob.value).toString(), 'some bytes');
  t.deepEqual(server.asked, [
    'HEAD /v2/team/app/manifests/v1',
    `GET /v2/team/app/manifests/${made.digest}`,
    `GET /v2/team/app/blobs/${BLOB_DIGEST}`,
  ]);
});

test('what is not there is absent, and nothing else is', async (t) => {
  const server = await serveContent(t, makeManifest());
  const client = clientOf(t, [server]);
  const other = digestOfBytes(Buffer.from('other'));
  for (const [reference, called] of [
    [{ tag: 'v2' }, ':v2'],
    [{ digest: other }, `@${other}`],
  ] as const) {
    const answer = await client.resolve({ ...repositoryAt(server), ...reference }, ASKING);
    t.is(answer.kind, 'absent');
    t.true(JSON.stringify(answer).includes(` has no team/app${called}`), JSON.stringify(answer));
  }
  t.like(await client.manifest(repositoryAt(server), other, ASKING), { kind: 'absent' });
});

/** How a server answers, and what is made of it. None of these is `absent`. */
const TROUBLE: Readonly<
  Record<
    string,
    {
      readonly answer: Parameters<typeof serve>[1];
      readonly want: { readonly kind: string; readonly [field: string]: unknown };
    }
  >
> = {
  '404 by a proxy': {
    answer: (_, response) =>
      void response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>not found'),
    want: { kind: 'unreachable' },
  },
  '404 without a word': {
    answer: (_, response) => void response.writeHead(404).end(),
    want: { kind: 'unreachable' },
  },
  '401 without a way': {
    answer: (_, response) => complain(response, 401, 'UNAUTHORIZED'),
    want: { kind: 'broken' },
  },
  '403': {
    answer: (_, response) => complain(response, 403, 'DENIED'),
    want: { kind: 'refused', by: 'Registry' },
  },
  '429 with a time': {
    answer: (_, response) => void response.writeHead(429, { 'retry-after': '7' }).end(),
    want: { kind: 'throttled', retryAfterMs: 7000 },
  },
  '429 without a time': {
    answer: (_, response) => void response.writeHead(429).end(),
    want: { kind: 'throttled', retryAfterMs: undefined },
  },
  'too many requests by another status': {
    answer: (_, response) => complain(response, 400, 'TOOMANYREQUESTS'),
    want: { kind: 'throttled' },
  },
  '500': { answer: (_, response) => void response.writeHead(500).end(), want: { kind: 'unreachable' } },
  '503 with a time': {
    answer: (_, response) => void response.writeHead(503, { 'retry-after': '30' }).end(),
    want: { kind: 'unreachable', retryAfterMs: 30_000 },
  },
  'a closed connection': { answer: (_, response) => void response.destroy(), want: { kind: 'unreachable' } },
  silence: { answer: () => {}, want: { kind: 'unreachable' } },
  'a page for people': {
    answer: (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>hello'),
    want: { kind: 'broken' },
  },
  'another manifest': {
    answer: (_, response) => void response.end(makeManifest({ annotations: { another: 'one' } }).bytes),
    want: { kind: 'broken' },
  },
  'no content': { answer: (_, response) => void response.writeHead(204).end(), want: { kind: 'broken' } },
  'a redirect to nowhere': {
    answer: (_, response) => void response.writeHead(302).end(),
    want: { kind: 'broken' },
  },
  'a circle of redirects': {
    answer: ({ url }, response) => void response.writeHead(302, { location: `${url}` }).end(),
    want: { kind: 'broken' },
  },
  'a redirect to a metadata service': {
    answer: (_, response) =>
      void response.writeHead(302, { location: 'http://169.254.169.254/latest/' }).end(),
    want: { kind: 'refused', by: 'Platform' },
  },
  'a redirect to a metadata service by https': {
    answer: (_, response) => void response.writeHead(307, { location: 'https://169.254.169.254/' }).end(),
    want: { kind: 'refused', by: 'Platform' },
  },
  'a redirect to the network of the cluster': {
    answer: (_, response) => void response.writeHead(307, { location: 'https://10.96.0.1/' }).end(),
    want: { kind: 'refused', by: 'Platform' },
  },
  'a redirect to a name of this machine': {
    answer: (_, response) => void response.writeHead(307, { location: 'https://localhost:1/' }).end(),
    want: { kind: 'refused', by: 'Platform' },
  },
  'a redirect to a file': {
    answer: (_, response) => void response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
    want: { kind: 'refused', by: 'Platform' },
  },
  'a redirect with a password': {
    answer: (_, response) => void response.writeHead(302, { location: 'https://u:p@example.com/' }).end(),
    want: { kind: 'refused', by: 'Platform' },
  },
  'an endless body': {
    answer: (_, response) => {
      const more = (): void =>
        void (response.write(Buffer.alloc(64 * 1024)) ? setImmediate(more) : response.once('drain', more));
      more();
    },
    want: { kind: 'broken' },
  },
  'a body that is announced as too large': {
    answer: (_, response) => void response.writeHead(200, { 'content-length': 2 ** 40 }).write('x'),
    want: { kind: 'broken' },
  },
  'a body that never ends, byte by byte': {
    answer: (_, response) => {
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
    },
    want: { kind: 'unreachable' },
  },
  'something packed': {
    answer: (_, response) =>
      void response.writeHead(200, { 'content-encoding': 'gzip' }).end(Buffer.alloc(100)),
    want: { kind: 'broken' },
  },
  'a header without an end': {
    answer: ({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(100_000)}`);
    },
    want: { kind: 'unreachable' },
  },
  'a token from a metadata service': {
    answer: (_, response) =>
      void response
        .writeHead(401, { 'www-authenticate': 'Bearer realm="http://169.254.169.254/token"' })
        .end(),
    want: { kind: 'refused', by: 'Platform' },
  },
  'a token from the network of the cluster': {
    answer: (_, response) =>
      void response.writeHead(401, { 'www-authenticate': 'Bearer realm="https://10.0.0.1/token"' }).end(),
    want: { kind: 'refused', by: 'Platform' },
  },
  'a token from no address': {
    answer: (_, response) =>
      void response.writeHead(401, { 'www-authenticate': 'Bearer realm="token"' }).end(),
    want: { kind: 'broken' },
  },
  'a token from an address with a password': {
    answer: (_, response) =>
      void response.writeHead(401, { 'www-authenticate': 'Bearer realm="https://u:p@example.com/"' }).end(),
    want: { kind: 'refused', by: 'Platform' },
  },
};

for (const [title, { answer, want }] of Object.entries(TROUBLE)) {
  test(`trouble: ${title}`, async (t) => {
    const server = await serve(t, answer);
    // What does not answer is to be given up; what does is to be told, however busy the machine is.
    const timeoutMs = want.kind === 'unreachable' ? 1500 : 60_000;
    const client = clientOf(t, [server], { timeoutMs });
    const got = await client.manifest(repositoryAt(server), makeManifest().digest, ASKING);
    t.like(got, want, JSON.stringify(got));
  });
}

test('a lie about a blob is found, whatever its length', async (t) => {
  const lies: Readonly<Record<string, Buffer>> = {
    other: Buffer.from('other byte'),
    longer: Buffer.concat([BLOB, BLOB]),
    shorter: BLOB.subarray(1),
    none: Buffer.alloc(0),
  };
  const server = await serve(t, ({ url = '' }, response) => {
    const name = url.split('/')[2] ?? '';
    response.end(lies[name]);
  });
  const client = clientOf(t, [server]);
  for (const repository of Object.keys(lies)) {
    const answer = await client.blob(
      { registry: server.host, repository },
      { digest: BLOB_DIGEST, size: BLOB.length },
      ASKING,
    );
    t.is(answer.kind, 'broken', repository);
  }
});

test('what is larger than is wanted is not asked for', async (t) => {
  const server = await serveContent(t, makeManifest());
  const asked = { digest: BLOB_DIGEST, size: 2 ** 30 };
  const answer = await clientOf(t, [server]).blob(repositoryAt(server), asked, ASKING);
  t.is(answer.kind, 'broken');
  t.deepEqual(server.asked, []);
});

test('a host that the platform does not list is not asked where its address is not public, nor by http', async (t) => {
  const server = await serveContent(t, makeManifest());
  const client = clientOf(t, []);
  const port = server.host.split(':')[1];
  for (const host of [
    'localhost',
    '127.0.0.1',
    '[::1]',
    '10.0.0.1',
    '169.254.169.254',
    '[::ffff:127.0.0.1]',
  ]) {
    const answer = await client.resolve({ registry: `${host}:${port}`, repository: 'a', tag: 'v1' }, ASKING);
    t.like(answer, { kind: 'refused', by: 'Platform' }, host);
  }
  t.deepEqual(server.asked, []);
});

test('metadata services are not asked even where they are listed', async (t) => {
  const host = '169.254.169.254';
  const client = clientOf(t, [], { registries: [{ host, isPrivate: true, isPlainHttp: true }] });
  const answer = await client.resolve({ registry: host, repository: 'a', tag: 'v1' }, ASKING);
  t.like(answer, { kind: 'refused', by: 'Platform' });
});

test('names that would lead elsewhere are not asked', async (t) => {
  const server = await serveContent(t, makeManifest());
  const client = clientOf(t, [server]);
  for (const repository of ['../../token', 'a?x=1', 'a#b', 'a/%2e%2e', 'A', ''])
    t.like(
      await client.resolve({ registry: server.host, repository, tag: 'v1' }, ASKING),
      { kind: 'refused' },
      repository,
    );
  t.is((await client.resolve({ ...repositoryAt(server), tag: '../blobs/x' }, ASKING)).kind, 'broken');
  t.is((await client.manifest(repositoryAt(server), '../x', ASKING)).kind, 'broken');
  t.is((await client.referrers(repositoryAt(server), '../x', ASKING)).kind, 'broken');
  t.deepEqual(server.asked, []);
});
