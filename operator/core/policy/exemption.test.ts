// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type Claim, type Exemption, exempts } from './exemption.ts';
import { FACTS, makeExemption, makeReview, NOW, PLATFORM } from './testing/make.ts';

const CLAIM: Claim = {
  review: makeReview(),
  tenant: FACTS.tenant,
  pack: { namespace: PLATFORM, name: 'baseline' },
  rule: 'hostpath',
};
const IN_ACME = { namespaces: ['acme-dev'] };

interface Case {
  readonly exemption?: Partial<Exemption>;
  readonly claim?: Partial<Claim>;
  readonly want: boolean;
}

const CASES: Readonly<Record<string, Case>> = {
  'all of a pack': { want: true },
  'a rule of it': { exemption: { rules: ['hostpath'] }, want: true },
  'another rule': { exemption: { rules: ['privileged'] }, want: false },
  'a pack of the same name elsewhere': {
    claim: { pack: { namespace: 'acme-dev', name: 'baseline' } },
    want: false,
  },
  'another pack': { claim: { pack: { namespace: PLATFORM, name: 'dlp' } }, want: false },
  'at the moment it expires': { exemption: { expiresAt: NOW.toISOString() }, want: false },
  'a moment before': {
    exemption: { expiresAt: new Date(NOW.getTime() + 1).toISOString() },
    want: true,
  },
  'an instant that is none': { exemption: { expiresAt: 'never' }, want: false },
  'not decided on': { exemption: { approval: undefined }, want: false },
  rejected: { exemption: { approval: { decision: 'Rejected', by: 'bob' } }, want: false },
  'approved by nobody': { exemption: { approval: { decision: 'Approved' } }, want: false },
  'approved by who asked': { exemption: { approval: { decision: 'Approved', by: 'ann' } }, want: false },
  'asked for by nobody knows whom': { exemption: { requestedBy: undefined }, want: false },
  'for everybody': { exemption: { subjects: { kinds: ['Pod'] } }, want: false },
  'another namespace': { exemption: { subjects: { namespaces: ['acme'] } }, want: false },
  'its tenant': { exemption: { subjects: { tenants: ['acme'] } }, want: true },
  'a tenant, of what is of none': {
    exemption: { subjects: { tenants: ['acme'] } },
    claim: { tenant: undefined },
    want: false,
  },
  'its kind': { exemption: { subjects: { ...IN_ACME, kinds: ['Pod'] } }, want: true },
  'another kind': { exemption: { subjects: { ...IN_ACME, kinds: ['Job'] } }, want: false },
  'its name': { exemption: { subjects: { ...IN_ACME, names: ['web-1'] } }, want: true },
  'its name begins so': { exemption: { subjects: { ...IN_ACME, names: ['web-*'] } }, want: true },
  'another name': { exemption: { subjects: { ...IN_ACME, names: ['web'] } }, want: false },
  'a generated name': {
    exemption: { subjects: { ...IN_ACME, names: ['web-7f-'] } },
    claim: { review: makeReview({ name: '', object: { metadata: { generateName: 'web-7f-' } } }) },
    want: true,
  },
  'a name that was generated': {
    exemption: { subjects: { ...IN_ACME, names: ['web-7f-'] } },
    claim: {
      review: makeReview({
        name: 'web-7f-x',
        object: { metadata: { name: 'web-7f-x', generateName: 'web-7f-' } },
      }),
    },
    want: true,
  },
  'a name beside one from which it was not generated': {
    exemption: { subjects: { ...IN_ACME, names: ['legacy', 'legacy-*'] } },
    claim: {
      review: makeReview({ name: 'evil', object: { metadata: { name: 'evil', generateName: 'legacy-' } } }),
    },
    want: false,
  },
  'a name that begins as one that is meant whole': {
    exemption: { subjects: { ...IN_ACME, names: ['legacy'] } },
    claim: { review: makeReview({ name: '', object: { metadata: { generateName: 'legacy' } } }) },
    want: false,
  },
  'its labels': {
    exemption: { subjects: { ...IN_ACME, selector: { matchLabels: { app: 'web' } } } },
    want: true,
  },
  'a label that is put on just now': {
    exemption: { subjects: { ...IN_ACME, selector: { matchLabels: { app: 'web' } } } },
    claim: { review: makeReview({ operation: 'UPDATE', oldObject: { metadata: {} } }) },
    want: false,
  },
};

for (const [name, { exemption, claim, want }] of Object.entries(CASES)) {
  test(`${name}: ${want ? 'exempt' : 'not exempt'}`, (t) => {
    t.is(exempts(makeExemption(exemption), { ...CLAIM, ...claim }, NOW), want);
  });
}
