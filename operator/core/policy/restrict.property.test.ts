// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { compose, type PackOutcome } from './compose.ts';
import { planDefaults, type WantedDefault } from './mutate.ts';
import { exemptions, platformOutcomes, tenantOutcomes } from './testing/arbitrary.ts';
import { FACTS, makeExemption, makeReview, NOW } from './testing/make.ts';
import { widenedBy } from './testing/permissive.ts';

const CASES = 100_000;
const REVIEW = makeReview();

type Compose = typeof compose;

/** What a composition allows more with packs of a tenant than without them, if anything. */
function widened(
  composeWith: Compose,
  given: { readonly platform: readonly PackOutcome[]; readonly tenant: readonly PackOutcome[] },
  lifted: Parameters<Compose>[1]['exemptions'],
): string | undefined {
  const context = { review: REVIEW, facts: FACTS, exemptions: lifted, now: NOW };
  const alone = composeWith(given.platform, context);
  return widenedBy(alone, composeWith([...given.platform, ...given.tenant], context));
}

const world = fc.record({ platform: platformOutcomes, tenant: tenantOutcomes });

test('whatever packs of tenants answer, no more is allowed than without them', (t) => {
  let refused = 0;
  fc.assert(
    fc.property(world, exemptions, (given, lifted) => {
      if (!compose(given.platform, { review: REVIEW, facts: FACTS, exemptions: lifted, now: NOW }).allowed)
        refused += 1;
      t.is(widened(compose, given, lifted), undefined);
    }),
    { numRuns: CASES },
  );
  // Both must be common, or nothing was tried.
  t.true(
    refused > CASES / 10 && refused < (CASES * 9) / 10,
    `${refused} of ${CASES} were refused by the platform`,
  );
});

/** Compositions that are wrong in one way each: the property has to see every one of them. */
const MUTANTS: Readonly<Record<string, Compose>> = {
  'the last pack decides on access': (outcomes, context) => {
    const last = outcomes.findLast(
      ({ result }) => result.kind === 'answer' && result.answer.allow !== undefined,
    );
    if (last?.result.kind !== 'answer' || last.result.answer.allow !== true)
      return compose(outcomes, context);
    const allowed = outcomes.map(
      ({ pack, result }): PackOutcome =>
        result.kind === 'answer' && result.answer.allow !== true
          ? {
              pack: { ...pack, judgesAccess: false },
              result: { ...result, answer: { ...result.answer, allow: true } },
            }
          : { pack, result },
    );
    return compose(allowed, context);
  },
  'regions are added up': (outcomes, context) => {
    const all = outcomes.flatMap(({ result }) =>
      result.kind === 'answer' ? (result.answer.regions ?? []) : [],
    );
    const composed = compose(outcomes, context);
    return { ...composed, obligations: { ...composed.obligations, regions: all } };
  },
  'the highest limit counts': (outcomes, context) => {
    const composed = compose(outcomes, context);
    const tokens = outcomes.flatMap(({ result }) =>
      result.kind === 'answer' && result.answer.limits.tokens !== undefined
        ? [result.answer.limits.tokens]
        : [],
    );
    const limits = tokens.length === 0 ? {} : { tokens: Math.max(...tokens) };
    return { ...composed, obligations: { ...composed.obligations, limits } };
  },
  'the mildest action counts': (outcomes, context) => {
    const composed = compose(outcomes, context);
    const dlp = Object.fromEntries(Object.keys(composed.obligations.dlp).map((one) => [one, 'log' as const]));
    return outcomes.length < 3 ? composed : { ...composed, obligations: { ...composed.obligations, dlp } };
  },
  'packs go by their name alone': (outcomes, context) =>
    compose(
      outcomes.filter(
        (one, index) => outcomes.findLastIndex(({ pack }) => pack.pack.name === one.pack.pack.name) === index,
      ),
      context,
    ),
  'an exemption lifts a rule of the same name elsewhere': (outcomes, context) => {
    const names = new Set(
      outcomes.filter(({ pack }) => pack.trust === 'Tenant').map(({ pack }) => pack.pack.name),
    );
    const own = [...names].map((name) => makeExemption({ packRef: { namespace: 'nexusos', name } }));
    return compose(outcomes, { ...context, exemptions: [...context.exemptions, ...own] });
  },
  'a failure of one drops the rest': (outcomes, context) => {
    const at = outcomes.findIndex(({ result, pack }) => result.kind === 'failed' && pack.trust === 'Tenant');
    return compose(at === -1 ? outcomes : outcomes.slice(at), context);
  },
};

for (const [name, mutant] of Object.entries(MUTANTS)) {
  test(`the property sees it when ${name}`, (t) => {
    const { failed } = fc.check(
      fc.property(world, exemptions, (given, lifted) => widened(mutant, given, lifted) === undefined),
      { numRuns: 20_000 },
    );
    t.true(failed);
  });
}

const wanted = (trust: 'Platform' | 'Tenant') =>
  fc.array(
    fc.record({
      path: fc.constantFrom(
        '/metadata/labels/team',
        '/metadata/labels',
        '/metadata/labels/app',
        '/metadata/annotations/note',
        '/spec/hostNetwork',
        '/spec/containers/0/imagePullPolicy',
        '/spec/containers/0/image',
      ),
      value: fc.constantFrom<unknown>('1', '2', true, {}),
      by: fc.constantFrom('nexusos/a', 'acme-dev/b'),
      trust: fc.constant(trust),
    }),
    { maxLength: 4 },
  ) satisfies fc.Arbitrary<WantedDefault[]>;

test('whatever packs of tenants want filled in, what the platform fills in is the same', (t) => {
  fc.assert(
    fc.property(wanted('Platform'), wanted('Tenant'), (platform, tenant) => {
      const object = REVIEW.object ?? {};
      const alone = planDefaults(object, platform).patch;
      const both = planDefaults(object, [...tenant, ...platform]).patch;
      for (const step of alone)
        t.deepEqual(
          both.find(({ path }) => path === step.path),
          step,
        );
    }),
    { numRuns: 20_000 },
  );
});
