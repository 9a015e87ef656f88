// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { NO_COUNTS, type PairBounds, type PairCounts } from './comparison.ts';
import { harmShown } from './harm.ts';

const BOUNDS: PairBounds = { newlyDenied: 0.05, newlyAllowed: 0.1, failed: 0.01 };

interface Case {
  readonly tenants: number;
  /** In no tenant. */
  readonly rest?: Partial<PairCounts>;
  readonly shares: Readonly<Record<string, Partial<PairCounts>>>;
  readonly want: string | undefined;
}

const BAD = { newlyDenied: 40, bothAllowed: 10 };
const GOOD = { bothAllowed: 200, newlyDenied: 2 };

const CASES: Readonly<Record<string, Case>> = {
  'nobody is harmed': { tenants: 3, shares: { a: GOOD, b: GOOD }, want: undefined },
  'two are': { tenants: 3, shares: { a: BAD, b: BAD }, want: 'shown NewlyDenied' },
  'one is, with a thousand requests of its choice': {
    tenants: 3,
    shares: { a: { newlyDenied: 1000 }, b: GOOD },
    want: 'oneTenant NewlyDenied a',
  },
  'one is, and another by chance': {
    tenants: 2,
    shares: { a: { newlyDenied: 1000 }, b: { newlyDenied: 1, bothAllowed: 1 } },
    want: 'oneTenant NewlyDenied a',
  },
  'one is, and there is no other': { tenants: 1, shares: { a: BAD }, want: 'shown NewlyDenied' },
  'replicas of an older release tell nothing of tenants': {
    tenants: 0,
    shares: { '': BAD },
    want: 'shown NewlyDenied',
  },
  'one of two is, the other asks for nothing': {
    tenants: 2,
    shares: { a: BAD },
    want: 'oneTenant NewlyDenied a',
  },
  'what is in no tenant is': { tenants: 5, rest: BAD, shares: { a: GOOD }, want: 'shown NewlyDenied' },
  'one has it run out of time': {
    tenants: 2,
    shares: { a: { timeouts: 9, bothAllowed: 900 }, b: GOOD },
    want: 'oneTenant TimedOut a',
  },
  'it runs out of time for both': {
    tenants: 2,
    shares: { a: { timeouts: 3, bothAllowed: 900 }, b: { timeouts: 3, bothAllowed: 900 } },
    want: 'shown TimedOut',
  },
  'one has what was denied to it allowed': {
    tenants: 2,
    shares: { a: { newlyAllowed: 50 }, b: { bothDenied: 50 } },
    want: 'oneTenant NewlyAllowed a',
  },
  'a protected subject is nobody’s': {
    tenants: 3,
    rest: { protectedDenied: 1 },
    shares: { a: GOOD },
    want: 'shown ProtectedDenied',
  },
  'one is denied much, and it fails for all': {
    tenants: 3,
    shares: {
      a: { newlyDenied: 300 },
      b: { errors: 30, bothAllowed: 50 },
      c: { errors: 30, bothAllowed: 50 },
    },
    want: 'shown Failing',
  },
};

const counted = (some: Partial<PairCounts>): PairCounts => ({ ...NO_COUNTS, ...some });

for (const [name, { tenants, rest = {}, shares, want }] of Object.entries(CASES)) {
  test(`what a candidate is undone for: ${name}`, (t) => {
    const all = [rest, ...Object.values(shares)].map(counted);
    const keys = Object.keys(NO_COUNTS) as (keyof PairCounts)[];
    const counts = Object.fromEntries(
      keys.map((key) => [key, all.reduce((sum, one) => sum + one[key], 0)]),
    ) as unknown as PairCounts;
    const harm = harmShown(
      {
        counts,
        tenants,
        shares: Object.entries(shares).map(([tenant, share]) => ({ tenant, counts: counted(share) })),
      },
      BOUNDS,
    );
    const said =
      harm && [harm.kind, harm.fault.kind, ...(harm.kind === 'oneTenant' ? [harm.tenant] : [])].join(' ');
    t.is(said, want);
  });
}
