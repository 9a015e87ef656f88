// SPDX-License-Identifier: Apache-2.0
import { Ajv, type ValidateFunction } from 'ajv';
import test from 'ava';
import * as fc from 'fast-check';
import type { Document } from '../core/supply-chain/documents.ts';
import { CYCLONEDX_PARTS, CYCLONEDX_SCHEMAS } from './cyclonedx-schemas.ts';
import { addFormatsTo, schemaProblem } from './sbom-schema.ts';

const HEX = '0123456789abcdefABCDEF'.split('');
const LENGTHS = [31, 32, 33, 40, 64, 65, 96, 128, 129];

/** The same schemas, with every keyword and expression as ajv has them. */
function plain(version: string): ValidateFunction {
  const ajv = new Ajv({
    strict: false,
    addUsedSchema: false,
    logger: false,
    schemas: { ...CYCLONEDX_PARTS },
  });
  addFormatsTo(ajv);
  return ajv.compile(CYCLONEDX_SCHEMAS[version] ?? false);
}

const component = (name: string, more: object = {}) => ({
  type: 'library',
  'bom-ref': `ref-${name}`,
  name,
  version: '1.0',
  purl: `pkg:npm/${name}@1.0`,
  hashes: [{ alg: 'SHA-256', content: 'a'.repeat(64) }],
  licenses: [{ license: { id: 'MIT' } }, { license: { name: 'Our own' } }],
  externalReferences: [{ type: 'vcs', url: `https://git.example/${name}` }],
  properties: [
    { name: 'layer', value: '1' },
    { name: 'layer', value: '2' },
  ],
  ...more,
});

/** Something of each kind that is told apart, hashed, named or referred to. */
function whole(specVersion: string): Document {
  return {
    bomFormat: 'CycloneDX',
    specVersion,
    serialNumber: 'urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79',
    version: 1,
    metadata: {
      timestamp: '2026-11-01T00:00:00Z',
      authors: [{ name: 'A', email: 'a@b.example' }],
      component: { type: 'container', name: 'app' },
    },
    components: [
      component('a'),
      component('b', { licenses: [{ expression: 'MIT OR Apache-2.0' }], components: [component('c')] }),
      {
        type: 'file',
        name: 'd',
        swid: { tagId: 't', name: 'd', text: { content: 'x', contentType: 'text/plain' } },
      },
    ],
    dependencies: [{ ref: 'ref-a', dependsOn: ['ref-b', 'ref-c'] }, { ref: 'ref-b' }],
    compositions: [{ aggregate: 'complete', assemblies: ['ref-a', 'ref-b'] }],
    vulnerabilities: [{ id: 'CVE-2026-1', cwes: [79], affects: [{ ref: 'ref-a' }] }],
  };
}

type Path = readonly (string | number)[];

function pathsOf(value: unknown, path: Path = []): readonly Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const inner = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return [path, ...inner.flatMap(([key, one]) => pathsOf(one, [...path, key]))];
}

type Field = Record<string | number, unknown>;

/** What somebody may do to one place of a document. */
const SPOIL: readonly ((parent: Field, key: string | number, by: unknown) => void)[] = [
  (parent, key) => delete parent[key],
  (parent, key, by) => (parent[key] = by),
  (parent, _, by) => {
    if (Array.isArray(parent)) parent.push(by);
    else parent['another'] = by;
  },
  // Again, and again in another order.
  (parent, key) => {
    if (Array.isArray(parent)) parent.push(structuredClone(parent[key as number]));
  },
  (parent, key) => {
    const one = parent[key];
    if (!Array.isArray(parent) || typeof one !== 'object' || one === null) return;
    parent.push(Object.fromEntries(Object.entries(one).toReversed()));
  },
  // The same but for what things are told apart by.
  (parent, key, by) => {
    const one = parent[key];
    if (!Array.isArray(parent) || typeof one !== 'object' || one === null) return;
    parent.push({ ...one, 'bom-ref': by });
  },
];

const hash = fc
  .tuple(fc.constantFrom(...LENGTHS), fc.constantFrom(...HEX), fc.constantFrom('', '', 'g', 'é', '\n', '𝟘'))
  .map(([length, letter, more]) => letter.repeat(length - more.length) + more);
const value = fc.oneof(
  hash,
  fc.constantFrom<unknown>(
    '',
    ' ',
    'MIT',
    'GPL',
    'constructor',
    'toString',
    '__proto__',
    'ref-a',
    '𝟘',
    'a@b',
    'https://a',
  ),
  fc.constantFrom<unknown>(null, true, 0, 1, 1.5, [], {}, [1, 1], ['a', 'a'], { name: 'a' }, [
    { ref: 'a' },
    { ref: 'a' },
  ]),
);
const harm = fc.record({ place: fc.nat(), how: fc.nat(SPOIL.length - 1), by: value });

function spoil(document: Document, harms: readonly { place: number; how: number; by: unknown }[]): Document {
  const spoilt = structuredClone(document) as Field;
  for (const { place, how, by } of harms) {
    const paths = pathsOf(spoilt).filter(
      (path) => path.length > 0 && path[0] !== 'bomFormat' && path[0] !== 'specVersion',
    );
    const path = paths[place % paths.length] ?? [];
    const parent = path.slice(0, -1).reduce<Field>((here, key) => here[key] as Field, spoilt);
    SPOIL[how]?.(parent, path.at(-1) ?? '', structuredClone(by));
  }
  // As it would have been read.
  return JSON.parse(JSON.stringify(spoilt)) as Document;
}

for (const version of Object.keys(CYCLONEDX_SCHEMAS)) {
  test(`what is valid is what ajv holds valid by its own keywords: CycloneDX ${version}`, (t) => {
    const validate = plain(version);
    const document = whole(version);
    t.true(validate(document), JSON.stringify(validate.errors));
    const seen = { valid: 0, invalid: 0 };
    fc.assert(
      fc.property(fc.array(harm, { maxLength: 2 }), (harms) => {
        const spoilt = spoil(document, harms);
        const isValid = validate(spoilt);
        seen[isValid ? 'valid' : 'invalid'] += 1;
        t.is(schemaProblem(spoilt) === undefined, isValid, JSON.stringify([harms, validate.errors]));
      }),
      { numRuns: 2500 },
    );
    t.true(seen.valid > 250 && seen.invalid > 250, JSON.stringify(seen));
  });
}

test('a hash is one by all lengths and letters that ajv takes, and by no others', (t) => {
  const validate = plain('1.6');
  const seen = { valid: 0, invalid: 0 };
  fc.assert(
    fc.property(hash, (content) => {
      const bom = {
        bomFormat: 'CycloneDX',
        specVersion: '1.6',
        components: [{ type: 'file', name: 'a', hashes: [{ alg: 'MD5', content }] }],
      };
      const isValid = validate(bom);
      seen[isValid ? 'valid' : 'invalid'] += 1;
      t.is(schemaProblem(bom) === undefined, isValid, content);
    }),
    { numRuns: 1000 },
  );
  t.true(seen.valid > 100 && seen.invalid > 100, JSON.stringify(seen));
});
