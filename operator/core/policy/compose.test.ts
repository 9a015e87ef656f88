// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type Composition, compose, type Objection, type PackOutcome } from './compose.ts';
import type { Exemption } from './exemption.ts';
import {
  answered,
  FACTS,
  failed,
  makeExemption,
  makePack,
  makeReview,
  makeTenantPack,
  NOW,
} from './testing/make.ts';

const PACK = makePack();
const TENANT = makeTenantPack();
const WARN = makePack({ enforcement: 'Warn' });
const DRY = makePack({ enforcement: 'DryRun' });
const ABAC = makePack({ judgesAccess: true });
const NO = { deny: [{ rule: 'hostpath', message: 'no host paths' }] };
const match = (action: 'allow' | 'log' | 'redact' | 'block') => ({
  dlp: [{ detector: 'iban', action, path: '/spec/input', message: 'an account' }],
});

function composed(outcomes: readonly PackOutcome[], exemptions: readonly Exemption[] = []): Composition {
  return compose(outcomes, { review: makeReview(), facts: FACTS, exemptions, now: NOW });
}

const rules = (objections: readonly Objection[]) => objections.map(({ rule }) => rule);

interface Case {
  readonly given: readonly PackOutcome[];
  readonly exemptions?: readonly Exemption[];
  readonly denials?: readonly string[];
  readonly warnings?: readonly string[];
  readonly noted?: readonly string[];
  readonly lifted?: number;
}

const CASES: Readonly<Record<string, Case>> = {
  'no packs': { given: [] },
  'a denial': { given: [answered(PACK, NO)], denials: ['hostpath'] },
  'a denial of a pack that warns': { given: [answered(WARN, NO)], warnings: ['hostpath'] },
  'a denial of a pack that is tried out': { given: [answered(DRY, NO)], noted: ['hostpath'] },
  'a warning': { given: [answered(PACK, { warn: NO.deny })], warnings: ['hostpath'] },
  'a warning of a pack that is tried out': { given: [answered(DRY, { warn: NO.deny })], noted: ['hostpath'] },
  'constraints of three minds': {
    given: [
      answered(PACK, {
        violation: [
          { rule: 'a', message: 'x', action: 'deny' },
          { rule: 'b', message: 'x', action: 'warn' },
          { rule: 'c', message: 'x', action: 'dryrun' },
        ],
      }),
    ],
    denials: ['a'],
    warnings: ['b'],
    noted: ['c'],
  },
  'denials of two': {
    given: [answered(PACK, NO), answered(TENANT, { deny: [{ rule: 'own', message: 'x' }] })],
    denials: ['hostpath', 'own'],
  },
  'a pack that cannot be evaluated': { given: [failed(PACK)], denials: ['evaluation'] },
  'one that warns and cannot be evaluated': { given: [failed(WARN)], warnings: ['evaluation'] },
  'one that is tried out and cannot be evaluated': { given: [failed(DRY)], noted: ['evaluation'] },
  'access that is allowed': { given: [answered(ABAC, { allow: true })] },
  'access that is refused': { given: [answered(ABAC, { allow: false })], denials: ['abac'] },
  'access that nothing speaks of': { given: [answered(ABAC)], denials: ['abac'] },
  'access that is undefined': { given: [answered(PACK, { allow: null })], denials: ['abac'] },
  'access that a pack has no rules on': { given: [answered(PACK)] },
  'access that a tenant has nothing to say of': {
    given: [answered(makeTenantPack({ judgesAccess: true }), { allow: null })],
  },
  'access that a tenant refuses': {
    given: [answered(ABAC, { allow: true }), answered(TENANT, { allow: false })],
    denials: ['abac'],
  },
  'access that only the tenant allows': {
    given: [answered(ABAC, { allow: false }), answered(TENANT, { allow: true })],
    denials: ['abac'],
  },
  'data that is let through': { given: [answered(PACK, match('allow'))] },
  'data that is noted': { given: [answered(PACK, match('log'))], noted: ['dlp/iban'] },
  'data that was to be taken out and is there': {
    given: [answered(PACK, match('redact'))],
    denials: ['dlp/iban'],
  },
  'data that is refused': { given: [answered(PACK, match('block'))], denials: ['dlp/iban'] },
  'regions that two allow': {
    given: [answered(PACK, { regions: ['eu-1', 'us-1'] }), answered(TENANT, { regions: ['eu-1'] })],
  },
  'regions that leave none': {
    given: [answered(PACK, { regions: ['us-1'] }), answered(TENANT, { regions: ['eu-1'] })],
    denials: ['residency'],
  },
  'regions of a pack that is tried out': {
    given: [answered(PACK, { regions: ['us-1'] }), answered(DRY, { regions: ['eu-1'] })],
  },
  'no region at all': { given: [answered(PACK, { regions: [] })], denials: ['residency'] },
  'a denial that is lifted': { given: [answered(PACK, NO)], exemptions: [makeExemption()], lifted: 1 },
  'a failure that is lifted with all of the pack': {
    given: [failed(PACK)],
    exemptions: [makeExemption()],
    lifted: 1,
  },
  'a failure is of no rule that is lifted': {
    given: [failed(PACK)],
    exemptions: [makeExemption({ rules: ['hostpath'] })],
    denials: ['evaluation'],
  },
  'of two denials one is lifted': {
    given: [answered(PACK, { deny: [...NO.deny, { rule: 'other', message: 'x' }] })],
    exemptions: [makeExemption({ rules: ['hostpath'] })],
    denials: ['other'],
    lifted: 1,
  },
  "the same rule of a tenant's pack is not lifted with it": {
    given: [answered(PACK, NO), answered(TENANT, NO)],
    exemptions: [makeExemption()],
    denials: ['hostpath'],
    lifted: 1,
  },
};

for (const [
  name,
  { given, exemptions, denials = [], warnings = [], noted = [], lifted = 0 },
] of Object.entries(CASES)) {
  test(`${name}: ${denials.length > 0 ? 'refused' : 'allowed'}`, (t) => {
    const result = composed(given, exemptions);
    t.is(result.allowed, denials.length === 0);
    t.deepEqual(rules(result.denials), denials);
    t.deepEqual(rules(result.warnings), warnings);
    t.deepEqual(rules(result.noted), noted);
    t.is(result.lifted.length, lifted);
  });
}

test('obligations: intersection, maximum, union and minimum', (t) => {
  const { obligations } = composed([
    answered(PACK, {
      ...match('redact'),
      regions: ['eu-1', 'us-1', 'eu-1'],
      disclosures: ['b'],
      limits: { tokens: 5, cost: 2 },
      masks: ['/a'],
    }),
    answered(TENANT, {
      ...match('log'),
      regions: ['us-1', 'eu-1', 'ap-1'],
      disclosures: ['a', 'b'],
      limits: { tokens: 9, seconds: 1 },
    }),
    answered(WARN, { regions: [], limits: { tokens: 1 }, masks: ['/b'] }),
  ]);
  t.deepEqual(obligations, {
    regions: ['eu-1', 'us-1'],
    dlp: { iban: 'redact' },
    disclosures: ['a', 'b'],
    limits: { tokens: 5, cost: 2, seconds: 1 },
    masks: ['/a'],
  });
});

test('data that was to be taken out is refused under a code of its own', (t) => {
  t.is(composed([answered(PACK, match('redact'))]).denials[0]?.code, 'policy_redacted');
  t.is(composed([answered(PACK, match('block'))]).denials[0]?.code, 'policy_blocked');
});
