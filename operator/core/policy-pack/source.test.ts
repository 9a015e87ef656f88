// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { PolicySource } from '#crds/v1alpha1/policy-source';
import type { KubeObject } from '../object.ts';
import { MAX_SOURCE_BYTES, readSource, type SourceFound } from './source.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

function read(
  source: PolicySource,
  { data, parameters }: { data?: object; parameters?: object } = {},
): SourceFound {
  const configMap =
    data && ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'rules' }, data } as KubeObject);
  return readSource(
    { source, regoVersion: 'V1', ...(parameters && { parameters: { ...parameters } }) },
    configMap,
  );
}

function inline(modules: Record<string, string>, data?: Record<string, unknown>): PolicySource {
  return { inline: { modules, ...(data && { data }) } };
}

const FAULTS: Readonly<
  Record<
    string,
    { readonly found: SourceFound; readonly reason: string; readonly words: RegExp; readonly passing?: true }
  >
> = {
  'no module': {
    found: read(inline({ 'a.txt': 'x' })),
    reason: 'InvalidSource',
    words: /found the name "a\.txt"/,
  },
  'a ConfigMap with no module': {
    found: read({ configMapRef: { name: 'rules' } }, { data: { 'notes.txt': 'x' } }),
    reason: 'InvalidSource',
    words: /ConfigMap rules: found no file that ends with \.rego/,
  },
  'a ConfigMap that is not there': {
    found: read({ configMapRef: { name: 'rules' } }),
    reason: 'SourceNotFound',
    words: /there is no ConfigMap rules in this namespace/,
    passing: true,
  },
  ...Object.fromEntries(
    [
      '../a.rego',
      '/a.rego',
      'a/../b.rego',
      '.hidden.rego',
      'a//b.rego',
      'a b.rego',
      'a\\b.rego',
      'ä.rego',
      '.rego',
      'a\u0000.rego',
    ].map((name) => [
      `a module called ${JSON.stringify(name)}`,
      { found: read(inline({ [name]: 'package a' })), reason: 'InvalidSource', words: /found the name/ },
    ]),
  ),
  'too many modules': {
    found: read(
      inline(Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`m${i}.rego`, 'package a']))),
    ),
    reason: 'SourceTooLarge',
    words: /found 65 modules; at most 64 are allowed/,
  },
  'too much text': {
    found: read(inline({ 'a.rego': 'x'.repeat(MAX_SOURCE_BYTES + 1) })),
    reason: 'SourceTooLarge',
    words: /found 524289 bytes; at most 524288 are allowed/,
  },
  'too much text, most of it data': {
    found: read(inline({ 'a.rego': 'package a' }, { a: 'x'.repeat(MAX_SOURCE_BYTES) })),
    reason: 'SourceTooLarge',
    words: /at most 524288/,
  },
  'too many parameters': {
    found: read(inline({ 'a.rego': 'package a' }), { parameters: { a: 'ä'.repeat(8192) } }),
    reason: 'SourceTooLarge',
    words: /spec\.parameters: found 16392 bytes; at most 16384/,
  },
};

for (const [title, { found, reason, words, passing = false }] of Object.entries(FAULTS)) {
  test(`refused: ${title}`, (t) => {
    if (found.kind !== 'fault') throw new Error('it was taken');
    t.is(found.fault.reason, reason as typeof found.fault.reason);
    t.regex(found.fault.message, words);
    t.is(found.fault.passing, passing);
  });
}

test('of a ConfigMap counts what is policy, and the digest is of that', (t) => {
  const data = { 'a.rego': 'package a', 'data.json': '{}' };
  const one = read({ configMapRef: { name: 'rules' } }, { data });
  const other = read({ configMapRef: { name: 'rules' } }, { data: { ...data, 'notes.txt': 'x' } });
  t.deepEqual(one, other);
  t.like(one, { content: { provenance: 'ConfigMap', files: data } });
});

test('the digest tells sources apart, and versions of Rego', (t) => {
  const sources = [
    inline({ 'a.rego': 'package a' }),
    inline({ 'b.rego': 'package a' }),
    inline({ 'a.rego': 'package b' }),
    inline({ 'a.rego': 'package a' }, { x: 1 }),
  ];
  const digests = sources
    .map((source) => read(source))
    .map((found) => (found.kind === 'found' ? found.digest : ''));
  t.is(new Set(digests).size, sources.length);
  const old = readSource({ source: sources[0]!, regoVersion: 'V0' }, undefined);
  t.true(old.kind === 'found' && !digests.includes(old.digest));
});

test('which bundle it is, is known beforehand', (t) => {
  const bundle = { url: 'https://packs.example/a.tar.gz', digest: DIGEST };
  t.deepEqual(read({ bundle }), { kind: 'found', digest: DIGEST, content: { kind: 'bundle', ...bundle } });
});
