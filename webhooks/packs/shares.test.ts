// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { ReplicaComparison } from '#crds/v1alpha1/policy-rollout';
import {
  type ComparisonCounters,
  countPair,
  emptyCounters,
  toComparison,
} from '#operator/core/policy/comparison-counters';
import { FALSE_ALARM, type PairBounds } from '#operator/core/policy-pack/comparison';
import { type Harm, harmShown } from '#operator/core/policy-pack/harm';
import type { Stand } from '#operator/core/policy-pack/move';
import { comparedIn, comparisonOf } from '#operator/core/policy-pack/pairs';
import { TokenBuckets } from '#operator/runtime/token-buckets';
import { SHARE_OF_TENANT, SHARE_OF_USER } from './shadow.ts';

// Comparisons as they are shipped, played: what replicas count of which requests, added up, and looked at after each one.

/** Mulberry32: the same numbers each time. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const PAIR = { pack: 'nexusos-system/p', revision: 'v2', against: 'v1' };
const BOUNDS: PairBounds = { newlyDenied: 0.05, newlyAllowed: 0.1, failed: 0.01 };
const SLOW = 0.05;
/** What the active revision denies. */
const DENIED = 0.2;
const REPLICAS = 3;

/** How requests of a tenant come out. */
interface Rates {
  readonly newlyDenied: number;
  readonly newlyAllowed: number;
  readonly failed: number;
  readonly slow: number;
}

/** As bad as a candidate may be: newly denied are so many of all, which are those that are allowed so far. */
const AT_BOUNDS: Rates = {
  newlyDenied: BOUNDS.newlyDenied / (1 - DENIED),
  newlyAllowed: BOUNDS.newlyAllowed,
  failed: BOUNDS.failed,
  slow: SLOW,
};
const SOUND: Rates = { newlyDenied: 0, newlyAllowed: 0, failed: 0, slow: 0 };

/** A tenant, how much it asks for beside the others, and how that comes out. */
interface Played {
  readonly weight: number;
  readonly rates: Rates;
  readonly users?: number;
}

interface Play {
  readonly tenants: Readonly<Record<string, Played>>;
  readonly requests: number;
  readonly perSecond: number;
  /** How many tenants there are, where they are not all played. */
  readonly told?: number;
}

/** The replicas of a cluster, and what comes of all that they have counted. */
class Cluster {
  readonly #counters: ComparisonCounters[] = Array.from({ length: REPLICAS }, () => emptyCounters(PAIR));
  readonly #told: (ReplicaComparison | undefined)[] = Array.from({ length: REPLICAS });
  readonly #buckets = Array.from({ length: REPLICAS }, () => ({
    users: new TokenBuckets({ ...SHARE_OF_USER, maxBuckets: 1000 }),
    tenants: new TokenBuckets({ ...SHARE_OF_TENANT, maxBuckets: 1000 }),
  }));

  /** Undefined where it is not counted. */
  count(
    { tenant, user, tenants, nowMs }: { tenant: string; user: string; tenants: number; nowMs: number },
    rates: Rates,
    random: () => number,
  ): Harm | undefined {
    const index = Math.floor(random() * REPLICAS);
    const [counters, buckets] = [this.#counters[index], this.#buckets[index]];
    if (counters === undefined || buckets === undefined) return undefined;
    if (!buckets.users.take(`${tenant} ${user}`, nowMs) || !buckets.tenants.take(tenant, nowMs))
      return undefined;
    const active = random() < DENIED ? ('Denied' as const) : ('Allowed' as const);
    const isOther = random() < (active === 'Denied' ? rates.newlyAllowed : rates.newlyDenied);
    const said = isOther === (active === 'Allowed') ? ('Denied' as const) : ('Allowed' as const);
    const counted = countPair(counters, {
      active,
      candidate: random() < rates.failed ? 'Failed' : said,
      micros: random() < rates.slow ? 30_000 : 500,
      budgetMicros: 25_000,
      object: { kind: 'Pod', namespace: tenant, name: 'p' },
      isProtected: false,
      tenant,
      tenants,
    });
    this.#counters[index] = counted;
    this.#told[index] = toComparison(counted) as ReplicaComparison;
    return this.harm();
  }

  harm(): Harm | undefined {
    const comparisons = this.#told.flatMap((one) => one ?? []);
    const stand = {
      replicas: [{ comparisons }],
      key: PAIR.pack,
      was: { activeRevision: PAIR.against },
    } as unknown as Stand;
    return harmShown(comparedIn(comparisonOf(stand, PAIR.revision)), BOUNDS);
  }
}

/** After how many requests of those whose candidate is bad it is undone; undefined: never. */
function undoneAfter({ tenants, requests, perSecond, told }: Play, random: () => number): number | undefined {
  const cluster = new Cluster();
  const all = Object.entries(tenants);
  const weights = all.reduce((sum, [, { weight }]) => sum + weight, 0);
  for (let asked = 1; asked <= requests; asked += 1) {
    let left = random() * weights;
    const [tenant, { rates, users = 5 }] = all.find(([, { weight }]) => (left -= weight) < 0) ?? all[0]!;
    const nowMs = (asked / perSecond) * 1000;
    const user = `u-${Math.floor(random() * users)}`;
    const harm = cluster.count({ tenant, user, tenants: told ?? all.length, nowMs }, rates, random);
    if (harm?.kind === 'shown') return asked;
  }
  return undefined;
}

function playsOf(play: Play, paths: number): readonly (number | undefined)[] {
  const random = randomOf(17);
  return Array.from({ length: paths }, () => undoneAfter(play, random));
}

const share = (found: readonly (number | undefined)[]) =>
  found.filter((one) => one !== undefined).length / found.length;

/** By when 99 of 100 are undone. */
function p99(found: readonly (number | undefined)[]): number {
  const sorted = found.map((one) => one ?? Infinity).toSorted((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Infinity;
}

/** Of very different size, as tenants are. */
const ZIPF = [12, 6, 4, 3, 2, 1];

function zipf(rates: Rates): Readonly<Record<string, Played>> {
  return Object.fromEntries(ZIPF.map((weight, index) => [`t-${index}`, { weight, rates }]));
}

test('a candidate at all four bounds is undone on at most 1 of 100 ways', (t) => {
  const found = share(playsOf({ tenants: zipf(AT_BOUNDS), requests: 800, perSecond: 20 }, 500));
  t.true(found <= FALSE_ALARM, `${found}`);
});

test('the same where there is one tenant alone, and only caps are between it and the test', (t) => {
  const tenants = { only: { weight: 1, rates: AT_BOUNDS } };
  const found = share(playsOf({ tenants, requests: 800, perSecond: 20 }, 500));
  t.true(found <= FALSE_ALARM, `${found}`);
});

const LOUD: Played = { weight: 300, rates: { ...SOUND, newlyDenied: 1 }, users: 1000 };

test('whatever one tenant asks for, what is sound for others is not undone', (t) => {
  const tenants = { ...zipf(AT_BOUNDS), loud: LOUD };
  const found = share(playsOf({ tenants, requests: 3000, perSecond: 300 }, 100));
  t.true(found <= FALSE_ALARM, `${found}`);
  const alone = share(playsOf({ tenants, requests: 3000, perSecond: 300, told: 1 }, 20));
  t.is(alone, 1, 'the simulation can tell: by the sum alone it is always undone');
});

const BAD: Rates = { ...SOUND, newlyDenied: 0.3 / (1 - DENIED) };

test('a candidate that newly denies 30 % of two, or of six tenants, is undone in time', (t) => {
  const two = { a: { weight: 1, rates: BAD }, b: { weight: 1, rates: BAD } };
  const ofTwo = p99(playsOf({ tenants: two, requests: 1000, perSecond: 20 }, 500));
  t.true(ofTwo <= 150, `${ofTwo}`);
  const ofSix = p99(playsOf({ tenants: zipf(BAD), requests: 1000, perSecond: 20 }, 500));
  t.true(ofSix <= 150, `${ofSix}`);
  t.log({ ofTwo, ofSix });
});

test('nobody hides that behind a flood of what is allowed', (t) => {
  const tenants = { ...zipf(BAD), loud: { weight: 560, rates: SOUND, users: 1000 } };
  // Twenty of them for each of the others.
  const found = playsOf({ tenants, requests: 30_000, perSecond: 1000 }, 40);
  t.is(share(found), 1);
  t.log({ p99OfOthers: p99(found) / 21 });
  t.true(p99(found) / 21 <= 600, `${p99(found)}`);
});
