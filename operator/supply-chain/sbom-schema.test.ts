// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { cycloneDx } from '#hack/sigstore/predicates';
import { canonicalJson } from '../core/compare.ts';
import type { Document } from '../core/supply-chain/documents.ts';
import { Same } from './same.ts';
import { cycloneDxProblem } from './sbom-schema.ts';

const VERSIONS = ['1.4', '1.5', '1.6', '1.7'] as const;

/** What generators write: hashes, references, properties, and who needs whom. */
function whole(specVersion: string, count = 3): Document {
  const numbers = Array.from({ length: count }, (_, index) => index);
  return {
    $schema: `http://cyclonedx.org/schema/bom-${specVersion}.schema.json`,
    bomFormat: 'CycloneDX',
    specVersion,
    serialNumber: 'urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79',
    version: 1,
    metadata: { timestamp: '2026-11-01T00:00:00Z', component: { type: 'container', name: 'app' } },
    components: numbers.map((one) => ({
      type: 'library',
      'bom-ref': `r${one}`,
      name: `n${one}`,
      version: `1.${one}.0`,
      purl: `pkg:npm/n${one}@1.${one}.0`,
      hashes: [{ alg: 'SHA-256', content: 'a'.repeat(64) }],
      licenses: [{ license: { id: 'MIT' } }],
      externalReferences: [{ type: 'vcs', url: `https://git.example/n${one}` }],
      properties: [{ name: 'layer', value: String(one) }],
    })),
    dependencies: numbers.map((one) => ({ ref: `r${one}`, dependsOn: one === 0 ? [] : ['r0'] })),
  };
}

for (const version of VERSIONS) {
  test(`a bill of materials that fits its schema is one: CycloneDX ${version}`, (t) => {
    t.is(cycloneDxProblem(cycloneDx('MIT', version) as Document), undefined);
    t.is(cycloneDxProblem(whole(version)), undefined);
  });
}

test('what is of another form, or of a version that is not read, is for others to tell', (t) => {
  t.is(cycloneDxProblem({ spdxVersion: 'SPDX-2.3' }), undefined);
  t.is(cycloneDxProblem({ bomFormat: 'CycloneDX', specVersion: '2.0' }), undefined);
  t.is(cycloneDxProblem({ bomFormat: 'CycloneDX', specVersion: 'constructor' }), undefined);
});

/** The second component with other fields. */
const second = (fields: object, specVersion = '1.6'): Document => {
  const bom = whole(specVersion);
  const components = bom['components'] as readonly object[];
  return { ...bom, components: components.map((one, index) => (index === 1 ? { ...one, ...fields } : one)) };
};

const wrong: Readonly<Record<string, { readonly bom: Document; readonly says: RegExp }>> = {
  'a licence that is none': {
    bom: second({ licenses: [{ license: { id: 'Free-For-All' } }] }),
    says: /at \/components\/1\/licenses\/0\/license\/id: must be one of the values that are allowed/,
  },
  'a type that is none': { bom: second({ type: 'virus' }), says: /\/components\/1\/type: must be one of/ },
  'no name': {
    bom: second({ name: undefined }),
    says: /\/components\/1: must have required property 'name'/,
  },
  'a name that is a number': { bom: second({ name: 1 }), says: /\/components\/1\/name: must be string/ },
  'a field of nobody': {
    bom: second({ 'evil"\u{1b}[31m': 1 }),
    says: /must NOT have additional properties \("evil"\\u\{1b\}\[31m"\)/,
  },
  'a hash that is none': {
    bom: second({ hashes: [{ alg: 'SHA-256', content: 'xyz' }] }),
    says: /\/components\/1\/hashes\/0\/content: must match pattern/,
  },
  'a field of a later version': {
    bom: second({ cryptoProperties: { assetType: 'protocol' } }, '1.4'),
    says: /is no CycloneDX 1\.4: at \/components\/1: must NOT have additional properties \("cryptoProperties"\)/,
  },
  'a time that is none': {
    bom: { ...whole('1.6'), metadata: { timestamp: 'yesterday' } },
    says: /at \/metadata\/timestamp: must match format "date-time"/,
  },
  'a component twice, in another order of its fields': {
    bom: {
      bomFormat: 'CycloneDX',
      specVersion: '1.6',
      version: 1,
      components: [
        { type: 'library', name: 'a', licenses: [{ license: { id: 'MIT' } }] },
        { type: 'library', name: 'b' },
        { licenses: [{ license: { id: 'MIT' } }], name: 'a', type: 'library' },
      ],
    },
    says: /at \/components: must not have the same item twice/,
  },
};

for (const [title, { bom, says }] of Object.entries(wrong)) {
  test(`what does not fit is refused, and where: ${title}`, (t) => {
    // As it would be read: what is undefined is not there.
    const problem = cycloneDxProblem(JSON.parse(JSON.stringify(bom)) as Document);
    t.is(problem?.reason, 'SbomInvalid');
    t.regex(problem?.message ?? '', says);
  });
}

/** Milliseconds of a processor. */
function costOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

test('ten times as many components cost some ten times as much, and not a hundred', (t) => {
  cycloneDxProblem(whole('1.6'));
  const [few, many] = [whole('1.6', 2000), whole('1.6', 20_000)];
  const cost = (bom: Document) =>
    Math.min(...[1, 2, 3].map(() => costOf(() => t.is(cycloneDxProblem(bom), undefined))));
  t.true(cost(many) < 30 * Math.max(cost(few), 2));
});

/** Components that differ in what nobody tells them apart by. */
const alike = (count: number): Document => ({
  bomFormat: 'CycloneDX',
  specVersion: '1.6',
  version: 1,
  components: Array.from({ length: count }, (_, index) => ({
    type: 'library',
    name: 'n',
    copyright: String(index),
  })),
});

test('components that are alike in all that tells others apart cost no more than time in line with their number', (t) => {
  const few = costOf(() => t.is(cycloneDxProblem(alike(2000)), undefined));
  const many = costOf(() => t.is(cycloneDxProblem(alike(20_000)), undefined));
  t.true(many < 40 * Math.max(few, 2), `${many} ms and ${few} ms`);
});

test('things are told apart as by comparing each with each', (t) => {
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom(null, true, false, 0, 1, '', 'a', '0', 'null', '#0', '[]'),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom('a', 'b', 'name', 'type', '__proto__'), tie('value'), { maxKeys: 3 }),
    ),
  })).value;
  fc.assert(
    fc.property(fc.array(value, { maxLength: 6 }), (values) => {
      const json = JSON.parse(JSON.stringify(values)) as readonly unknown[];
      const areDistinct = json.every((one, index) =>
        json.slice(index + 1).every((other) => canonicalJson(one) !== canonicalJson(other)),
      );
      t.is(new Same().areDistinct(json), areDistinct);
    }),
    { numRuns: 3000 },
  );
});
