// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type AssessedBy, exclusionsOf } from './exclusions.ts';
import type { Finding } from './finding.ts';
import { type Assessment, readVex } from './vex.ts';

const IMAGE = `sha256:${'a'.repeat(64)}`;
const OTHER = `sha256:${'b'.repeat(64)}`;

function read(document: object): readonly Assessment[] {
  const judged = readVex(document as Parameters<typeof readVex>[0], IMAGE);
  if (judged.kind !== 'verified') throw new Error(judged.message);
  return judged.value;
}

const statement = (change: object): object => ({
  vulnerability: { name: 'CVE-1', aliases: ['GHSA-1'] },
  products: [{ '@id': 'x', subcomponents: [{ '@id': 'pkg:npm/a@1' }] }],
  status: 'not_affected',
  justification: 'component_not_present',
  ...change,
});

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
  'nothing of the kind': { document: { statements: 'none' }, want: 0 },
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
const A = 'pkg:npm/a@1';
const oci = (digest: string): string =>
  `pkg:oci/app@${digest.replace(':', '%3A')}?repository_url=r.example/app`;

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

for (const [title, { document, want }] of Object.entries(scopes)) {
  test(`VEX is of what it names: ${title}`, (t) => {
    const found = read(document).flatMap(({ purls }) => (purls.length === 0 ? ['image'] : purls));
    t.is(found.join(' ') || 'nothing', want);
  });
}

const FOUND: Finding = { ids: ['GHSA-1', 'CVE-1'], purl: A, severity: 'Critical' };
const at = (day: number): string => `2026-01-0${day}T00:00:00Z`;
const says = (status: string, change: object = {}): object =>
  statement({ vulnerability: { name: 'CVE-1' }, products: [{ '@id': A }], status, ...change });
const document = (timestamp: string | undefined, ...statements: readonly object[]): object => ({
  timestamp,
  statements,
});
const bom = (timestamp: string | undefined, state: string, analysis: object = {}): object => ({
  metadata: { timestamp },
  vulnerabilities: [{ id: 'CVE-1', analysis: { state, ...analysis } }],
});

/** Documents, each by whom, and whether what they say takes the finding out of the budget. */
const sequences: Readonly<
  Record<string, { readonly said: readonly (readonly [string, object])[]; readonly excluded: boolean }>
> = {
  'taken back later': {
    said: [
      ['a', document(at(1), says('not_affected'))],
      ['a', document(at(2), says('affected'))],
    ],
    excluded: false,
  },
  'taken back by another name of it, for the whole image': {
    said: [
      ['a', document(at(1), says('not_affected'))],
      [
        'a',
        document(at(2), says('under_investigation', { vulnerability: { name: 'GHSA-1' }, products: [] })),
      ],
    ],
    excluded: false,
  },
  'looked into first': {
    said: [
      ['a', document(at(2), says('not_affected'))],
      ['a', document(at(1), says('under_investigation'))],
    ],
    excluded: true,
  },
  'taken back in another package': {
    said: [
      ['a', document(at(1), says('not_affected'))],
      ['a', document(at(2), says('affected', { products: [{ '@id': 'pkg:npm/z@1' }] }))],
    ],
    excluded: true,
  },
  'taken back by somebody else': {
    said: [
      ['a', document(at(1), says('not_affected'))],
      ['b', document(at(2), says('affected'))],
    ],
    excluded: true,
  },
  'in one document, by the time of each': {
    said: [['a', document(at(3), says('affected'), says('not_affected', { timestamp: at(1) }))]],
    excluded: false,
  },
  'in one document, by what was brought up to date': {
    said: [
      [
        'a',
        document(
          at(3),
          says('affected', { timestamp: at(1) }),
          says('fixed', { timestamp: at(1), last_updated: at(2) }),
        ),
      ],
    ],
    excluded: true,
  },
  'in one document of one time, the last': {
    said: [['a', document(at(1), says('under_investigation'), says('fixed'))]],
    excluded: true,
  },
  'in one document of one time, taken back at last': {
    said: [['a', document(at(1), says('fixed'), says('affected'))]],
    excluded: false,
  },
  'in two documents of one time, in either order': {
    said: [
      ['a', document(at(1), says('affected'))],
      ['a', document(at(1), says('affected'), says('fixed'))],
    ],
    excluded: false,
  },
  'taken back, and nothing tells when': {
    said: [
      ['a', document(undefined, says('affected'))],
      ['a', document(at(2), says('not_affected'))],
    ],
    excluded: false,
  },
  'not affected, and nothing tells when': {
    said: [['a', document(undefined, says('not_affected'))]],
    excluded: true,
  },
  'without a reason, which is not said': {
    said: [
      ['a', document(at(1), says('affected'))],
      ['a', document(at(2), says('not_affected', { justification: undefined }))],
    ],
    excluded: false,
  },
  'a word that nobody knows takes nothing back': {
    said: [
      ['a', document(at(1), says('not_affected'))],
      ['a', document(at(2), says('perhaps'))],
    ],
    excluded: true,
  },
  'CycloneDX: found to be exploitable later': {
    said: [
      ['a', bom(at(1), 'not_affected')],
      ['a', bom(at(2), 'exploitable')],
    ],
    excluded: false,
  },
  'CycloneDX: exploitable later, and first issued before': {
    said: [
      ['a', bom(at(2), 'not_affected', { firstIssued: at(1), lastUpdated: at(2) })],
      ['a', bom(at(3), 'exploitable', { firstIssued: at(1) })],
    ],
    excluded: false,
  },
  'CycloneDX: by when the analysis was brought up to date': {
    said: [
      ['a', bom(at(1), 'in_triage', { firstIssued: at(1), lastUpdated: at(4) })],
      ['a', bom(at(3), 'not_affected')],
    ],
    excluded: false,
  },
  'CycloneDX: in triage first, and OpenVEX after': {
    said: [
      ['a', bom(at(1), 'in_triage')],
      ['a', document(at(2), says('not_affected'))],
    ],
    excluded: true,
  },
};

for (const [title, { said, excluded }] of Object.entries(sequences)) {
  test(`what an authority said last counts: ${title}`, (t) => {
    const documents = said.map(([by, one]): AssessedBy => ({ by, assessments: read(one) }));
    t.is(exclusionsOf(documents)(FOUND), excluded);
    t.is(exclusionsOf(documents.toReversed())(FOUND), excluded, 'whatever the order they come in');
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
