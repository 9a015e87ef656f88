// SPDX-License-Identifier: Apache-2.0
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import { type Header, pack } from 'tar-stream';
import { BUNDLE_LIMITS, type BundleRead, readBundle } from './bundle.ts';

type Entry = readonly [header: Partial<Header> & { readonly name: string }, content?: string | Buffer];

async function archive(entries: readonly Entry[]): Promise<Uint8Array> {
  const writer = pack();
  const whole = buffer(writer);
  for (const [header, content] of entries) writer.entry(header, content ?? '');
  writer.finalize();
  return gzipSync(await whole);
}

function read(...entries: readonly Entry[]): Promise<BundleRead> {
  return archive(entries).then(readBundle);
}

const RULE: Entry = [{ name: 'a.rego' }, 'package a'];

test('what OPA reads of a bundle is read, and nothing else', async (t) => {
  const found = await read(
    [{ name: '/.manifest' }, '{"revision":"7","roots":["a","b/c/"],"rego_version":0}'],
    [{ name: './a/a.rego' }, 'package a'],
    [{ name: 'a/a_test.rego' }, 'package a_test'],
    [{ name: 'b/', type: 'directory' }],
    [{ name: 'b/c/data.yaml' }, 'x: 1'],
    [{ name: '/data.json' }, '{}'],
    [{ name: 'README.md' }, 'x'],
    [{ name: 'b/other.json' }, '{}'],
    [{ name: 'b/policy.wasm' }, 'x'],
    [{ name: '.signatures.json' }, '{}'],
  );
  if (found.kind !== 'ok') throw new Error(found.message);
  const { files, manifest, wasm } = found.bundle;
  t.deepEqual([...files.keys()], ['a/a.rego', 'a/a_test.rego', 'b/c/data.yaml', 'data.json']);
  t.deepEqual(manifest, { roots: ['a', 'b/c'], regoVersion: 'V0', entrypoints: [] });
  t.is(wasm, undefined);
});

const LONG = 'a/'.repeat(200);
const REFUSED: Readonly<Record<string, { readonly entries: readonly Entry[]; readonly words: RegExp }>> = {
  'a path out of it': {
    entries: [RULE, [{ name: '../../etc/cron.d/a.rego' }, 'x']],
    words: /no path of a file/,
  },
  'a path out of it, within': {
    entries: [RULE, [{ name: 'a/../../b.rego' }, 'x']],
    words: /no path of a file/,
  },
  'a path of another system': { entries: [RULE, [{ name: 'a\\b.rego' }, 'x']], words: /no path of a file/ },
  'a path with a line in it': { entries: [RULE, [{ name: 'a\nb.rego' }, 'x']], words: /no path of a file/ },
  'a path without end': { entries: [RULE, [{ name: `${LONG}b.rego` }, 'x']], words: /no path of a file/ },
  'a symbolic link': {
    entries: [RULE, [{ name: 'b.rego', type: 'symlink', linkname: '/etc/passwd' }]],
    words: /"b\.rego" is a symlink; plain files alone are taken/,
  },
  'a link': { entries: [RULE, [{ name: 'b.rego', type: 'link', linkname: 'a.rego' }]], words: /is a link/ },
  'a device': {
    entries: [RULE, [{ name: 'b.rego', type: 'character-device' }]],
    words: /is a character-device/,
  },
  'a file twice': { entries: [RULE, [{ name: './a.rego' }, 'package b']], words: /"a\.rego" twice/ },
  'no rule at all': { entries: [[{ name: 'data.json' }, '{}']], words: /neither policy\.wasm nor a file/ },
  'nothing but tests': {
    entries: [[{ name: 'a_test.rego' }, 'x']],
    words: /neither policy\.wasm nor a file/,
  },
  'too many entries': {
    entries: Array.from({ length: BUNDLE_LIMITS.entries + 1 }, (_, i): Entry => [{ name: `f${i}` }, '']),
    words: /more than 2048 entries/,
  },
  'a manifest that is none': {
    entries: [RULE, [{ name: '.manifest' }, '{']],
    words: /found text that is no JSON/,
  },
  'roots that overlap': {
    entries: [RULE, [{ name: '.manifest' }, '{"roots":["a","a/b"]}']],
    words: /the root "a\/b" is within another one/,
  },
  'roots that are none': {
    entries: [RULE, [{ name: '.manifest' }, '{"roots":[1]}']],
    words: /list of paths/,
  },
  'a version of Rego that there is not': {
    entries: [RULE, [{ name: '.manifest' }, '{"rego_version":2}']],
    words: /found rego_version 2; 0 and 1 are allowed/,
  },
  'files of several versions': {
    entries: [RULE, [{ name: '.manifest' }, '{"file_rego_versions":{"a.rego":0}}']],
    words: /file_rego_versions is not supported/,
  },
  'a module elsewhere': {
    entries: [RULE, [{ name: '.manifest' }, '{"wasm":[{"entrypoint":"a/deny","module":"/other.wasm"}]}']],
    words: /\/policy\.wasm alone is taken/,
  },
  'a manifest without end': {
    entries: [RULE, [{ name: '.manifest' }, JSON.stringify({ metadata: 'x'.repeat(70_000) })]],
    words: /at most 65536 are allowed/,
  },
};

for (const [title, { entries, words }] of Object.entries(REFUSED)) {
  test(`refused: ${title}`, async (t) => {
    const found = await read(...entries);
    if (found.kind !== 'refused') throw new Error('it was taken');
    t.is(found.reason, 'InvalidSource');
    t.regex(found.message, words);
  });
}

test('what becomes too large is refused before it is', async (t) => {
  const bomb = gzipSync(Buffer.alloc(BUNDLE_LIMITS.unpackedBytes * 4));
  t.true(bomb.length < 200_000);
  t.like(await readBundle(bomb), { kind: 'refused', reason: 'SourceTooLarge' });
  t.like(await readBundle(Buffer.alloc(BUNDLE_LIMITS.bytes + 1)), {
    kind: 'refused',
    reason: 'SourceTooLarge',
  });
});

test('what is no archive is refused, whatever it is', async (t) => {
  const whole = await archive([RULE]);
  const odd = [
    Buffer.from('hello'),
    new Uint8Array(),
    whole.subarray(0, whole.length / 2),
    gzipSync(Buffer.alloc(1000, 7)),
  ];
  for (const bytes of odd) t.like(await readBundle(bytes), { kind: 'refused', reason: 'InvalidSource' });
});
