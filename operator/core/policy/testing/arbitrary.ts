// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';
import type { Enforcement, JudgingPack, PackOutcome } from '../compose.ts';
import type { Exemption } from '../exemption.ts';
import { DLP_ACTIONS, FINDING_ACTIONS, type PackAnswer } from '../outputs.ts';
import { makeExemption, makePack, makeTenantPack, NOW, PLATFORM } from './make.ts';

/** Few words, so that packs often speak of the same thing. */
const rule = fc.constantFrom('a', 'b', 'evaluation', 'abac', 'residency', 'dlp/iban');
const region = fc.constantFrom('eu-1', 'us-1', 'ap-1');
const finding = fc.record({ rule, message: fc.constantFrom('no', 'never') });
const violation = fc.record({
  rule,
  message: fc.constant('no'),
  action: fc.constantFrom(...FINDING_ACTIONS),
});
const dlp = fc.record({
  detector: fc.constantFrom('iban', 'key'),
  action: fc.constantFrom(...DLP_ACTIONS),
  path: fc.constantFrom('/metadata/labels/app', '/spec/x'),
  message: fc.constant('found'),
});
const mutate = fc.record({
  path: fc.constantFrom(
    '/metadata/labels/team',
    '/metadata/labels/app',
    '/spec/x',
    '/metadata/annotations/n',
  ),
  value: fc.constantFrom('1', '2'),
});
const few = <T>(of: fc.Arbitrary<T>) => fc.array(of, { maxLength: 2 });
const limit = fc.option(fc.nat(5), { nil: undefined });

/** Any answer of a pack, in all parts of its language. */
const answer: fc.Arbitrary<PackAnswer> = fc
  .record({
    deny: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, few(finding)),
    warn: few(finding),
    violation: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, few(violation)),
    allow: fc.constantFrom(undefined, undefined, true, false, null),
    regions: fc.option(fc.uniqueArray(region), { nil: undefined, freq: 2 }),
    dlp: few(dlp),
    disclosures: few(fc.constantFrom('ai', 'logs')),
    limits: fc.record({ tokens: limit, cost: limit, seconds: limit }),
    masks: few(fc.constantFrom('/spec/x', '/spec/y')),
    mutate: few(mutate),
  })
  .map(withoutUndefined);

const enforcement = fc.constantFrom<Enforcement>('Deny', 'Deny', 'Warn', 'DryRun');

function outcome(
  make: (parts: Partial<JudgingPack>) => JudgingPack,
  names: readonly string[],
): fc.Arbitrary<PackOutcome> {
  return fc
    .record({
      name: fc.constantFrom(...names),
      enforcement,
      judgesAccess: fc.boolean(),
      result: fc.oneof(
        { weight: 8, arbitrary: answer.map((one) => ({ kind: 'answer', answer: one }) as const) },
        fc.constant({ kind: 'failed', reason: 'Timeout', message: 'too long' } as const),
      ),
    })
    .map(({ name, result, ...parts }) => {
      const made = make(parts);
      return { pack: { ...made, pack: { ...made.pack, name } }, result };
    });
}

/** What packs of the platform may come to. */
export const platformOutcomes = fc.array(outcome(makePack, ['baseline', 'dlp']), { maxLength: 3 });
/** What packs of tenants may come to; some are called as those of the platform are. */
export const tenantOutcomes = fc.array(outcome(makeTenantPack, ['own', 'baseline']), {
  minLength: 1,
  maxLength: 3,
});

/** Exemptions, also expired and unapproved ones, and such from packs of tenants. */
export const exemptions: fc.Arbitrary<readonly Exemption[]> = fc.array(
  fc
    .record({
      packRef: fc.record({
        namespace: fc.constantFrom(PLATFORM, PLATFORM, 'acme-dev'),
        name: fc.constantFrom('baseline', 'dlp', 'own'),
      }),
      rules: fc.option(fc.uniqueArray(rule, { minLength: 1, maxLength: 2 }), { nil: undefined }),
      expiresAt: fc.constantFrom('2027-01-01T00:00:00Z', NOW.toISOString()),
      approval: fc.constantFrom({ decision: 'Approved', by: 'bob' }, { decision: 'Approved', by: 'ann' }),
    })
    .map(makeExemption),
  { maxLength: 2 },
);

type Loose = { readonly [Key in keyof PackAnswer]?: unknown } & { readonly limits: object };

function withoutUndefined(value: Loose): PackAnswer {
  return { ...present(value), limits: present(value.limits) } as PackAnswer;
}

function present(object: object): object {
  return Object.fromEntries(Object.entries(object).filter(([, one]) => one !== undefined));
}
