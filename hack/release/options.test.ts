// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { versioned, pinned } from './chart.ts';
import { imageSettings } from './image-settings.ts';
import { type LayerEntry, withFolders } from './layer.ts';
import { readOptions } from './options.ts';
import { ReleaseError } from './source.ts';

const ROOT = join(import.meta.dirname, '../..');
const NEEDED = ['--to', 'registry.example/nexusos', '--source', 'https://git.example/nexusos.git'];

test('what a release is asked for by', (t) => {
  t.like(readOptions(NEEDED), {
    to: 'registry.example/nexusos',
    repository: 'https://git.example/nexusos',
    key: undefined,
    out: '.nexusos/release',
    isPlainHttp: false,
  });
});

const wrong: Readonly<Record<string, { readonly words: readonly string[]; readonly says: RegExp }>> = {
  nothing: { words: [], says: /--to and --source are needed[\s\S]*npm run release/ },
  'a flag that there is not': {
    words: [...NEEDED, '--sign'],
    says: /Unknown option '--sign'[\s\S]*npm run release/,
  },
  'a place with a tag': {
    words: [...NEEDED, '--to', 'registry.example/nexusos:1'],
    says: /--to: found registry\.example\/nexusos:1; wanted is/,
  },
  'a place without a path': {
    words: [...NEEDED, '--to', 'registry.example'],
    says: /--to: found registry\.example; wanted/,
  },
  'a source by another protocol': {
    words: [...NEEDED, '--source', 'ssh://git.example/nexusos'],
    says: /--source: found ssh:/,
  },
  'a source with a name in it': {
    words: [...NEEDED, '--source', 'https://me:secret@git.example/x'],
    says: /^--source: found an address with a user in it; wanted is https:\/\/host\/path of the repository$/,
  },
  'how to sign, without a key': { words: [...NEEDED, '--signing-config', 'x.json'], says: /there is none/ },
};

for (const [title, { words, says }] of Object.entries(wrong)) {
  test(`what cannot be used is told: ${title}`, (t) => {
    t.regex(t.throws(() => readOptions(words), { instanceOf: ReleaseError })?.message ?? '', says);
  });
}

test('a key in the command line is refused, and not repeated', (t) => {
  const key = '-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nc2VjcmV0\n';
  const error = t.throws(() => readOptions([...NEEDED, `--key=${key}`]), { instanceOf: ReleaseError });
  t.regex(error?.message ?? '', /--key: found a key itself/);
  t.notRegex(error?.message ?? '', /c2VjcmV0/);
});

test('the image is started as that of the Dockerfile is', async (t) => {
  t.deepEqual(imageSettings(await readFile(join(ROOT, 'Dockerfile'), 'utf8')), {
    User: '65532:65532',
    WorkingDir: '/app',
    Env: ['PATH=/usr/local/bin:/usr/bin:/bin', 'NODE_ENV=production', 'MALLOC_MMAP_THRESHOLD_=131072'],
    ExposedPorts: { '8080/tcp': {}, '9443/tcp': {} },
    Entrypoint: ['node', '--max-semi-space-size=16', 'operator.mjs'],
  });
  t.throws(() => imageSettings('FROM a\nUSER 1\n'), { message: /needs USER, WORKDIR and ENTRYPOINT/ });
});

function file(path: string): LayerEntry {
  return { kind: 'bytes', path, bytes: new Uint8Array() };
}

test('folders come before what is in them, once, with the rights that they were given', (t) => {
  const all = withFolders([file('a/b/c'), file('a/d'), { kind: 'folder', path: 'a/b', mode: 0o1777 }]);
  t.deepEqual(
    all.map(({ kind, path, mode }) => [kind, path, mode]),
    [
      ['folder', 'a', undefined],
      ['folder', 'a/b', 0o1777],
      ['bytes', 'a/b/c', undefined],
      ['bytes', 'a/d', undefined],
    ],
  );
});

test('a chart gets its version and its image, and stays as it was written otherwise', async (t) => {
  const about = await readFile(join(ROOT, 'charts/nexusos/Chart.yaml'), 'utf8');
  t.is(versioned(about, '9.9.9'), about.replaceAll(/^((?:appV|v)ersion): .*$/gm, '$1: 9.9.9'));
  const values = await readFile(join(ROOT, 'charts/nexusos/values.yaml'), 'utf8');
  const image = { repository: 'registry.example/nexusos', digest: `sha256:${'a'.repeat(64)}` };
  const expected = values
    .replace('    repository: nexusos\n', `    repository: ${image.repository}\n`)
    .replace('    digest: ""\n', `    digest: "${image.digest}"\n`);
  t.not(expected, values);
  t.is(pinned(values, image), expected);
});
