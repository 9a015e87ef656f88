// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import { BUNDLE_TYPE } from '#hack/sigstore/media-types';
import { ANONYMOUS, keychainOf, readDockerConfig } from '../core/oci/credentials.ts';
import { digestOfBytes } from '../core/oci/digest.ts';
import { RegistryClient } from './client.ts';
import { complain, list, repositoryAt, say, serve, type Served } from './testing/serve.ts';

const ASKING = { keychain: ANONYMOUS };
const DIGEST = digestOfBytes(Buffer.from('an image'));
const INDEX = 'application/vnd.oci.image.index.v1+json';
const PATH = `/v2/team/app/referrers/${DIGEST}`;

function descriptors(count: number, artifactType: string | undefined = BUNDLE_TYPE, from = 0) {
  return Array.from({ length: count }, (_, i) => ({
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: digestOfBytes(Buffer.from(`${from + i}`)),
    size: 100,
    ...(artifactType !== undefined && { artifactType }),
  }));
}

const indexOf = (manifests: readonly unknown[]) => ({ schemaVersion: 2, mediaType: INDEX, manifests });

function clientOf(t: ExecutionContext, ...servers: readonly Served[]): RegistryClient {
  const registries = servers.map(({ host }) => ({ host, isPrivate: true, isPlainHttp: true }));
  const client = new RegistryClient({ registries, timeoutMs: 60_000 });
  t.teardown(() => client.close());
  return client;
}

test('pages are read one after the other', async (t) => {
  const server = await serve(t, ({ url = '' }, response) => {
    const page = Number(new URL(url, 'http://x').searchParams.get('page') ?? 0);
    if (page < 3) response.setHeader('link', `<${PATH}?page=${page + 1}>; rel="next"`);
    list(response, descriptors(2, BUNDLE_TYPE, page * 2));
  });
  const answer = await clientOf(t, server).referrers(repositoryAt(server), DIGEST, ASKING);
  if (answer.kind !== 'ok') throw new Error(JSON.stringify(answer));
  t.deepEqual(
    answer.value.descriptors.map(({ digest }) => digest),
    descriptors(8).map(({ digest }) => digest),
  );
  t.like(answer.value, { via: 'api', isComplete: true });
});

test('one kind is asked for by name; what does not tell its kind is kept, what tells another is not', async (t) => {
  const mixed = [
    ...descriptors(1, BUNDLE_TYPE, 0),
    ...descriptors(1, 'application/other', 1),
    ...descriptors(1, 'application/vnd.oci.empty.v1+json', 2),
    { ...descriptors(1, BUNDLE_TYPE, 3)[0], artifactType: undefined },
  ];
  const server = await serve(t, (_, response) => list(response, mixed));
  const client = clientOf(t, server);
  const one = await client.referrers(repositoryAt(server), DIGEST, {
    ...ASKING,
    artifactTypes: [BUNDLE_TYPE],
  });
  t.is(one.kind === 'ok' && one.value.descriptors.length, 3);
  const two = await client.referrers(repositoryAt(server), DIGEST, {
    ...ASKING,
    artifactTypes: [BUNDLE_TYPE, 'application/other'],
  });
  t.is(two.kind === 'ok' && two.value.descriptors.length, 4);
  t.deepEqual(server.asked, [`GET ${PATH}?artifactType=${encodeURIComponent(BUNDLE_TYPE)}`, `GET ${PATH}`]);
});

/** What the question for referrers is answered with, and the tag that stands in for it; undefined: it is not there. */
const ANSWERS: Readonly<
  Record<string, { readonly api: Parameters<typeof serve>[1]; readonly tag?: unknown; readonly want: object }>
> = {
  'a registry that does not know the question, without the tag': {
    api: (_, response) => void response.writeHead(404).end('404 page not found'),
    want: { kind: 'ok', value: { via: 'tag', isComplete: true, descriptors: { length: 0 } } },
  },
  'a registry that does not know the question, with the tag': {
    api: (_, response) => void response.writeHead(404).end('404 page not found'),
    tag: indexOf(descriptors(3)),
    want: { kind: 'ok', value: { via: 'tag', isComplete: true, descriptors: { length: 3 } } },
  },
  'a registry that refuses the question as none': {
    api: (_, response) => complain(response, 400, 'UNSUPPORTED'),
    tag: indexOf(descriptors(1)),
    want: { kind: 'ok', value: { via: 'tag', descriptors: { length: 1 } } },
  },
  'a page for people': {
    api: (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>'),
    tag: indexOf(descriptors(1)),
    want: { kind: 'ok', value: { via: 'tag', descriptors: { length: 1 } } },
  },
  'a tag that is an image': {
    api: (_, response) => void response.writeHead(404).end(),
    tag: { schemaVersion: 2, config: descriptors(1)[0], layers: [] },
    want: { kind: 'broken' },
  },
  // None of these says that there is nothing.
  'a server in trouble': {
    api: (_, response) => void response.writeHead(500).end(),
    want: { kind: 'unreachable' },
  },
  'too many requests': {
    api: (_, response) => void response.writeHead(429).end(),
    want: { kind: 'throttled' },
  },
  'no permission': { api: (_, response) => complain(response, 403, 'DENIED'), want: { kind: 'refused' } },
  'no list': { api: (_, response) => say(response, 200, { hello: 'there' }), want: { kind: 'broken' } },
  'a list that is none of referrers': {
    api: (_, response) => say(response, 200, { ...indexOf([]), mediaType: 'application/x' }),
    want: { kind: 'broken' },
  },
  'an entry with half a digest': {
    api: (_, response) => list(response, [{ ...descriptors(1)[0], digest: 'sha256:abc' }]),
    want: { kind: 'broken' },
  },
  'more than may be in one page': {
    api: (_, response) => list(response, descriptors(5000)),
    want: { kind: 'broken' },
  },
  'a circle': {
    api: (_, response) => {
      response.setHeader('link', `<${PATH}>; rel="next"`);
      list(response, []);
    },
    want: { kind: 'broken' },
  },
  'pages without an end': {
    api: ({ url = '' }, response) => {
      const page = Number(new URL(url, 'http://x').searchParams.get('page') ?? 0);
      response.setHeader('link', `<?page=${page + 1}>; rel="next"`);
      list(response, descriptors(1, BUNDLE_TYPE, page));
    },
    want: { kind: 'ok', value: { via: 'api', isComplete: false, descriptors: { length: 50 } } },
  },
  'large pages without an end': {
    api: ({ url = '' }, response) => {
      const page = Number(new URL(url, 'http://x').searchParams.get('page') ?? 0);
      response.setHeader('link', `<?page=${page + 1}>; rel="next"`);
      list(response, descriptors(900, BUNDLE_TYPE, page * 900));
    },
    want: { kind: 'ok', value: { via: 'api', isComplete: false, descriptors: { length: 1000 } } },
  },
  'a next page of another list': {
    api: (_, response) => {
      response.setHeader('link', `</v2/other/referrers/${DIGEST}>; rel="next"`);
      list(response, []);
    },
    want: { kind: 'broken' },
  },
};

for (const [title, { api, tag, want }] of Object.entries(ANSWERS)) {
  test(`referrers: ${title}`, async (t) => {
    const server = await serve(t, (request, response, host) => {
      if (request.url?.startsWith(PATH) === true) return api(request, response, host);
      if (request.url === `/v2/team/app/manifests/${DIGEST.replace(':', '-')}` && tag !== undefined)
        return say(response, 200, tag);
      return complain(response, 404, 'MANIFEST_UNKNOWN');
    });
    const answer = await clientOf(t, server).referrers(repositoryAt(server), DIGEST, ASKING);
    t.like(answer, want, JSON.stringify(answer).slice(0, 300));
  });
}

test('a next page elsewhere is not asked, and gets no credentials', async (t) => {
  const other = await serve(
    t,
    (_, response) => void response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end(),
  );
  const server = await serve(t, (_, response) => {
    response.setHeader('link', `<http://${other.host}${PATH}?page=1>; rel="next"`);
    list(response, []);
  });
  // The list itself may be elsewhere; what follows from there is not asked as if it were here.
  const leading = await serve(
    t,
    ({ url }, response) => void response.writeHead(307, { location: `http://${other.host}${url}` }).end(),
  );
  for (const { host } of [server, leading]) {
    const read = readDockerConfig(JSON.stringify({ auths: { [host]: { username: 'u', password: 'p' } } }));
    if (read.kind !== 'ok') throw new Error(JSON.stringify(read));
    const keychain = keychainOf([read.config]);
    const answer = await clientOf(t, server, other, leading).referrers(
      { registry: host, repository: 'team/app' },
      DIGEST,
      { keychain },
    );
    t.true(['broken', 'refused'].includes(answer.kind), JSON.stringify(answer));
  }
  t.true(other.authorizations.every((one) => one === undefined));
});
