// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { hasAllowedLicences, readSbom } from './sbom.ts';

type Predicate = Parameters<typeof readSbom>[0];

const second = (...packages: readonly unknown[]): Predicate => ({ spdxVersion: 'SPDX-2.3', packages });
const third = (...elements: readonly unknown[]): Predicate => ({
  '@context': 'https://spdx.org/rdf/3.0.1/spdx-context.jsonld',
  '@graph': elements,
});
const PACKAGE = { type: 'software_Package', spdxId: 'urn:a', name: 'a' };
const SBOM = { type: 'software_Sbom', spdxId: 'urn:sbom', rootElement: ['urn:a'] };
const licensed = (to: unknown, more: object = {}) => ({
  type: 'Relationship',
  relationshipType: 'hasDeclaredLicense',
  from: 'urn:a',
  to,
  ...more,
});

const importing = (externalSpdxId: string) => ({
  type: 'SpdxDocument',
  spdxId: 'urn:document',
  import: [{ type: 'ExternalMap', externalSpdxId }],
});

const invalid: Readonly<Record<string, { readonly predicate: Predicate; readonly message: RegExp }>> = {
  'a package that is none': { predicate: second('a'), message: /packages\[0\] .*is no object/ },
  'an element that is none': { predicate: third(PACKAGE, 'urn:b'), message: /@graph\[1\] .*is no object/ },
  'a licence of nothing': {
    predicate: third(PACKAGE, licensed(['urn:l'], { from: undefined })),
    message: /@graph\[1\] .*not from an element/,
  },
  'a licence of an element that is not there': {
    predicate: third(PACKAGE, licensed(['urn:l'], { from: 'urn:q' })),
    message: /states a licence of "urn:q", which is no element of it, nor one that it imports/,
  },
  'a licence of an element that is not there, beside one that is imported': {
    predicate: third(PACKAGE, importing('urn:other'), licensed(['urn:l'], { from: { spdxId: 'urn:q' } })),
    message: /states a licence of "urn:q"/,
  },
  'a licence that is nothing': {
    predicate: third(PACKAGE, licensed([7])),
    message: /@graph\[1\] .*leads to no element/,
  },
  'a class that nobody knows': {
    predicate: third({ ...PACKAGE, type: 'software_Pakage' }),
    message: /@graph\[0\] .*type "software_Pakage", which SPDX 3\.0 does not have/,
  },
  'a class by its address': {
    predicate: third({ ...PACKAGE, type: 'https://spdx.org/rdf/3.0.1/terms/Software/Package' }),
    message: /@graph\[0\] .*does not have/,
  },
  'a class under a name that nobody reads': {
    predicate: third({ '@type': 'software_Package', spdxId: 'urn:a', name: 'a' }),
    message: /@graph\[0\] .*has no type/,
  },
  'a class that nobody knows, within another element': {
    predicate: third({ ...SBOM, element: ['urn:b', { ...PACKAGE, type: 'Package' }] }),
    message: /@graph\[0\] .*type "Package"/,
  },
  'a relationship that nobody knows': {
    predicate: third(PACKAGE, licensed(['urn:l'], { relationshipType: 'hasDeclaredLicence' })),
    message: /@graph\[1\] .*"hasDeclaredLicence", which no relationship/,
  },
  'two ids': { predicate: third({ ...PACKAGE, '@id': 'urn:b' }), message: /has two ids/ },
  'an element twice, once within another': {
    predicate: third(PACKAGE, { ...SBOM, element: [{ ...PACKAGE, name: 'other' }] }),
    message: /has "urn:a" twice/,
  },
  'a graph, and an element beside it': {
    predicate: { ...third(PACKAGE), ...PACKAGE, spdxId: 'urn:b', type: 'nothing' },
    message: /the bill of materials is.* of type "nothing"/,
  },
  'a graph that is none': {
    predicate: { ...third(), '@graph': 'urn:a' },
    message: /the bill of materials has no type/,
  },
};

for (const [title, { predicate, message }] of Object.entries(invalid)) {
  test(`SPDX that would be read as less than it says is refused, with the place: ${title}`, (t) => {
    const read = readSbom(predicate);
    t.like(read, { kind: 'refused', reason: 'SbomInvalid' });
    t.regex(read.kind === 'refused' ? read.message : '', message);
  });
}

const GPL = {
  type: 'simplelicensing_LicenseExpression',
  spdxId: 'urn:l',
  simplelicensing_licenseExpression: 'GPL-3.0-only',
};
const LIST = 'https://spdx.org/licenses';

const denied: Readonly<Record<string, readonly unknown[]>> = {
  'by an element': [PACKAGE, GPL, licensed(['urn:l'])],
  'by one that is not in a list': [PACKAGE, GPL, licensed('urn:l')],
  'by an element in its place': [PACKAGE, licensed([GPL])],
  'by its address in the list of licences': [PACKAGE, licensed([`${LIST}/GPL-3.0-only`])],
  'by the address of its page': [PACKAGE, licensed([`${LIST}/GPL-3.0-only.html`])],
  'by an element that is called as if nothing were said': [
    PACKAGE,
    { ...GPL, simplelicensing_licenseExpression: undefined, spdxId: 'https://a.example/NoneLicense' },
    licensed(['https://a.example/NoneLicense']),
  ],
  'by an element of that list': [
    PACKAGE,
    { type: 'expandedlicensing_ListedLicense', spdxId: `${LIST}/GPL-3.0-only`, name: 'GPL' },
    licensed([`${LIST}/GPL-3.0-only`]),
  ],
  'of a model': [{ ...PACKAGE, type: 'ai_AIPackage' }, GPL, licensed(['urn:l'])],
  'of a dataset': [{ ...PACKAGE, type: 'dataset_DatasetPackage' }, GPL, licensed(['urn:l'])],
  'from an element in its place': [GPL, PACKAGE, licensed(['urn:l'], { from: { spdxId: 'urn:a' } })],
  'of a package by another name of its id': [
    { type: 'software_Package', '@id': 'urn:a', name: 'a' },
    GPL,
    licensed(['urn:l']),
  ],
  'all of it within another element, as the library of the project writes what hangs together': [
    {
      type: 'SpdxDocument',
      spdxId: 'urn:document',
      element: [{ ...SBOM, element: [PACKAGE, GPL, licensed(['urn:l'])] }, 'urn:a', 'urn:l'],
      rootElement: ['urn:sbom'],
    },
  ],
  'of a package that stands where it is led to': [
    { ...licensed(['urn:a'], { from: 'urn:other' }), relationshipType: 'dependsOn', to: [PACKAGE] },
    { type: 'software_Package', spdxId: 'urn:other', name: 'other' },
    licensed([GPL]),
  ],
  'by what is not told': [PACKAGE, licensed(['urn:elsewhere'])],
  'by a set of licences, which is not taken apart': [
    PACKAGE,
    {
      type: 'expandedlicensing_ConjunctiveLicenseSet',
      spdxId: 'urn:set',
      expandedlicensing_member: [`${LIST}/MIT`, `${LIST}/GPL-3.0-only`],
    },
    licensed(['urn:set']),
  ],
};

const asked = (deniedLicences: readonly string[]) => ({
  from: [],
  threshold: 1,
  allowedLicences: [],
  deniedLicences,
});

for (const [title, elements] of Object.entries(denied)) {
  test(`a licence that is denied is found in SPDX 3: ${title}`, (t) => {
    const read = readSbom(third(...elements));
    if (read.kind !== 'verified') throw new Error(JSON.stringify(read));
    t.like(hasAllowedLicences(read.value, asked(['GPL-3.0-only'])), {
      kind: 'refused',
      reason: 'LicenceNotAllowed',
    });
    t.is(hasAllowedLicences(read.value, asked([])).kind, 'verified', 'where none is denied nobody minds');
  });
}

test('in SPDX 3 a licence may be of an element of another document, which is imported', (t) => {
  const read = readSbom(third(PACKAGE, GPL, importing('urn:q'), licensed(['urn:l'], { from: 'urn:q' })));
  t.like(read, { kind: 'verified', value: { components: [{ name: 'a', licences: [] }] } });
});

for (const unsaid of ['NOASSERTION', 'NONE']) {
  test(`in SPDX 3 it may be said that nothing is said: ${unsaid}`, (t) => {
    const expression = { ...GPL, simplelicensing_licenseExpression: unsaid };
    const name = unsaid === 'NONE' ? 'NoneLicense' : 'NoAssertionLicense';
    const individual = `https://spdx.org/rdf/3.0.1/terms/ExpandedLicensing/${name}`;
    for (const to of [['urn:l'], [individual], [`expandedlicensing_${name}`]]) {
      const read = readSbom(third(PACKAGE, expression, licensed(to)));
      t.like(read, { kind: 'verified', value: { components: [{ name: 'a', licences: [] }] } });
      if (read.kind === 'verified') t.is(hasAllowedLicences(read.value, asked(['MIT'])).kind, 'verified');
    }
  });
}

/** As spdx-python-model 0.0.6 wrote a document that was given to it by its root alone: without a graph. */
const WITHOUT_GRAPH = {
  '@context': 'https://spdx.org/rdf/3.0.1/spdx-context.jsonld',
  type: 'SpdxDocument',
  spdxId: 'urn:d',
  element: [
    {
      type: 'software_Sbom',
      spdxId: 'urn:b',
      element: [
        {
          type: 'software_Package',
          spdxId: 'urn:p',
          software_packageUrl: 'pkg:deb/debian/openssl@3.0',
          software_packageVersion: '3.0',
          creationInfo: {
            type: 'CreationInfo',
            '@id': '_:CreationInfo0',
            created: '2026-01-01T00:00:00Z',
            createdBy: [
              {
                type: 'SoftwareAgent',
                spdxId: 'urn:agent',
                creationInfo: '_:CreationInfo0',
                name: 'me',
              },
            ],
            specVersion: '3.0.1',
          },
          name: 'openssl',
        },
        { type: 'software_Package', spdxId: 'urn:q', creationInfo: '_:CreationInfo0', name: 'right' },
        { ...GPL, creationInfo: '_:CreationInfo0' },
        {
          type: 'Relationship',
          spdxId: 'urn:r',
          from: 'urn:p',
          relationshipType: 'hasDeclaredLicense',
          to: ['urn:l'],
          creationInfo: '_:CreationInfo0',
        },
      ],
      rootElement: ['urn:p'],
      creationInfo: '_:CreationInfo0',
    },
    'urn:p',
    'urn:q',
    'urn:l',
    'urn:r',
  ],
  rootElement: ['urn:b'],
  creationInfo: '_:CreationInfo0',
};

test('SPDX 3 may be one element, with all others within it', (t) => {
  const read = readSbom(WITHOUT_GRAPH);
  if (read.kind !== 'verified') throw new Error(JSON.stringify(read));
  t.is(read.value.format, 'SPDX 3.0.1');
  t.deepEqual(
    read.value.components.toSorted((one, other) => (one.name < other.name ? -1 : 1)),
    [
      { name: 'openssl', purl: 'pkg:deb/debian/openssl@3.0', licences: ['GPL-3.0-only'], untold: [] },
      { name: 'right', purl: '', licences: [] },
    ],
  );
  t.like(hasAllowedLicences(read.value, asked(['GPL-3.0-only'])), { reason: 'LicenceNotAllowed' });
});

test('what extensions say is their own, and very many elements within one are all read', (t) => {
  const element = Array.from({ length: 99_999 }, (_, number) => ({
    type: 'software_Package',
    spdxId: `urn:${number}`,
    name: 'a',
    extension: [{ type: 'https://other.example/Extension', anything: { is: 'there' } }],
  }));
  const read = readSbom(
    third({ ...SBOM, element: [...element, ...Array.from({ length: 200_000 }, () => 'urn:1')] }),
  );
  t.is(read.kind === 'verified' ? read.value.components.length : read.message, 99_999);
});
