// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { A, at, document, IMAGE, oci, OTHER, read, says, statement } from './testing/vex.ts';
import { readVex } from './vex.ts';

const vex: Readonly<Record<string, { readonly document: object; readonly want: number }>> = {
  'not affected, with a reason, by two names': { document: { statements: [statement({})] }, want: 2 },
  'not affected, without a reason': {
    document: { statements: [statement({ justification: undefined })] },
    want: 0,
  },
  affected: { document: { statements: [statement({ status: 'affected' })] }, want: 0 },
  'under investigation': {
    document: { statements: [statement({ status: 'under_investigation' })] },
    want: 0,
  },
  'CycloneDX: not affected': {
    document: {
      vulnerabilities: [
        { id: 'CVE-1', analysis: { state: 'not_affected' }, affects: [{ ref: 'pkg:npm/a@1' }] },
      ],
    },
    want: 1,
  },
  'CycloneDX: in triage': {
    document: { vulnerabilities: [{ id: 'CVE-1', analysis: { state: 'in_triage' } }] },
    want: 0,
  },
  'nothing of the kind': { document: {}, want: 0 },
  'null, as some write what is empty': { document: { statements: null, vulnerabilities: null }, want: 0 },
};

for (const [title, { document, want }] of Object.entries(vex)) {
  test(`VEX excludes what it says with a reason, and nothing else: ${title}`, (t) => {
    t.is(read(document).filter(({ excludes }) => excludes).length, want);
  });
}

const of = (products: unknown, change: object = {}): object => ({
  statements: [statement({ vulnerability: 'CVE-1', products, ...change })],
});
const affects = (list: unknown, change: object = {}): object => ({
  vulnerabilities: [{ id: 'CVE-1', analysis: { state: 'not_affected' }, affects: list }],
  ...change,
});
/** What each document is of: the whole image, packages of it, or nothing. */
const scopes: Readonly<Record<string, { readonly document: object; readonly want: string }>> = {
  'no product': { document: of(undefined), want: 'image' },
  'an empty list of products': { document: of([]), want: 'image' },
  'this image, by its purl': { document: of([{ '@id': oci(IMAGE) }]), want: 'image' },
  'this image, by an identifier': {
    document: of([{ '@id': 'x', identifiers: { purl: oci(IMAGE) } }]),
    want: 'image',
  },
  'this image, by its hash': { document: of([{ hashes: { 'sha-256': 'a'.repeat(64) } }]), want: 'image' },
  'this image, as the first version wrote it': { document: of([`r.example/app@${IMAGE}`]), want: 'image' },
  'another image': { document: of([{ '@id': oci(OTHER) }]), want: 'nothing' },
  'another image, with a package of it': {
    document: of([{ '@id': oci(OTHER), subcomponents: [{ '@id': A }] }]),
    want: 'nothing',
  },
  'this image by one name, another by the other': {
    document: of([{ '@id': oci(IMAGE), identifiers: { purl: oci(OTHER) } }]),
    want: 'nothing',
  },
  'a digest that only begins as this one': {
    document: of([{ '@id': `r.example/app@${IMAGE}0` }]),
    want: 'nothing',
  },
  'an image that does not say which': { document: of([{ '@id': 'pkg:oci/app' }]), want: 'nothing' },
  'a product by a name of somebody': {
    document: of([{ '@id': 'https://shop.example/other' }]),
    want: 'nothing',
  },
  'a product that is a package': { document: of([{ '@id': A }]), want: A },
  'a package within another package': {
    document: of([{ '@id': 'pkg:npm/z@1', subcomponents: [{ '@id': A }] }]),
    want: 'nothing',
  },
  'a package of this image': {
    document: of([{ '@id': oci(IMAGE), subcomponents: [{ '@id': A }] }]),
    want: A,
  },
  'a package, as the first version wrote it': { document: of([oci(IMAGE)], { subcomponents: [A] }), want: A },
  'parts without a purl': {
    document: of([{ '@id': oci(IMAGE), subcomponents: [{ name: 'a' }] }]),
    want: 'nothing',
  },
  'a package, where the product has an empty list of its own': {
    document: of([{ '@id': oci(IMAGE), subcomponents: [] }], { subcomponents: [A] }),
    want: A,
  },
  'parts that are no list': { document: of([{ '@id': oci(IMAGE), subcomponents: A }]), want: 'nothing' },
  'products that are no list': { document: of(A), want: 'nothing' },
  'a product without a name': { document: of([{}]), want: 'nothing' },
  'CycloneDX: nothing named': { document: affects(undefined), want: 'image' },
  'CycloneDX: something without a name': { document: affects([{}]), want: 'nothing' },
  'CycloneDX: a reference that leads nowhere': {
    document: affects([{ ref: 'component-1' }]),
    want: 'nothing',
  },
  'CycloneDX: a reference to a component': {
    document: affects([{ ref: 'component-1' }], { components: [{ 'bom-ref': 'component-1', purl: A }] }),
    want: A,
  },
  'CycloneDX: a reference to what the document is of': {
    document: affects([{ ref: 'root' }], {
      metadata: { component: { 'bom-ref': 'root', purl: oci(IMAGE) } },
    }),
    want: 'image',
  },
  'CycloneDX: a reference to another image': {
    document: affects([{ ref: 'root' }], {
      metadata: { component: { 'bom-ref': 'root', purl: oci(OTHER) } },
    }),
    want: 'nothing',
  },
};

const OPEN_IN = { statements: 'affected', vulnerabilities: 'exploitable' } as const;

function kindOf(document: object): keyof typeof OPEN_IN {
  return 'statements' in document ? 'statements' : 'vulnerabilities';
}

for (const [title, { document, want }] of Object.entries(scopes)) {
  test(`VEX is of what it names: ${title}`, (t) => {
    const found = read(document).flatMap(({ purls }) => (purls.length === 0 ? ['image'] : purls));
    t.is(found.join(' ') || 'nothing', want);
  });
}

/** What nobody can hold against one finding alone: it excuses nothing, and takes back what was said of any. */
const UNREAD = new Set([
  'a digest that only begins as this one',
  'an image that does not say which',
  'a product by a name of somebody',
  'parts without a purl',
  'parts that are no list',
  'products that are no list',
  'a product without a name',
  'CycloneDX: something without a name',
  'CycloneDX: a reference that leads nowhere',
]);
/** What names this image, or a package, and something else besides. */
const NARROWER: Readonly<Record<string, string>> = {
  'this image by one name, another by the other': 'image',
  'a package within another package': `pkg:npm/z@1 ${A}`,
};

for (const [title, { document, want }] of Object.entries(scopes)) {
  test(`what takes back is of all that it may be of: ${title}`, (t) => {
    const open = JSON.parse(JSON.stringify(document).replaceAll('not_affected', OPEN_IN[kindOf(document)]));
    const found = read(open as object).flatMap(({ purls }) => (purls.length === 0 ? ['image'] : purls));
    t.is(found.join(' ') || 'nothing', UNREAD.has(title) ? 'image' : (NARROWER[title] ?? want));
    t.true(read(open as object).every(({ excludes }) => !excludes));
  });
}

test('a document of more than is read says nothing, rather than what is at its beginning', (t) => {
  const many = Array.from({ length: 50_000 }, () => says('not_affected'));
  t.is(read(document(at(1), ...many)).length, 50_000);
  t.like(readVex(document(at(1), ...many, says('affected')) as Parameters<typeof readVex>[0], IMAGE), {
    kind: 'refused',
    reason: 'TooLarge',
  });
});

for (const field of ['statements', 'vulnerabilities']) {
  test(`a document says nothing, rather than what is not seen of it: ${field} that are no list`, (t) => {
    t.like(readVex({ [field]: { 0: says('affected') } }, IMAGE), { kind: 'refused', reason: 'Malformed' });
  });
}

test('what is taken back by an address is heard by a name that has a colon', (t) => {
  for (const address of [
    'https://x.example/errata/RHSA-2024:1234',
    'https://x.example/errata/RHSA-2024%3A1234',
  ]) {
    const said = read(document(at(1), says('affected', { vulnerability: { '@id': address } })));
    t.true(
      said.some(({ vulnerability }) => vulnerability === 'RHSA-2024:1234'),
      address,
    );
  }
});
