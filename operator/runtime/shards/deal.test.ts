// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { type Deal, dealShards, type ShardView } from './deal.ts';

const PATIENCE_MS = 3000;

interface Case {
  readonly self?: string;
  /** Of each shard: its holder, `-` for nobody, `!x` for x that let it run out; then `<y` for one that y asked for. */
  readonly shards: string;
  readonly freeForMs?: number;
  readonly want: Partial<Deal>;
}

function viewOf(text: string, index: number, freeForMs = 0): ShardView {
  const [who = '', claimedBy] = text.split('<');
  const isFree = who === '-' || who.startsWith('!');
  return {
    index,
    holder: isFree ? undefined : who,
    lapsed: who.startsWith('!') ? who.slice(1) : undefined,
    freeForMs: isFree ? freeForMs : 0,
    claimedBy,
  };
}

const CASES: Record<string, Case> = {
  'who is alone takes all': { shards: '- - - -', want: { take: [0, 1, 2, 3] } },
  'who comes asks who has most, until the difference is one': {
    shards: 'b b b b c c',
    want: { take: [], claim: [0, 1] },
  },
  'one less than another is as good as equal': { shards: 'a b b', want: { take: [], claim: [], giveUp: [] } },
  'what was asked for already counts as given': { shards: 'b<a b b b', want: { claim: [1] } },
  'who is asked gives while that makes the difference less': {
    shards: 'a<b a<b a<b a',
    want: { giveUp: [0, 1], claim: [] },
  },
  'who is asked by one that has as many keeps what it has': { shards: 'a<b b', want: { giveUp: [] } },
  'what was given back is for who asked': { shards: '-<b a', want: { take: [] } },
  'and is taken by it': { shards: '-<a b b', want: { take: [0] } },
  'what was claimed is not taken by others however long it takes': {
    shards: '-<b a',
    freeForMs: 60_000,
    want: { take: [] },
  },
  'what a dead one held goes to who has fewest': { shards: '!c a b b', want: { take: [0] } },
  'a dead one is no member, though it still seems to hold others': {
    shards: '!c c a b b',
    want: { take: [0], claim: [] },
  },
  'what another should have taken is taken after some time': {
    shards: '- b a a',
    freeForMs: PATIENCE_MS,
    want: { take: [0] },
  },
  'but not before': { shards: '- b a a', freeForMs: PATIENCE_MS - 1, want: { take: [] } },
  'a claim of our own on what we hold by now is nothing': { shards: 'a<a a b', want: { giveUp: [] } },
};

for (const [sentence, { self = 'a', shards, freeForMs, want }] of Object.entries(CASES)) {
  test(sentence, (t) => {
    const views = shards.split(' ').map((text, index) => viewOf(text, index, freeForMs));
    const deal = dealShards({ self, shards: views, patienceMs: PATIENCE_MS });
    for (const key of ['take', 'giveUp'] as const) {
      if (want[key] !== undefined) t.deepEqual(deal[key], want[key]);
    }
    if (want.claim !== undefined) {
      const asked = deal.claim.map((index) => shards.split(' ')[index]?.split('<')[0]);
      const expected = want.claim.map((index) => shards.split(' ')[index]?.split('<')[0]);
      t.deepEqual(asked, expected, 'so many, of the same holders');
    }
  });
}

/** Shards of a little world, in which Leases are written one after the other, and each only on what was seen of it. */
class World {
  readonly holders: (string | undefined)[];
  readonly claims: (string | undefined)[];
  readonly versions: number[];
  readonly alive = new Set<string>();
  readonly #claimedAt = new Map<number, number>();
  #now = 0;
  moves = 0;

  constructor(count: number) {
    this.holders = Array.from({ length: count }, () => undefined);
    this.claims = Array.from({ length: count }, () => undefined);
    this.versions = Array.from({ length: count }, () => 0);
  }

  view(freeForMs: number): ShardView[] {
    return this.holders.map((one, index) => {
      const isLive = one !== undefined && this.alive.has(one);
      const isYoung = this.#now - (this.#claimedAt.get(index) ?? -Infinity) < CLAIM_ROUNDS;
      const claim = isYoung ? this.claims[index] : undefined;
      return {
        index,
        holder: isLive ? one : undefined,
        lapsed: isLive ? undefined : one,
        freeForMs: isLive ? 0 : freeForMs,
        claimedBy: claim !== undefined && this.alive.has(claim) ? claim : undefined,
      };
    });
  }

  /** What `self` decides on `shards`, done where nothing was written since. */
  act(self: string, shards: readonly ShardView[], versions: readonly number[]): void {
    const { take, giveUp, claim } = dealShards({ self, shards, patienceMs: PATIENCE_MS });
    const write = (index: number, done: () => void) => {
      if (this.versions[index] !== versions[index]) return;
      this.versions[index] = (this.versions[index] ?? 0) + 1;
      done();
    };
    for (const index of take) {
      write(index, () => {
        this.moves += 1;
        this.holders[index] = self;
        this.claims[index] = undefined;
      });
    }
    for (const index of giveUp) write(index, () => (this.holders[index] = undefined));
    for (const index of claim) {
      write(index, () => {
        this.claims[index] = self;
        this.#claimedAt.set(index, this.#now);
      });
    }
  }

  /** Each that lives does what it finds to do, in turn. */
  round(freeForMs: number): void {
    this.#now += 1;
    for (const self of this.alive) this.act(self, this.view(freeForMs), [...this.versions]);
  }

  counts(): number[] {
    return [...this.alive].map((one) => this.holders.filter((holder) => holder === one).length);
  }
}

/** How many rounds a claim stands. */
const CLAIM_ROUNDS = 6;
const MEMBERS = ['a', 'b', 'c', 'd', 'e'];

test('whoever comes and goes, all is held soon, evenly, and then nothing moves', (t) => {
  const change = fc.record({
    alive: fc.uniqueArray(fc.constantFrom(...MEMBERS), { minLength: 1 }),
    order: fc.infiniteStream(fc.nat(MEMBERS.length - 1)),
    isStale: fc.infiniteStream(fc.boolean()),
  });
  const property = fc.property(
    fc.integer({ min: 2, max: 32 }),
    fc.array(change, { minLength: 1, maxLength: 5 }),
    (count, changes) => {
      const world = new World(count);
      for (const { alive, order, isStale } of changes) {
        world.alive.clear();
        for (const one of alive) world.alive.add(one);
        const old = { shards: world.view(0), versions: [...world.versions] };
        // At random, and on what was seen long ago; then each in turn on what there is.
        for (let step = 0; step < 20; step += 1) {
          const self = alive[(order.next().value ?? 0) % alive.length] ?? '';
          const now = { shards: world.view(PATIENCE_MS), versions: [...world.versions] };
          const { shards, versions } = isStale.next().value === true ? old : now;
          world.act(self, shards, versions);
        }
        for (let round = 0; round < 3 * count; round += 1) world.round(PATIENCE_MS);
        const counts = world.counts();
        t.is(
          counts.reduce((a, b) => a + b, 0),
          count,
          'each shard is held by one that lives',
        );
        t.true(Math.max(...counts) - Math.min(...counts) <= 1, `evenly: ${counts.join(' ')}`);
        const { moves } = world;
        world.round(PATIENCE_MS);
        t.is(world.moves, moves, 'and nothing moves');
      }
    },
  );
  fc.assert(property, { numRuns: 300 });
});

test('who comes moves its part only, and who goes leaves its own only', (t) => {
  const world = new World(12);
  const settle = () => {
    for (let round = 0; round < 20; round += 1) world.round(0);
  };
  for (const member of ['a', 'b', 'c']) {
    const before = [...world.holders];
    world.alive.add(member);
    settle();
    const changed = world.holders.filter((one, index) => one !== before[index]);
    t.true(changed.every((one) => one === member));
    t.is(changed.length, 12 / world.alive.size);
  }
  const before = [...world.holders];
  world.alive.delete('b');
  settle();
  t.true(world.holders.every((one, index) => before[index] === 'b' || one === before[index]));
  t.deepEqual(world.counts(), [6, 6]);
});
