// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { RunSpec } from '#crds/v1alpha1/run';
import type { KubeObject } from '../object.ts';
import { resolveInput } from './input.ts';
import { makeRun } from './testing/make.ts';

/** `printf hello | sha256sum`. */
const HELLO = 'sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';
const OTHER = `sha256:${'0'.repeat(64)}`;
const REF = { configMapKeyRef: { name: 'data', key: 'doc' } };

function configMap(content: object): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'data', namespace: 'acme-dev' },
    ...content,
  };
}

interface Case {
  readonly input: NonNullable<RunSpec['input']>;
  readonly source?: KubeObject;
  readonly made?: KubeObject;
  /** Text, base64, or none where the container gets it without us. */
  readonly want?: string | undefined;
  readonly wantMissing?: RegExp;
  readonly wantRefused?: RegExp;
}

const cases: Record<string, Case> = {
  inline: { input: { inline: 'hello' }, want: 'hello' },
  'inline, with its digest': { input: { inline: 'hello', digest: HELLO }, want: 'hello' },
  'inline, with another digest': { input: { inline: 'hello', digest: OTHER }, wantRefused: /is sha256:2cf2/ },
  'inline and empty': { input: { inline: '' }, want: '' },
  'from a ConfigMap': { input: REF, source: configMap({ data: { doc: 'hello' } }), want: 'hello' },
  'bytes from a ConfigMap': {
    input: { ...REF, digest: HELLO },
    source: configMap({ binaryData: { doc: 'aGVsbG8=' } }),
    want: 'aGVsbG8=',
  },
  'from a ConfigMap that is not there': { input: REF, wantMissing: /no ConfigMap data/ },
  'from a key that is not there': {
    input: REF,
    source: configMap({ data: {} }),
    wantMissing: /ConfigMap data has no key doc/,
  },
  'from a key that is not there, and that every object inherits': {
    input: { configMapKeyRef: { name: 'data', key: 'constructor' } },
    source: configMap({ data: {} }),
    wantMissing: /ConfigMap data has no key constructor/,
  },
  'from a ConfigMap, with another digest': {
    input: { ...REF, digest: OTHER },
    source: configMap({ data: { doc: 'hello' } }),
    wantRefused: /spec\.input\.digest says/,
  },
  'from a ConfigMap, larger than is allowed': {
    input: REF,
    source: configMap({ data: { doc: 'ä'.repeat(131_073) } }),
    wantRefused: /found 262146 bytes; at most 262144/,
  },
  'from a ConfigMap that was changed since it was copied for the attempt': {
    input: { ...REF, digest: HELLO },
    source: configMap({ data: { doc: 'changed' } }),
    made: configMap({ data: { input: 'hello' } }),
    want: 'hello',
  },
  'from a ConfigMap that is gone since its bytes were copied for the attempt': {
    input: REF,
    made: configMap({ binaryData: { input: 'aGVsbG8=' } }),
    want: 'aGVsbG8=',
  },
  'by URI': { input: { uri: 's3://bucket/key' }, want: undefined },
  'from a Secret': { input: { secretKeyRef: { name: 's', key: 'k' } }, want: undefined },
};

for (const [name, { input, source, made, want, wantMissing, wantRefused }] of Object.entries(cases)) {
  test(`input ${name}`, (t) => {
    const found = resolveInput(makeRun({ input }), { source, made });
    if (found.kind === 'missing') t.regex(found.cause.message, wantMissing ?? /^never/);
    else if (found.kind === 'refused') t.regex(found.failure.error.message, wantRefused ?? /^never/);
    else {
      t.deepEqual([wantMissing, wantRefused], [undefined, undefined]);
      t.deepEqual(Object.values(found.copied?.content ?? {}), want === undefined ? [] : [want]);
    }
  });
}
