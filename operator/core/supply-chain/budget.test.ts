// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type BudgetCase, withinBudget } from './budget.ts';
import type { Finding } from './finding.ts';
import { readVex } from './vex.ts';

const now = new Date('2026-11-10T00:00:00Z');
const critical: Finding = {
  ids: ['GHSA-1', 'CVE-1'],
  purl: 'pkg:npm/a@1',
  severity: 'Critical',
  scoreTenths: 98,
};
const high: Finding = { ids: ['CVE-2'], purl: 'pkg:npm/b@1', severity: 'High', scoreTenths: 75 };
const unscored: Finding = { ids: ['CVE-3'], purl: '', severity: 'Unscored' };

function given(change: Partial<BudgetCase> & { readonly findings?: readonly Finding[] } = {}): BudgetCase {
  const { findings = [critical], ...rest } = change;
  return {
    report: { scanner: 's', scannedAt: '2026-11-09T00:00:00Z', findings },
    asked: { from: [], threshold: 1, maxAgeSeconds: 172_800, budget: { Critical: 0 }, vexFrom: [] },
    exclusions: [],
    waivers: [],
    now,
    ...rest,
  };
}

const asked = (change: Partial<BudgetCase['asked']>): BudgetCase['asked'] => ({
  ...given().asked,
  ...change,
});
const waiver = { name: 'w', vulnerability: 'CVE-1', expires: '2026-11-11T00:00:00Z' };
const report = (scannedAt: string): BudgetCase['report'] => ({ scanner: 's', scannedAt, findings: [] });

const cases: Readonly<Record<string, { readonly given: BudgetCase; readonly want: string }>> = {
  'one too many': { given: given(), want: 'OverBudget' },
  'as many as are allowed': { given: given({ asked: asked({ budget: { Critical: 1 } }) }), want: 'verified' },
  'a severity that is not limited': { given: given({ findings: [high] }), want: 'verified' },
  'a score above the highest': {
    given: given({ findings: [high], asked: asked({ maxScoreTenths: 74 }) }),
    want: 'OverBudget',
  },
  'the highest score itself': {
    given: given({ findings: [high], asked: asked({ maxScoreTenths: 75 }) }),
    want: 'verified',
  },
  'called high without a score, where that may be above': {
    given: given({ findings: [{ ...unscored, severity: 'High' }], asked: asked({ maxScoreTenths: 88 }) }),
    want: 'OverBudget',
  },
  'called high without a score, where that cannot be above': {
    given: given({ findings: [{ ...unscored, severity: 'High' }], asked: asked({ maxScoreTenths: 89 }) }),
    want: 'verified',
  },
  'one that nobody has scored, which may be any': {
    given: given({ findings: [unscored], asked: asked({ maxScoreTenths: 99 }) }),
    want: 'OverBudget',
  },
  'one that nobody has scored, of which one may be': {
    given: given({
      findings: [unscored],
      asked: asked({ budget: { Unscored: 1 }, maxScoreTenths: 70 }),
    }),
    want: 'verified',
  },
  'one without score, of which none may be': {
    given: given({ findings: [unscored], asked: asked({ budget: { Unscored: 0 } }) }),
    want: 'OverBudget',
  },
  'waived by another of its names': { given: given({ waivers: [waiver] }), want: 'verified' },
  'waived from tomorrow on': {
    given: given({ waivers: [{ ...waiver, notBefore: '2026-11-10T12:00:00Z' }] }),
    want: 'OverBudget',
  },
  'waived up to this moment': {
    given: given({ waivers: [{ ...waiver, expires: now.toISOString() }] }),
    want: 'WaiverExpired',
  },
  'an expired waiver that would not have sufficed': {
    given: given({
      findings: [critical, { ...critical, ids: ['CVE-9'] }],
      waivers: [{ ...waiver, expires: now.toISOString() }],
    }),
    want: 'OverBudget',
  },
  'waived below its score': {
    given: given({ waivers: [{ ...waiver, maxScoreTenths: 97 }] }),
    want: 'OverBudget',
  },
  'no score, waived up to a score': {
    given: given({
      findings: [unscored],
      asked: asked({ budget: { Unscored: 0 } }),
      waivers: [{ ...waiver, vulnerability: 'CVE-3', maxScoreTenths: 70 }],
    }),
    want: 'OverBudget',
  },
  'excluded in this package': {
    given: given({ exclusions: [{ vulnerability: 'CVE-1', purls: ['pkg:npm/a@1'] }] }),
    want: 'verified',
  },
  'excluded in another': {
    given: given({ exclusions: [{ vulnerability: 'CVE-1', purls: ['pkg:npm/z@1'] }] }),
    want: 'OverBudget',
  },
  'as old as it may be': { given: given({ report: report('2026-11-08T00:00:00Z') }), want: 'ReportTooOld' },
  'of tomorrow': { given: given({ report: report('2026-11-11T00:00:00Z') }), want: 'ReportTooOld' },
};

for (const [title, { given: what, want }] of Object.entries(cases)) {
  test(`budget: ${title}`, (t) => {
    const judged = withinBudget(what);
    const found: string = judged.kind === 'refused' ? judged.reason : judged.kind;
    t.is(found, want, JSON.stringify(judged));
  });
}

test('an outcome tells until when it holds: the report, or a waiver that was needed', (t) => {
  const plain = withinBudget(given({ findings: [high], waivers: [waiver] }));
  t.like(plain, { value: { validUntil: '2026-11-11T00:00:00.000Z', waived: 0 } });
  const soon = { ...waiver, expires: '2026-11-10T01:00:00Z' };
  t.like(withinBudget(given({ waivers: [soon] })), {
    value: { validUntil: '2026-11-10T01:00:00.000Z', waived: 1 },
  });
});

const IMAGE = `sha256:${'a'.repeat(64)}`;
const OTHER = `sha256:${'b'.repeat(64)}`;

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
    t.is(readVex(document as Parameters<typeof readVex>[0], IMAGE).length, want);
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
    const read = readVex(document as Parameters<typeof readVex>[0], IMAGE);
    const found = read.flatMap(({ purls }) => (purls.length === 0 ? ['image'] : purls));
    t.is(found.join(' ') || 'nothing', want);
  });
}
