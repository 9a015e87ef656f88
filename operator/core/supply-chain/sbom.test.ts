// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { isBuiltAsAsked, readProvenance } from './provenance.ts';
import { hasAllowedLicences, readSbom } from './sbom.ts';

type Predicate = Parameters<typeof readSbom>[0];

const boms: Readonly<Record<string, { readonly predicate: Predicate; readonly want: readonly object[] }>> = {
  'CycloneDX, nested': {
    predicate: {
      bomFormat: 'CycloneDX',
      specVersion: '1.5',
      components: [
        {
          name: 'a',
          licenses: [{ expression: 'MIT OR Apache-2.0' }],
          components: [{ name: 'b', purl: 'pkg:npm/b@1' }],
        },
      ],
    },
    want: [
      { name: 'a', licences: ['MIT OR Apache-2.0'] },
      { name: 'b', purl: 'pkg:npm/b@1' },
    ],
  },
  'SPDX 2.3': {
    predicate: {
      spdxVersion: 'SPDX-2.3',
      packages: [
        {
          name: 'a',
          licenseConcluded: 'NOASSERTION',
          licenseDeclared: 'MIT',
          externalRefs: [
            { referenceType: 'cpe23Type', referenceLocator: 'c' },
            { referenceType: 'purl', referenceLocator: 'pkg:npm/a@1' },
          ],
        },
      ],
    },
    want: [{ name: 'a', purl: 'pkg:npm/a@1', licences: ['MIT'] }],
  },
  'SPDX 3': {
    predicate: {
      '@context': 'https://spdx.org/rdf/3.0.1/spdx-context.jsonld',
      '@graph': [
        { type: 'software_Package', spdxId: 'p', name: 'a', software_packageUrl: 'pkg:npm/a@1' },
        { type: 'simplelicensing_LicenseExpression', spdxId: 'l', simplelicensing_licenseExpression: 'MIT' },
        { type: 'Relationship', relationshipType: 'hasConcludedLicense', from: 'p', to: ['l'] },
      ],
    },
    want: [{ name: 'a', purl: 'pkg:npm/a@1', licences: ['MIT'] }],
  },
};

for (const [title, { predicate, want }] of Object.entries(boms)) {
  test(`a bill of materials is brought to one form: ${title}`, (t) => {
    const read = readSbom(predicate);
    if (read.kind !== 'verified') throw new Error(JSON.stringify(read));
    t.is(read.value.components.length, want.length);
    for (const [index, one] of want.entries()) t.like(read.value.components[index], one);
  });
}

const unread: Readonly<Record<string, { readonly predicate: Predicate; readonly want: string }>> = {
  'a later version': { predicate: { bomFormat: 'CycloneDX', specVersion: '2.0' }, want: 'Unsupported' },
  'an earlier version': { predicate: { spdxVersion: 'SPDX-1.2' }, want: 'Unsupported' },
  'a context that only looks like it': {
    predicate: { '@context': 'https://evil.example/https://spdx.org/rdf/3.0.1/' },
    want: 'Unsupported',
  },
  'a component without a name': {
    predicate: { bomFormat: 'CycloneDX', specVersion: '1.6', components: [{ name: 'a' }, {}] },
    want: 'SbomInvalid',
  },
  'a text of tags and values': {
    predicate: { Data: 'SPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0' },
    want: 'Unsupported',
  },
  'no list of packages': { predicate: { spdxVersion: 'SPDX-2.3' }, want: 'SbomInvalid' },
  'a package twice': {
    predicate: {
      spdxVersion: 'SPDX-2.3',
      packages: [1, 2].map((version) => ({ SPDXID: 'SPDXRef-a', name: `a${version}` })),
    },
    want: 'SbomInvalid',
  },
  'a graph that is no list': {
    predicate: { '@context': 'https://spdx.org/rdf/3.0.1/spdx-context.jsonld', '@graph': {} },
    want: 'SbomInvalid',
  },
  'more components than are read': {
    predicate: { spdxVersion: 'SPDX-2.3', packages: Array.from({ length: 100_001 }, () => ({ name: 'a' })) },
    want: 'TooLarge',
  },
  'the same, within another': {
    predicate: {
      bomFormat: 'CycloneDX',
      specVersion: '1.6',
      components: [{ name: 'a', components: Array.from({ length: 300_000 }, () => ({ name: 'b' })) }],
    },
    want: 'TooLarge',
  },
};

for (const [title, { predicate, want }] of Object.entries(unread)) {
  test(`a bill of materials is not taken for an empty one: ${title}`, (t) => {
    t.like(readSbom(predicate), { kind: 'refused', reason: want });
  });
}

interface Licensed {
  readonly licences: readonly string[];
  readonly allowed?: readonly string[];
  readonly denied?: readonly string[];
  readonly isAllowed: boolean;
}

const licences: Readonly<Record<string, Licensed>> = {
  'one that is allowed': { licences: ['MIT'], allowed: ['MIT'], isAllowed: true },
  'one that is not': { licences: ['GPL-3.0-only'], allowed: ['MIT'], isAllowed: false },
  'one that is denied': { licences: ['GPL-3.0-only'], denied: ['GPL-3.0-only'], isAllowed: false },
  'a choice of which one is allowed': {
    licences: ['GPL-3.0-only OR MIT'],
    allowed: ['MIT'],
    isAllowed: true,
  },
  'all of which one is not': { licences: ['GPL-3.0-only AND MIT'], allowed: ['MIT'], isAllowed: false },
  'an exception to one that is allowed': {
    licences: ['Apache-2.0 WITH LLVM-exception'],
    allowed: ['Apache-2.0'],
    isAllowed: true,
  },
  'both, which is not taken apart': {
    licences: ['MIT AND (GPL-3.0-only OR MIT)'],
    allowed: ['MIT'],
    isAllowed: false,
  },
  'none, where only some are allowed': { licences: [], allowed: ['MIT'], isAllowed: false },
  'none, where some are denied': { licences: [], denied: ['MIT'], isAllowed: true },
  'an empty expression': { licences: [' '], allowed: ['MIT'], isAllowed: false },
};

for (const [title, { licences: names, allowed = [], denied = [], isAllowed }] of Object.entries(licences)) {
  test(`licences: ${title}`, (t) => {
    const sbom = { format: 'x', components: [{ name: 'a', purl: '', licences: names }] };
    const asked = { from: [], threshold: 1, allowedLicences: allowed, deniedLicences: denied };
    t.is(hasAllowedLicences(sbom, asked).kind === 'verified', isAllowed);
  });
}

const asked = {
  from: [],
  threshold: 1,
  builders: [{ id: 'b', level: 3 }],
  sources: ['https://git.example/o/r'],
  minLevel: 2,
};
const older = (uri: string): Predicate => ({ builder: { id: 'b' }, invocation: { configSource: { uri } } });

const sources: Readonly<Record<string, { readonly predicate: Predicate; readonly want: string }>> = {
  'of 0.2': { predicate: older('git+https://git.example/o/r@refs/heads/main'), want: 'verified' },
  'with its suffix': { predicate: older('https://git.example/o/r.git'), want: 'verified' },
  'of a workflow': {
    predicate: {
      buildDefinition: { externalParameters: { workflow: { repository: 'https://git.example/o/r' } } },
      runDetails: { builder: { id: 'b' } },
    },
    want: 'verified',
  },
  'with a longer name': { predicate: older('https://git.example/o/r2'), want: 'ProvenanceSource' },
  'with a user in it': { predicate: older('https://git.example@evil.example/o/r'), want: 'ProvenanceSource' },
  'as another dependency only': {
    predicate: {
      buildDefinition: {
        resolvedDependencies: [{ uri: 'https://evil.example' }, { uri: 'https://git.example/o/r' }],
      },
      runDetails: { builder: { id: 'b' } },
    },
    want: 'ProvenanceSource',
  },
  'by nobody': { predicate: {}, want: 'Malformed' },
};

for (const [title, { predicate, want }] of Object.entries(sources)) {
  test(`provenance names the source that was asked to be built: ${title}`, (t) => {
    const read = readProvenance(predicate);
    const judged = read.kind === 'verified' ? isBuiltAsAsked(read.value, asked) : read;
    const found: string = judged.kind === 'refused' ? judged.reason : judged.kind;
    t.is(found, want, JSON.stringify(judged));
  });
}

const two: Readonly<Record<string, Predicate>> = {
  'CycloneDX of a version that nobody reads, and SPDX 2': {
    bomFormat: 'CycloneDX',
    specVersion: '9.9',
    spdxVersion: 'SPDX-2.3',
    packages: [{ name: 'a', licenceDeclared: 'GPL-3.0-only' }],
  },
  'CycloneDX and SPDX 2': {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    spdxVersion: 'SPDX-2.3',
    packages: [],
  },
  'CycloneDX and SPDX 3': {
    bomFormat: 'CycloneDX',
    specVersion: '9.9',
    '@context': 'https://spdx.org/rdf/3.0.1/spdx-context.jsonld',
    '@graph': ['no element'],
  },
  'SPDX 2 and 3': {
    spdxVersion: 'SPDX-2.3',
    packages: [],
    '@context': 'https://spdx.org/rdf/3.0.1/spdx-context.jsonld',
    '@graph': [],
  },
};

for (const [title, predicate] of Object.entries(two)) {
  test(`what says that it is of two forms is neither: ${title}`, (t) => {
    const read = readSbom(predicate);
    t.like(read, { kind: 'refused', reason: 'SbomInvalid' });
    t.regex(read.kind === 'refused' ? read.message : '', / and .*, and can be of one form only$/);
  });
}
