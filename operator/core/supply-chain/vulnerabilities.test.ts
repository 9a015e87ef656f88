// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { Finding } from './finding.ts';
import { readVulnerabilities } from './vulnerabilities.ts';

const HIGH = 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N';
const LOW = 'CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N';
const WHEN = '2026-11-01T10:00:00+02:00';

function stated(result: unknown): Parameters<typeof readVulnerabilities>[0] {
  return { scanner: { uri: 'scanner', result }, metadata: { scanFinishedOn: WHEN } };
}

const trivy = (one: object): object => ({ SchemaVersion: 2, Results: [{ Vulnerabilities: [one] }] });

const reports: Readonly<
  Record<string, { readonly result: unknown; readonly want: readonly Partial<Finding>[] }>
> = {
  'Trivy: the worse of word and vector': {
    result: trivy({
      VulnerabilityID: 'CVE-1',
      Severity: 'LOW',
      CVSS: { nvd: { V3Vector: HIGH }, vendor: { V3Vector: LOW } },
    }),
    want: [{ ids: ['CVE-1'], severity: 'High', scoreTenths: 75 }],
  },
  'Trivy: the word where it is worse': {
    result: trivy({ VulnerabilityID: 'CVE-1', Severity: 'CRITICAL', CVSS: { nvd: { V3Vector: LOW } } }),
    want: [{ severity: 'Critical', scoreTenths: 18 }],
  },
  'Trivy: a stated number counts for nothing': {
    result: trivy({
      VulnerabilityID: 'CVE-1',
      Severity: 'UNKNOWN',
      CVSS: { nvd: { V3Score: 1, V3Vector: 'CVSS:3.1/AV:N' } },
    }),
    want: [{ severity: 'Unscored' }],
  },
  'Trivy: a stated number that is worse counts': {
    result: trivy({ VulnerabilityID: 'CVE-1', Severity: 'LOW', CVSS: { vendor: { V3Score: 9.8 } } }),
    want: [{ severity: 'Critical', scoreTenths: 98 }],
  },
  'Trivy: a stated number that is better does not': {
    result: trivy({
      VulnerabilityID: 'CVE-1',
      Severity: 'HIGH',
      CVSS: { nvd: { V3Score: 0.1, V3Vector: HIGH } },
    }),
    want: [{ severity: 'High', scoreTenths: 75 }],
  },
  'Trivy: nothing was found': { result: { SchemaVersion: 2 }, want: [] },
  'Grype: the CVE and its score are in what is related': {
    result: {
      matches: [
        {
          vulnerability: { id: 'GHSA-1', severity: 'Medium', cvss: [] },
          relatedVulnerabilities: [{ id: 'CVE-1', cvss: [{ version: '3.1', vector: HIGH }] }],
          artifact: { purl: 'pkg:npm/a@1' },
        },
      ],
    },
    want: [{ ids: ['GHSA-1', 'CVE-1'], purl: 'pkg:npm/a@1', severity: 'High', scoreTenths: 75 }],
  },
  'Grype: negligible is low, and unknown a class of its own': {
    result: {
      matches: ['Negligible', 'Unknown'].map((severity, index) => ({
        vulnerability: { id: `CVE-${index}`, severity },
      })),
    },
    want: [{ severity: 'Low' }, { severity: 'Unscored' }],
  },
  'Grype: the worst word of all that is related': {
    result: {
      matches: [
        {
          vulnerability: { id: 'GHSA-1', severity: 'Low' },
          relatedVulnerabilities: [{ id: 'CVE-1', severity: 'Critical' }],
        },
      ],
    },
    want: [{ severity: 'Critical' }],
  },
  'Grype: a stated number that is worse counts': {
    result: {
      matches: [{ vulnerability: { id: 'CVE-1', severity: 'Low', cvss: [{ metrics: { baseScore: 7.1 } }] } }],
    },
    want: [{ severity: 'High', scoreTenths: 71 }],
  },
  'in-toto: by a vector or a word': {
    result: [
      { id: 'CVE-1', severity: [{ method: 'CVSS_score', score: HIGH }] },
      { id: 'CVE-2', severity: [{ method: 'nvd', score: 'medium' }] },
    ],
    want: [{ severity: 'High' }, { severity: 'Medium' }],
  },
  'in-toto: the worst word, not the first': {
    result: [
      {
        id: 'CVE-1',
        severity: [
          { method: 'vendor', score: 'low' },
          { method: 'other', score: 'CRITICAL' },
        ],
      },
    ],
    want: [{ severity: 'Critical' }],
  },
  'in-toto: a number of CVSS, as a number and as a text': {
    result: [
      { id: 'CVE-1', severity: [{ method: 'cvss_score', score: 9.1 }] },
      { id: 'CVE-2', severity: [{ method: 'nvd', score: '7.5' }] },
    ],
    want: [
      { severity: 'Critical', scoreTenths: 91 },
      { severity: 'High', scoreTenths: 75 },
    ],
  },
  'in-toto: a number of something else is no score': {
    result: [{ id: 'CVE-1', severity: [{ method: 'epss', score: '9.7' }] }],
    want: [{ severity: 'Unscored' }],
  },
};

for (const [title, { result, want }] of Object.entries(reports)) {
  test(`a report is brought to one form: ${title}`, (t) => {
    const read = readVulnerabilities(stated(result));
    if (read.kind !== 'verified') throw new Error(JSON.stringify(read));
    t.is(read.value.scannedAt, '2026-11-01T08:00:00.000Z');
    t.is(read.value.findings.length, want.length);
    for (const [index, one] of want.entries()) t.like(read.value.findings[index], one);
  });
}

const refused: Readonly<Record<string, { readonly predicate: object; readonly want: string }>> = {
  'nothing says when': { predicate: { scanner: { result: trivy({}) } }, want: 'Malformed' },
  'a time that is none': {
    predicate: { scanner: { result: trivy({}) }, metadata: { scanFinishedOn: 'yesterday' } },
    want: 'Malformed',
  },
  'a form that is not read': { predicate: stated({ findings: [] }), want: 'Unsupported' },
  'no result': { predicate: stated(undefined), want: 'Unsupported' },
  'a finding without a name': { predicate: stated(trivy({ Severity: 'LOW' })), want: 'Malformed' },
  'more findings than are read': {
    predicate: stated({
      matches: Array.from({ length: 50_001 }, () => ({ vulnerability: { id: 'CVE-1' } })),
    }),
    want: 'TooLarge',
  },
};

for (const [title, { predicate, want }] of Object.entries(refused)) {
  test(`a report is not taken for a clean one: ${title}`, (t) => {
    t.like(readVulnerabilities(predicate as Parameters<typeof readVulnerabilities>[0]), {
      kind: 'refused',
      reason: want,
    });
  });
}
