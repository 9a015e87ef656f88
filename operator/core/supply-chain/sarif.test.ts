// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { Finding } from './finding.ts';
import { readVulnerabilities } from './vulnerabilities.ts';

const stated = (result: unknown): Parameters<typeof readVulnerabilities>[0] => ({
  scanner: { uri: 'scanner', result },
  metadata: { scanFinishedOn: '2026-11-01T08:00:00Z' },
});

const sarif = (score: unknown, own?: object): object => ({
  runs: [
    {
      tool: { driver: { rules: [{ id: 'CVE-1', properties: { 'security-severity': score } }] } },
      results: [{ ruleId: 'CVE-1', ...own }],
    },
  ],
});

/** As Grype writes it (0.121): a rule for each package, by a name of its own, in the words of the first that was found. */
const grype = (score: string, level: string, id = 'CVE-2026-0001'): object => ({
  version: '2.1.0',
  runs: [
    {
      tool: {
        driver: {
          name: 'grype',
          version: '0.121.2',
          informationUri: 'https://github.com/anchore/grype',
          rules: [
            {
              id: `${id}-right-pad`,
              name: 'JavascriptMatcherExactDirectMatch',
              shortDescription: { text: `${id} low vulnerability for right-pad package` },
              properties: { purls: ['pkg:npm/right-pad@1.0.0'], 'security-severity': score },
            },
          ],
        },
      },
      results: [
        {
          ruleId: `${id}-right-pad`,
          level,
          message: { text: 'A low vulnerability in npm package: right-pad, version 2.0.0 was found' },
          locations: [{ physicalLocation: { artifactLocation: { uri: 'app/package.json' } } }],
        },
      ],
    },
  ],
});

/** As Trivy writes it (0.6x): the rule is of a vulnerability in all packages, and is that of the last that was found. */
const trivy = (score: string, word: string, level: string): object => ({
  version: '2.1.0',
  runs: [
    {
      tool: {
        driver: {
          fullName: 'Trivy Vulnerability Scanner',
          name: 'Trivy',
          rules: [
            {
              id: 'CVE-2026-0001',
              name: 'OsPackageVulnerability',
              defaultConfiguration: { level: 'note' },
              properties: {
                precision: 'very-high',
                'security-severity': score,
                tags: ['vulnerability', 'security', word],
              },
            },
          ],
        },
      },
      results: [{ ruleId: 'CVE-2026-0001', ruleIndex: 0, level, message: { text: 'Package: right' } }],
    },
  ],
});

const byPlace = (rule: object): object => ({
  runs: [
    {
      tool: {
        driver: { rules: [{ id: 'CVE-1', properties: { 'security-severity': '1.0' } }] },
        extensions: [{ rules: [{ id: 'CVE-2', properties: { 'security-severity': '9.8' } }] }],
      },
      results: [{ rule }],
    },
  ],
});

/** What is said of a finding; undefined: nothing is. */
type Wanted = { readonly [Field in keyof Finding]?: Finding[Field] | undefined };

const reports: Readonly<Record<string, { readonly result: unknown; readonly want: readonly Wanted[] }>> = {
  'by the score of the rule': {
    result: sarif('9.8'),
    want: [{ ids: ['CVE-1'], severity: 'Critical', scoreTenths: 98 }],
  },
  'a score that is a number': {
    result: sarif(9.8),
    want: [{ ids: ['CVE-1'], severity: 'Critical', scoreTenths: 98 }],
  },
  'the result tells of a worse one': {
    result: sarif('2.0', { properties: { 'security-severity': '9.1' } }),
    want: [{ severity: 'Critical', scoreTenths: 91 }],
  },
  'a rule that is told twice, and a better one last': {
    result: {
      runs: [
        {
          tool: {
            driver: { rules: [{ id: 'CVE-1', properties: { 'security-severity': '9.8' } }] },
            extensions: [{ rules: [{ id: 'CVE-1', properties: { 'security-severity': '1.0' } }] }],
          },
          results: [{ ruleId: 'CVE-1' }],
        },
      ],
    },
    want: [{ severity: 'Critical', scoreTenths: 98 }],
  },
  'a rule by its place': {
    result: sarif('9.8', { ruleId: undefined, ruleIndex: 0 }),
    want: [{ ids: ['CVE-1'], severity: 'Critical' }],
  },
  'a score of blanks is none': { result: sarif(' '), want: [{ severity: 'Unscored' }] },
  'a score in another base is none': { result: sarif('0x1'), want: [{ severity: 'Unscored' }] },
  'no score that is one': { result: sarif('99'), want: [{ severity: 'Unscored' }] },
  'no score, as Trivy writes it': {
    result: trivy('0.0', 'UNKNOWN', 'note'),
    want: [{ severity: 'Unscored', scoreTenths: undefined }],
  },
  'no score, as Grype writes it': {
    result: grype('0.0', 'note'),
    want: [{ severity: 'Unscored', scoreTenths: undefined }],
  },
  'Trivy: the word of the vendor, where it is worse than the score': {
    result: trivy('5.3', 'CRITICAL', 'error'),
    want: [{ ids: ['CVE-2026-0001'], severity: 'Critical', scoreTenths: 53 }],
  },
  'Trivy: low in the last package, and high in this one': {
    result: trivy('2.0', 'LOW', 'error'),
    want: [{ severity: 'High', scoreTenths: 20 }],
  },
  'Grype: by the vulnerability, and in no package: its rule is of the first that was found': {
    result: grype('7.5', 'error'),
    want: [
      { ids: ['CVE-2026-0001-right-pad', 'CVE-2026-0001'], purl: '', severity: 'High', scoreTenths: 75 },
    ],
  },
  'Grype: an advisory': {
    result: grype('7.5', 'error', 'GHSA-2qrg-x229-3v8q'),
    want: [{ ids: ['GHSA-2qrg-x229-3v8q-right-pad', 'GHSA-2qrg-x229-3v8q'] }],
  },
  'Grype: high by the word, medium by the score': {
    result: grype('5.3', 'error'),
    want: [{ severity: 'High', scoreTenths: 53 }],
  },
  'an error that nobody has scored': {
    result: sarif(undefined, { level: 'error' }),
    want: [{ severity: 'Unscored' }],
  },
  'a level that is told of the rule': {
    result: {
      runs: [
        {
          tool: {
            driver: {
              rules: [
                {
                  id: 'CVE-1',
                  defaultConfiguration: { level: 'error' },
                  properties: { 'security-severity': '3.0' },
                },
              ],
            },
          },
          results: [{ ruleId: 'CVE-1' }],
        },
      ],
    },
    want: [{ severity: 'High' }],
  },
  'a rule by its place in an extension': {
    result: byPlace({ index: 0, toolComponent: { index: 0 } }),
    want: [{ ids: ['CVE-2'], severity: 'Critical' }],
  },
  'a rule by its place in the tool itself': {
    result: byPlace({ index: 0 }),
    want: [{ ids: ['CVE-1'], severity: 'Low' }],
  },
  'more than the id of the rule, behind a slash': {
    result: sarif('9.8', { ruleId: 'CVE-1/openssl/3.0' }),
    want: [{ ids: ['CVE-1/openssl/3.0', 'CVE-1'], severity: 'Critical', scoreTenths: 98 }],
  },
  'the same, with the place of the rule': {
    result: sarif('9.8', { ruleId: 'CVE-1/openssl', ruleIndex: 0 }),
    want: [{ ids: ['CVE-1/openssl', 'CVE-1'], severity: 'Critical' }],
  },
  'a name that only begins like that of a rule': {
    result: sarif('9.8', { ruleId: 'CVE-10' }),
    want: [{ ids: ['CVE-10'], severity: 'Unscored' }],
  },
  'a rule by its place that has another name: its number counts, its name excuses nobody': {
    result: sarif('9.8', { ruleId: 'CVE-7', ruleIndex: 0 }),
    want: [{ ids: ['CVE-7'], severity: 'Critical', scoreTenths: 98 }],
  },
  'an id of thousands of parts': {
    result: sarif('9.8', { ruleId: `CVE-1${'/x'.repeat(5000)}` }),
    want: [{ severity: 'Critical' }],
  },
  'what is suppressed counts': {
    result: sarif('9.8', { suppressions: [{ kind: 'external', status: 'accepted' }] }),
    want: [{ severity: 'Critical' }],
  },
  'what was looked for and is not there': { result: sarif('9.8', { kind: 'pass' }), want: [] },
  'what does not apply': { result: sarif('9.8', { kind: 'notApplicable' }), want: [] },
  'what is there no more': { result: sarif('9.8', { baselineState: 'absent' }), want: [] },
  'what is there as before': {
    result: sarif('9.8', { baselineState: 'unchanged', kind: 'fail' }),
    want: [{ severity: 'Critical' }],
  },
};

for (const [title, { result, want }] of Object.entries(reports)) {
  test(`a report in SARIF is brought to one form: ${title}`, (t) => {
    const read = readVulnerabilities(stated(result));
    if (read.kind !== 'verified') throw new Error(JSON.stringify(read));
    t.is(read.value.findings.length, want.length);
    for (const [index, one] of want.entries()) {
      for (const [field, value] of Object.entries(one)) {
        t.deepEqual(read.value.findings[index]?.[field as keyof Finding], value, field);
      }
    }
  });
}

const [run] = (trivy('9.8', 'CRITICAL', 'error') as { readonly runs: readonly object[] }).runs;

const ELSEWHERE = { location: { uri: 'results.sarif' }, guid: '00000000-0000-4000-8000-000000000000' };

const refused: Readonly<Record<string, { readonly result: unknown; readonly says: RegExp }>> = {
  'no run': { result: { runs: [] }, says: /has no runs/ },
  'a run without results': {
    result: { runs: [{ ...run, results: undefined }] },
    says: /run of "Trivy" without results/,
  },
  'a run of which nobody has results': {
    result: { runs: [{ ...run, results: null }] },
    says: /without results/,
  },
  'a run that failed': {
    result: { runs: [{ ...run, results: [], invocations: [{ executionSuccessful: false }] }] },
    says: /"Trivy" failed/,
  },
  'a second run without results': { result: { runs: [run, { tool: {} }] }, says: /without results/ },
  'a run whose results are in a file beside it': {
    result: { runs: [{ ...run, results: [], externalPropertyFileReferences: { results: [ELSEWHERE] } }] },
    says: /run of "Trivy" with results in files beside it/,
  },
  'a run with more results in a file beside it': {
    result: { runs: [{ ...run, externalPropertyFileReferences: { results: [ELSEWHERE] } }] },
    says: /with results in files beside it/,
  },
  'a run whose rules are in a file beside it': {
    result: { runs: [{ ...run, externalPropertyFileReferences: { driver: ELSEWHERE } }] },
    says: /with driver in files beside it/,
  },
  'results at the end of the log': {
    result: {
      runs: [{ ...run, results: [] }],
      inlineExternalProperties: [{ artifacts: [{}] }, { guid: ELSEWHERE.guid, results: [{}] }],
    },
    says: /has results outside of its runs/,
  },
  'whether it failed, at the end of the log': {
    result: { runs: [run], inlineExternalProperties: [{ invocations: [{ executionSuccessful: false }] }] },
    says: /has invocations outside of its runs/,
  },
  'SARIF and Grype': {
    result: { matches: [], runs: [run] },
    says: /has matches and runs, and can be of one form only/,
  },
  'Grype and Trivy': {
    result: { matches: [], SchemaVersion: 2, Results: [{ Vulnerabilities: [] }] },
    says: /has matches and Results, and can be of one form only/,
  },
  'SARIF and Trivy, whatever is in it': {
    result: { runs: [run], SchemaVersion: null },
    says: /has runs and SchemaVersion, and can be of one form only/,
  },
  'a place in a tool that is not there': {
    result: byPlace({ index: 0, toolComponent: { index: 7 } }),
    says: /has no id/,
  },
  'a tool that is only named': {
    result: byPlace({ index: 0, toolComponent: { name: 'other' } }),
    says: /has no id/,
  },
};

for (const [title, { result, says }] of Object.entries(refused)) {
  test(`a report in SARIF is not taken for a clean one: ${title}`, (t) => {
    const read = readVulnerabilities(stated(result));
    t.like(read, { kind: 'refused', reason: 'Malformed' });
    t.regex(read.kind === 'refused' ? read.message : '', says);
  });
}

test('a scan that came to its end and found nothing is clean', (t) => {
  const beside = { results: [], artifacts: [ELSEWHERE] };
  const invocations = [{ executionSuccessful: true }];
  const clean = {
    runs: [{ ...run, results: [], invocations, externalPropertyFileReferences: beside }],
    inlineExternalProperties: [{ results: [], addresses: [{}] }],
  };
  t.like(readVulnerabilities(stated(clean)), { kind: 'verified', value: { findings: [] } });
});
