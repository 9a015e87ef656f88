// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type BudgetCase, withinBudget } from './budget.ts';
import { exclusionsOf } from './exclusions.ts';
import type { Finding } from './finding.ts';

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
    isExcluded: exclusionsOf([], now),
    waivers: [],
    now,
    ...rest,
  };
}

const asked = (change: Partial<BudgetCase['asked']>): BudgetCase['asked'] => ({
  ...given().asked,
  ...change,
});
const excluding = (purl: string): BudgetCase['isExcluded'] =>
  exclusionsOf(
    [
      {
        by: 'analyst',
        assessments: [{ vulnerability: 'CVE-1', purls: [purl], excludes: true, place: 0 }],
      },
    ],
    now,
  );
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
    given: given({ isExcluded: excluding('pkg:npm/a@1') }),
    want: 'verified',
  },
  'excluded in another': {
    given: given({ isExcluded: excluding('pkg:npm/z@1') }),
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
