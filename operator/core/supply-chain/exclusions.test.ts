// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type AssessedBy, exclusionsOf } from './exclusions.ts';
import type { Finding } from './finding.ts';
import { A, at, document, IMAGE, oci, OTHER, read, says } from './testing/vex.ts';

const FOUND: Finding = { ids: ['GHSA-1', 'CVE-1'], purl: A, severity: 'Critical' };
const NOW = new Date('2026-01-09T00:00:00Z');
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
  'taken back of the image by its tag': {
    said: [
      ['a', document(at(1), says('not_affected', { products: [{ '@id': oci(IMAGE) }] }))],
      ['a', document(at(2), says('affected', { products: [{ '@id': 'pkg:oci/app?tag=1.0' }] }))],
    ],
    excluded: false,
  },
  'taken back of the image by its name alone': {
    said: [
      ['a', document(at(1), says('not_affected', { products: [{ '@id': oci(IMAGE) }] }))],
      ['a', document(at(2), says('under_investigation', { products: [{ '@id': 'app:1.0' }] }))],
    ],
    excluded: false,
  },
  'taken back of another image, by its digest': {
    said: [
      ['a', document(at(1), says('not_affected', { products: [{ '@id': oci(IMAGE) }] }))],
      ['a', document(at(2), says('affected', { products: [{ '@id': oci(OTHER) }] }))],
    ],
    excluded: true,
  },
  'taken back in a part that has no version': {
    said: [
      ['a', document(at(1), says('not_affected'))],
      [
        'a',
        document(
          at(2),
          says('affected', {
            products: [
              { '@id': oci(IMAGE), subcomponents: [{ '@id': 'pkg:npm/z@1' }, { '@id': 'pkg:npm/a' }] },
            ],
          }),
        ),
      ],
    ],
    excluded: false,
  },
  'taken back by the address of the vulnerability': {
    said: [
      ['a', document(at(1), says('not_affected'))],
      [
        'a',
        document(at(2), says('affected', { vulnerability: { '@id': 'https://cve.example/id/CVE-1?x=1' } })),
      ],
    ],
    excluded: false,
  },
  'taken back by an address that has the name in a question': {
    said: [
      ['a', document(at(1), says('not_affected'))],
      [
        'a',
        document(at(2), says('affected', { vulnerability: { '@id': 'https://x.example/c.cgi?name=CVE-1' } })),
      ],
    ],
    excluded: false,
  },
  'taken back by an address that has the name as a place in a page': {
    said: [
      ['a', document(at(1), says('not_affected'))],
      ['a', document(at(2), says('affected', { vulnerability: { '@id': 'https://x.example/adv#CVE-1' } }))],
    ],
    excluded: false,
  },
  'taken back with blanks around the name': {
    said: [
      ['a', document(at(1), says('not_affected'))],
      ['a', document(at(2), says('affected', { vulnerability: { name: ' CVE-1 ' } }))],
    ],
    excluded: false,
  },
  'taken back by an alias that is in no list': {
    said: [
      ['a', document(at(1), says('not_affected'))],
      ['a', document(at(2), says('affected', { vulnerability: { name: 'X-1', aliases: 'CVE-1' } }))],
    ],
    excluded: false,
  },
  'another one is taken back, by an address that ends in a slash': {
    said: [
      ['a', document(at(1), says('not_affected'))],
      ['a', document(at(2), says('affected', { vulnerability: { '@id': 'https://x.example/CVE-99/' } }))],
    ],
    excluded: true,
  },
  'taken back in a package, by a part of it': {
    said: [
      ['a', document(at(1), says('not_affected'))],
      [
        'a',
        document(
          at(2),
          says('affected', { products: [{ '@id': A, subcomponents: [{ '@id': 'pkg:npm/z@1' }] }] }),
        ),
      ],
    ],
    excluded: false,
  },
  'taken back by its id alone': {
    said: [
      ['a', document(at(1), says('not_affected'))],
      ['a', document(at(2), says('affected', { vulnerability: { '@id': 'CVE-1' } }))],
    ],
    excluded: false,
  },
  'taken back in other letters': {
    said: [
      ['a', document(at(1), says('not_affected'))],
      ['a', document(at(2), says('affected', { vulnerability: { name: 'cve-1' } }))],
    ],
    excluded: false,
  },
  'not affected in other letters, which is another name': {
    said: [['a', document(at(1), says('not_affected', { vulnerability: { name: 'cve-1' } }))]],
    excluded: false,
  },
  'taken back by the address of a file': {
    said: [
      ['a', document(at(1), says('not_affected'))],
      [
        'a',
        document(at(2), says('affected', { vulnerability: { '@id': 'https://x.example/cve/CVE-1.html' } })),
      ],
    ],
    excluded: false,
  },
  'taken back by a name that is blank': {
    said: [
      ['a', document(at(1), says('not_affected'))],
      ['a', document(at(2), says('affected', { vulnerability: { name: ' ' } }))],
    ],
    excluded: false,
  },
  'taken back by one of several names in a text': {
    said: [
      ['a', document(at(1), says('not_affected'))],
      ['a', document(at(2), says('affected', { vulnerability: { name: 'CVE-9, CVE-1' } }))],
    ],
    excluded: false,
  },
  'taken back by a name that is longer than any': {
    said: [
      ['a', document(at(1), says('not_affected'))],
      ['a', document(at(2), says('affected', { vulnerability: { name: 'x/'.repeat(2000) } }))],
    ],
    excluded: false,
  },
  'taken back of the image, written with slashes': {
    said: [
      ['a', document(at(1), says('not_affected', { products: [{ '@id': oci(IMAGE) }] }))],
      ['a', document(at(2), says('affected', { products: [{ '@id': 'pkg://oci/app' }] }))],
    ],
    excluded: false,
  },
  'by its address nothing is excused': {
    said: [['a', document(at(1), says('not_affected', { vulnerability: { '@id': 'CVE-1' } }))]],
    excluded: false,
  },
  'something is taken back, and nobody can tell what': {
    said: [
      ['a', document(at(1), says('not_affected'))],
      ['a', document(at(2), says('affected', { vulnerability: {} }))],
    ],
    excluded: false,
  },
  'another vulnerability is taken back': {
    said: [
      ['a', document(at(1), says('not_affected'))],
      ['a', document(at(2), says('affected', { vulnerability: { '@id': 'https://cve.example/CVE-10' } }))],
    ],
    excluded: true,
  },
  'dated ahead, and taken back since': {
    said: [
      ['a', document('2099-01-01T00:00:00Z', says('not_affected'))],
      ['a', document(at(2), says('affected'))],
    ],
    excluded: false,
  },
  'dated ahead, and taken back by who tells no time': {
    said: [
      ['a', document('2099-01-01T00:00:00Z', says('not_affected'))],
      ['a', document(undefined, says('affected'))],
    ],
    excluded: false,
  },
  'dated ahead, and nobody says otherwise': {
    said: [['a', document('2099-01-01T00:00:00Z', says('not_affected'))]],
    excluded: true,
  },
  'a clock that is ahead by minutes': {
    said: [
      ['a', document(at(2), says('affected'))],
      ['a', document('2026-01-09T00:04:00Z', says('not_affected'))],
    ],
    excluded: true,
  },
  'a clock that is ahead by minutes, and taken back now': {
    said: [
      ['a', document('2026-01-09T00:04:00Z', says('not_affected'))],
      ['a', document('2026-01-09T00:00:00Z', says('affected'))],
    ],
    excluded: false,
  },
  'a clock that is ahead by minutes, each statement with its time': {
    said: [
      [
        'a',
        document(
          at(1),
          says('affected', { timestamp: '2026-01-09T00:04:00Z' }),
          says('fixed', { timestamp: '2026-01-09T00:01:00Z' }),
        ),
      ],
    ],
    excluded: false,
  },
  'taken back by who is ahead of all': {
    said: [
      ['a', document('2099-01-01T00:00:00Z', says('affected'))],
      ['a', document(at(2), says('not_affected'))],
    ],
    excluded: false,
  },
  'CycloneDX: taken back by another id of it': {
    said: [
      ['a', bom(at(1), 'not_affected')],
      [
        'a',
        {
          metadata: { timestamp: at(2) },
          vulnerabilities: [{ references: [{ id: 'GHSA-1' }], analysis: { state: 'exploitable' } }],
        },
      ],
    ],
    excluded: false,
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
    t.is(exclusionsOf(documents, NOW)(FOUND), excluded);
    t.is(exclusionsOf(documents.toReversed(), NOW)(FOUND), excluded, 'whatever the order they come in');
  });
}
