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
const licensed = (to: unknown, more: object = {}) => ({
  type: 'Relationship',
  relationshipType: 'hasDeclaredLicense',
  from: 'urn:a',
  to,
  ...more,
});

const invalid: Readonly<Record<string, { readonly predicate: Predicate; readonly message: RegExp }>> = {
  'a package that is none': { predicate: second('a'), message: /packages\[0\] .*is no object/ },
  'an element that is none': { predicate: third(PACKAGE, 'urn:b'), message: /@graph\[1\] .*is no object/ },
  'a licence of nothing': {
    predicate: third(PACKAGE, licensed(['urn:l'], { from: undefined })),
    message: /@graph\[1\] .*not from an element/,
  },
  'a licence that is nothing': {
    predicate: third(PACKAGE, licensed([7])),
    message: /@graph\[1\] .*leads to no element/,
  },
};

for (const [title, { predicate, message }] of Object.entries(invalid)) {
  test(`SPDX that would be read as less than it says is refused, with the place: ${title}`, (t) => {
    const read = readSbom(predicate);
    t.like(read, { kind: 'refused', reason: 'SbomInvalid' });
    t.regex(read.kind === 'refused' ? read.message : '', message);
  });
}

const GPL = { spdxId: 'urn:l', simplelicensing_licenseExpression: 'GPL-3.0-only' };
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

for (const unsaid of ['NOASSERTION', 'NONE']) {
  test(`in SPDX 3 it may be said that nothing is said: ${unsaid}`, (t) => {
    const expression = { spdxId: 'urn:l', simplelicensing_licenseExpression: unsaid };
    const name = unsaid === 'NONE' ? 'NoneLicense' : 'NoAssertionLicense';
    const individual = `https://spdx.org/rdf/3.0.1/terms/ExpandedLicensing/${name}`;
    for (const to of [['urn:l'], [individual], [`expandedlicensing_${name}`]]) {
      const read = readSbom(third(PACKAGE, expression, licensed(to)));
      t.like(read, { kind: 'verified', value: { components: [{ name: 'a', licences: [] }] } });
      if (read.kind === 'verified') t.is(hasAllowedLicences(read.value, asked(['MIT'])).kind, 'verified');
    }
  });
}
