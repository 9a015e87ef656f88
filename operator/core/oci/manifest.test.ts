// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { processorMs } from '#hack/tools/processor-time';
import { digestOfBytes, isDigest, referrersTag } from './digest.ts';
import { MEDIA_TYPES, readManifest, readReferrers } from './manifest.ts';

const { ociManifest, ociIndex, dockerManifest, dockerList, empty } = MEDIA_TYPES;
const BLOB = { mediaType: 'application/x', digest: digestOfBytes(Buffer.from('{}')), size: 2 };
const MANIFEST = {
  schemaVersion: 2,
  mediaType: ociManifest,
  config: { ...BLOB, mediaType: empty },
  layers: [BLOB],
};
const INDEX = { schemaVersion: 2, mediaType: ociIndex, manifests: [BLOB] };

function read(content: unknown, contentType?: string) {
  const bytes = Buffer.from(typeof content === 'string' ? content : JSON.stringify(content));
  return readManifest({ bytes, digest: digestOfBytes(bytes), contentType });
}

const TAKEN: Readonly<
  Record<string, readonly [content: unknown, contentType: string | undefined, want: object]>
> = {
  'a manifest': [MANIFEST, ociManifest, { kind: 'manifest', artifactType: empty }],
  'one of docker': [{ ...MANIFEST, mediaType: dockerManifest }, dockerManifest, { kind: 'manifest' }],
  'one that says itself what it is': [MANIFEST, 'application/octet-stream', { kind: 'manifest' }],
  'one that only the server tells of': [
    { ...MANIFEST, mediaType: undefined },
    ociManifest,
    { kind: 'manifest' },
  ],
  'one that nobody tells of': [{ ...MANIFEST, mediaType: undefined }, undefined, { kind: 'manifest' }],
  'an index': [INDEX, ociIndex, { kind: 'index' }],
  'a list of docker': [{ ...INDEX, mediaType: dockerList }, dockerList, { kind: 'index' }],
  'an artifact': [
    { ...MANIFEST, artifactType: 'application/y', subject: BLOB, annotations: { a: 'b' } },
    ociManifest,
    { kind: 'manifest', artifactType: 'application/y', annotations: { a: 'b' } },
  ],
};

for (const [title, [content, contentType, want]] of Object.entries(TAKEN)) {
  test(`taken: ${title}`, (t) => {
    const answer = read(content, contentType);
    if (answer.kind !== 'ok') throw new Error(JSON.stringify(answer));
    t.like(answer.value, want);
  });
}

const layers = (count: number) => Array.from({ length: count }, () => BLOB);
const NOT_TAKEN: Readonly<Record<string, readonly [content: unknown, contentType?: string]>> = {
  'no JSON': ['<html>'],
  'bytes that are no text': [Buffer.from([0xff, 0xfe]).toString('latin1')],
  'a list': ['[]'],
  null: ['null'],
  'an old schema': [{ ...MANIFEST, schemaVersion: 1, fsLayers: [] }],
  'one type within and another beside': [MANIFEST, ociIndex],
  'a manifest that is an index as well': [{ ...MANIFEST, manifests: [] }],
  'an index that is a manifest as well': [{ ...INDEX, layers: [], config: BLOB }],
  'an index that is a manifest as well, and nobody tells': [
    { ...INDEX, mediaType: undefined, layers: [], config: BLOB },
  ],
  'another type': [{ ...MANIFEST, mediaType: 'application/vnd.docker.distribution.manifest.v1+json' }],
  'a page for people': [MANIFEST, 'text/html'],
  'no configuration': [{ ...MANIFEST, config: undefined }],
  'no layers': [{ ...MANIFEST, layers: undefined }],
  'ten thousand layers': [{ ...MANIFEST, layers: layers(10_000) }],
  'a digest in upper case': [{ ...MANIFEST, layers: [{ ...BLOB, digest: BLOB.digest.toUpperCase() }] }],
  'a digest with a path': [{ ...MANIFEST, layers: [{ ...BLOB, digest: 'sha256:../../x' }] }],
  'a size below nothing': [{ ...MANIFEST, layers: [{ ...BLOB, size: -1 }] }],
  'a size that is none': [{ ...MANIFEST, layers: [{ ...BLOB, size: 1.5 }] }],
  'a size beyond all': [{ ...MANIFEST, layers: [{ ...BLOB, size: 2 ** 60 }] }],
  'a size as text': [{ ...MANIFEST, layers: [{ ...BLOB, size: '2' }] }],
  'data that are others': [
    { ...MANIFEST, layers: [{ ...BLOB, data: Buffer.from('[]').toString('base64') }] },
  ],
  'data of another size': [
    { ...MANIFEST, layers: [{ ...BLOB, size: 3, data: Buffer.from('{}').toString('base64') }] },
  ],
  'an annotation that is no text': [{ ...MANIFEST, annotations: { a: 1 } }],
  'a long annotation': [{ ...MANIFEST, annotations: { a: 'x'.repeat(70_000) } }],
  'many annotations': [
    { ...MANIFEST, annotations: Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`a${i}`, ''])) },
  ],
  'a subject that is none': [{ ...MANIFEST, subject: 'sha256:x' }],
  'a media type with a line break': [{ ...MANIFEST, artifactType: 'a/b\nc' }],
  'more than may be': [' '.repeat(5 * 1024 * 1024)],
  'a million lists': [`{"schemaVersion":2,"manifests":[${'[],'.repeat(1_000_000)}0]}`],
  'very many names': [`{"schemaVersion":2,${Array.from({ length: 300_000 }, (_, i) => `"${i}":0`).join()}}`],
  'deep in a place that nobody reads': [{ ...MANIFEST, x: JSON.parse('['.repeat(40) + ']'.repeat(40)) }],
  'very deep': ['['.repeat(1_000_000)],
};

for (const [title, [content, contentType]] of Object.entries(NOT_TAKEN)) {
  test(`not taken: ${title}`, (t) => {
    let answer: ReturnType<typeof read> | undefined;
    const tookMs = processorMs(() => (answer = read(content, contentType)));
    t.is(answer?.kind, 'broken', JSON.stringify(answer).slice(0, 300));
    t.true(tookMs < 1000, `${tookMs} ms`);
  });
}

test('names that objects have of their own are names like others', (t) => {
  const text = JSON.stringify(MANIFEST).replace(/\}$/, ',"annotations":{"__proto__":"x","constructor":"y"}}');
  const answer = read(text);
  if (answer.kind !== 'ok') throw new Error(JSON.stringify(answer));
  t.deepEqual(Object.entries(answer.value.annotations), [
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ]);
  t.is(({} as Record<string, unknown>)['x'], undefined);
});

test('data that are sent along are taken where they are what the digest says', (t) => {
  const answer = read({ ...MANIFEST, layers: [{ ...BLOB, data: Buffer.from('{}').toString('base64') }] });
  if (answer.kind !== 'ok' || answer.value.kind !== 'manifest') throw new Error(JSON.stringify(answer));
  t.is(Buffer.from(answer.value.layers[0]?.data ?? []).toString(), '{}');
});

const bytesOf = (content: unknown) => ({
  bytes: Buffer.from(JSON.stringify(content)),
  contentType: undefined,
});

test('a list of referrers is an index', (t) => {
  t.like(readReferrers(bytesOf(INDEX)), { kind: 'ok' });
  t.is(readReferrers(bytesOf(MANIFEST)).kind, 'broken');
  t.is(readReferrers(bytesOf({ ...INDEX, mediaType: dockerList })).kind, 'broken');
});

test('digests', (t) => {
  t.true(isDigest(BLOB.digest));
  t.true(isDigest(`sha512:${'a'.repeat(128)}`));
  for (const odd of [
    '',
    'sha256:',
    `sha256:${'a'.repeat(63)}`,
    `sha256:${'g'.repeat(64)}`,
    `sha1:${'a'.repeat(40)}`,
    `${BLOB.digest}\n`,
  ])
    t.false(isDigest(odd), odd);
  t.is(referrersTag(BLOB.digest), BLOB.digest.replace(':', '-'));
  t.is(referrersTag(`sha512:${'a'.repeat(128)}`).length, 128);
});
