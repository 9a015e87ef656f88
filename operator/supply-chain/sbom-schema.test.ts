// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import test, { type ExecutionContext } from 'ava';
import * as fc from 'fast-check';
import { cycloneDx } from '#hack/sigstore/predicates';
import { canonicalJson } from '../core/compare.ts';
import type { Document } from '../core/supply-chain/documents.ts';
import { Same } from './same.ts';
import { schemaProblem } from './sbom-schema.ts';

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
    t.is(schemaProblem(cycloneDx('MIT', version) as Document), undefined);
    t.is(schemaProblem(whole(version)), undefined);
  });
}

test('what is of another form, or of a version that is not read, is for others to tell', (t) => {
  t.is(schemaProblem({ spdxVersion: 'SPDX-2.1' }), undefined);
  t.is(schemaProblem({ '@context': 'https://spdx.org/rdf/3.0.1/spdx-context.jsonld' }), undefined);
  t.is(schemaProblem({ bomFormat: 'CycloneDX', specVersion: '2.0' }), undefined);
  t.is(schemaProblem({ bomFormat: 'CycloneDX', specVersion: 'constructor' }), undefined);
});

/** As generators write it: packages, files, and what each is to the other. */
function spdx(spdxVersion = 'SPDX-2.3', count = 3): Document {
  return {
    spdxVersion,
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: 'app',
    documentNamespace: 'https://generator.example/app-1',
    creationInfo: { created: '2026-11-01T00:00:00Z', creators: ['Tool: generator-1'] },
    packages: Array.from({ length: count }, (_, one) => ({
      SPDXID: `SPDXRef-p${one}`,
      name: `n${one}`,
      versionInfo: `1.${one}.0`,
      supplier: 'NOASSERTION',
      downloadLocation: 'NOASSERTION',
      filesAnalyzed: true,
      packageVerificationCode: { packageVerificationCodeValue: 'a'.repeat(40) },
      checksums: [{ algorithm: 'SHA256', checksumValue: 'a'.repeat(64) }],
      licenseConcluded: 'NOASSERTION',
      licenseDeclared: 'MIT',
      licenseInfoFromFiles: ['MIT'],
      primaryPackagePurpose: 'LIBRARY',
      externalRefs: [
        {
          referenceCategory: 'PACKAGE-MANAGER',
          referenceType: 'purl',
          referenceLocator: `pkg:npm/n${one}@1.${one}.0`,
        },
      ],
    })),
    files: [
      {
        SPDXID: 'SPDXRef-f',
        fileName: './f',
        checksums: [{ algorithm: 'SHA1', checksumValue: 'a'.repeat(40) }],
        licenseConcluded: 'MIT',
      },
    ],
    hasExtractedLicensingInfos: [{ licenseId: 'LicenseRef-own', extractedText: 'as you like' }],
    relationships: [
      {
        spdxElementId: 'SPDXRef-DOCUMENT',
        relationshipType: 'DESCRIBES',
        relatedSpdxElement: 'SPDXRef-p0',
      },
    ],
  };
}

for (const version of ['SPDX-2.2', 'SPDX-2.3']) {
  test(`a bill of materials that fits its schema is one: ${version}`, (t) => {
    t.is(schemaProblem(spdx(version)), undefined);
  });
}

/** The second package with other fields. */
const secondPackage = (fields: object): Document => {
  const bom = spdx();
  const packages = bom['packages'] as readonly object[];
  return { ...bom, packages: packages.map((one, index) => (index === 1 ? { ...one, ...fields } : one)) };
};

test('what need not be said in SPDX 2 may be null', (t) => {
  const nulls = {
    licenseConcluded: null,
    primaryPackagePurpose: null,
    checksums: null,
    externalRefs: null,
    filesAnalyzed: null,
    packageVerificationCode: null,
  };
  t.is(schemaProblem({ ...secondPackage(nulls), relationships: null, comment: null }), undefined);
});

/** As Trivy writes an image with an operating system, by tools-golang: it has `-` in a word, and null in place of a list of a file. */
const AS_TRIVY = {
  name: 'alpine',
  SPDXID: 'SPDXRef-OperatingSystem-9a2f1c0d',
  versionInfo: '3.20.3',
  downloadLocation: 'NONE',
  filesAnalyzed: false,
  primaryPackagePurpose: 'OPERATING-SYSTEM',
  annotations: [
    {
      annotator: 'Tool: trivy-0.58.0',
      annotationDate: '2026-11-01T00:00:00Z',
      annotationType: 'OTHER',
      comment: 'Class: os-pkgs',
    },
  ],
};

test('what common writers of SPDX 2 do otherwise than its schema fits it', (t) => {
  t.is(schemaProblem(secondPackage(AS_TRIVY)), undefined);
  t.is(schemaProblem(secondPackage({ primaryPackagePurpose: 'OPERATING_SYSTEM' })), undefined);
  const files = [{ SPDXID: 'SPDXRef-f', fileName: './f', checksums: null }];
  const snippets = [{ SPDXID: 'SPDXRef-s', snippetFromFile: 'SPDXRef-f', ranges: null }];
  t.is(schemaProblem({ ...spdx(), files, snippets }), undefined);
  const empty = { checksums: [], ranges: [] };
  const none = {
    files: [{ ...files[0], checksums: empty.checksums }],
    snippets: [{ ...snippets[0], ranges: empty.ranges }],
  };
  t.is(schemaProblem({ ...spdx(), ...none }), undefined);
  t.is(schemaProblem(secondPackage({ checksums: empty.checksums })), undefined);
  for (const inPackage of [files, [], null])
    t.is(schemaProblem(secondPackage({ files: inPackage })), undefined, JSON.stringify(inPackage));
  const wrong = [
    secondPackage({ files: [{ ...files[0], file: './g' }] }),
    secondPackage({ files: {} }),
    secondPackage({ primaryPackagePurpose: 'OPERATING SYSTEM' }),
    { ...spdx(), files: [{ ...files[0], file: './g' }] },
  ];
  t.deepEqual(
    wrong.map((bom) => schemaProblem(bom)?.reason),
    wrong.map(() => 'SbomInvalid'),
  );
});

test('the schema of SPDX is the one that its authors have published', async (t) => {
  const folder = new URL('spdx/', import.meta.url);
  const bytes = await readFile(new URL('spdx-2.3.schema.json', folder));
  const readme = await readFile(new URL('README.md', folder), 'utf8');
  t.true(readme.includes(`SHA-256: \`${createHash('sha256').update(bytes).digest('hex')}\``));
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

const SPDX_WRONG: Readonly<Record<string, { readonly bom: Document; readonly says: RegExp }>> = {
  'SPDX: a licence under a name that nobody reads': {
    bom: secondPackage({ licenceDeclared: 'GPL-3.0-only' }),
    says: /is no SPDX 2\.3: at \/packages\/1: must NOT have additional properties \("licenceDeclared"\)/,
  },
  'SPDX: a licence that is no text': {
    bom: secondPackage({ licenseConcluded: { id: 'GPL-3.0-only' } }),
    says: /at \/packages\/1\/licenseConcluded: must be string/,
  },
  'SPDX: a list that is none': {
    bom: secondPackage({ externalRefs: { referenceType: 'purl' } }),
    says: /\/packages\/1\/externalRefs: must be array/,
  },
  'SPDX: a reference that is none': {
    bom: secondPackage({ externalRefs: ['pkg:npm/a@1'] }),
    says: /\/packages\/1\/externalRefs\/0: must be object/,
  },
  'SPDX: a reference that leads nowhere': {
    bom: secondPackage({ externalRefs: [{ referenceCategory: 'OTHER', referenceType: 'purl' }] }),
    says: /\/externalRefs\/0: must have required property 'referenceLocator'/,
  },
  'SPDX: a flag that is none': {
    bom: secondPackage({ filesAnalyzed: 'no' }),
    says: /\/filesAnalyzed: must be boolean/,
  },
  'SPDX: a package that is none': {
    bom: { ...spdx(), packages: ['a'] },
    says: /at \/packages\/0: must be object/,
  },
  'SPDX: packages that are none': { bom: { ...spdx(), packages: {} }, says: /at \/packages: must be array/ },
  'SPDX: a package without a name': {
    bom: secondPackage({ name: undefined }),
    says: /\/packages\/1: must have required property 'name'/,
  },
  'SPDX: a name that is null': {
    bom: secondPackage({ name: null }),
    says: /\/packages\/1\/name: must be string/,
  },
  'SPDX: a field that all objects have': {
    bom: secondPackage(JSON.parse('{"constructor":"x"}') as object),
    says: /additional properties \("constructor"\)/,
  },
  'SPDX: a hash of an algorithm of nobody': {
    bom: secondPackage({ checksums: [{ algorithm: 'ROT13', checksumValue: 'n' }] }),
    says: /\/checksums\/0\/algorithm: must be one of the values that are allowed/,
  },
  'SPDX: packages beside the list': {
    bom: { ...spdx(), package: [{ name: 'hidden' }] },
    says: /at its top: must NOT have additional properties \("package"\)/,
  },
  'SPDX: a document of nobody': {
    bom: { ...spdx(), creationInfo: { created: '2026-11-01T00:00:00Z' } },
    says: /\/creationInfo: must have required property 'creators'/,
  },
  'SPDX: a relationship of a kind of nobody': {
    bom: {
      ...spdx('SPDX-2.2'),
      relationships: [{ spdxElementId: 'a', relationshipType: 'LIKES', relatedSpdxElement: 'b' }],
    },
    says: /is no SPDX 2\.2: at \/relationships\/0\/relationshipType: must be one of/,
  },
};

for (const [title, { bom, says }] of Object.entries({ ...wrong, ...SPDX_WRONG })) {
  test(`what does not fit is refused, and where: ${title}`, (t) => {
    // As it would be read: what is undefined is not there.
    const problem = schemaProblem(JSON.parse(JSON.stringify(bom)) as Document);
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

/**
 * Of some tries, one in which `many` cost less than thirty times what `few` did; undefined: there is none. What else a process does,
 * such as to collect garbage, comes on top of some of them; work that grows with the square costs a hundred times as much in each.
 */
function cheapTry(t: ExecutionContext, few: Document, many: Document): number | undefined {
  const cost = (bom: Document) => costOf(() => t.is(schemaProblem(bom), undefined));
  const leastMs = Math.max(Math.min(...[1, 2, 3].map(() => cost(few))), 2);
  return [1, 2, 3, 4, 5, 6, 7, 8].find(() => cost(many) < 30 * leastMs);
}

test('ten times as many components cost some ten times as much, and not a hundred', (t) => {
  schemaProblem(whole('1.6'));
  t.not(cheapTry(t, whole('1.6', 2000), whole('1.6', 20_000)), undefined);
});

test('and ten times as many packages of SPDX', (t) => {
  schemaProblem(spdx());
  t.not(cheapTry(t, spdx('SPDX-2.3', 2000), spdx('SPDX-2.3', 20_000)), undefined);
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
  const few = costOf(() => t.is(schemaProblem(alike(2000)), undefined));
  const many = costOf(() => t.is(schemaProblem(alike(20_000)), undefined));
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
