// SPDX-License-Identifier: Apache-2.0
import { nearness } from './shard-lease.ts';

/** A shard as one member sees it. */
export interface ShardView {
  readonly index: number;
  /** Who holds it, and has renewed it in time. */
  readonly holder: string | undefined;
  /** Who held it last and let it run out: it has ended, or cannot renew anything. */
  readonly lapsed: string | undefined;
  /** For how long nobody has held it, in milliseconds. */
  readonly freeForMs: number;
  /** Who asked for it, not long ago. */
  readonly claimedBy: string | undefined;
}

/** What a member decides on. */
export interface DealInput {
  readonly self: string;
  readonly shards: readonly ShardView[];
  /** After so long, a shard that another should have taken is taken by anybody. */
  readonly patienceMs: number;
}

/** What a member does next. */
export interface Deal {
  /** Free ones that it takes. */
  readonly take: readonly number[];
  /** Those of others that it asks for. */
  readonly claim: readonly number[];
  /** Its own that it gives to who asked. */
  readonly giveUp: readonly number[];
}

/**
 * What `self` does with what it sees. Members see the same but for a moment, and decide alike; where they do not, two try to take
 * the same Lease, and one fails.
 *
 * - What is free goes to who asked for it, or to who has the fewest, and among these to the nearest.
 * - A member with at least two less than another asks that one for shards until the difference is one. Nothing else moves: who comes
 *   gets its part from those who have most, who goes leaves its own, and where all have equally many, within one, all stay.
 * - Who is asked gives, as long as that makes the difference less.
 */
export function dealShards({ self, shards, patienceMs }: DealInput): Deal {
  const counts = countMembers(self, shards);
  const giveUp = shardsToGive(self, shards, counts);
  const promised = new Map(counts);
  for (const { holder, claimedBy } of shards) {
    if (holder !== undefined && claimedBy !== undefined) move(promised, holder, claimedBy);
  }
  const take = freeFor({ self, shards, patienceMs }, promised);
  return { take, giveUp, claim: shardsToClaim(self, shards, promised) };
}

/** How many shards each member holds: those who hold some, who ask for some, and who looks. Who let one run out is none any more. */
function countMembers(self: string, shards: readonly ShardView[]): Map<string, number> {
  const gone = new Set(shards.map(({ lapsed }) => lapsed).filter((one) => one !== self));
  const counts = new Map([[self, 0]]);
  const join = (member: string | undefined, more: number) => {
    if (member !== undefined && !gone.has(member)) counts.set(member, (counts.get(member) ?? 0) + more);
  };
  for (const { holder, claimedBy } of shards) {
    join(holder, 1);
    join(claimedBy, 0);
  }
  return counts;
}

function shardsToGive(
  self: string,
  shards: readonly ShardView[],
  counts: ReadonlyMap<string, number>,
): readonly number[] {
  const left = new Map(counts);
  const given: number[] = [];
  for (const { index, holder, claimedBy } of shards) {
    if (holder !== self || claimedBy === undefined || claimedBy === self) continue;
    if (move(left, self, claimedBy)) given.push(index);
  }
  return given;
}

/** Counts a shard as moved, if that makes the difference less. */
function move(counts: Map<string, number>, from: string, to: string): boolean {
  const [most, least] = [counts.get(from), counts.get(to)];
  if (most === undefined || least === undefined || most - least < 2) return false;
  counts.set(from, most - 1);
  counts.set(to, least + 1);
  return true;
}

function freeFor({ self, shards, patienceMs }: DealInput, counts: Map<string, number>): readonly number[] {
  const taken: number[] = [];
  for (const { index, holder, claimedBy, freeForMs } of shards) {
    if (holder !== undefined) continue;
    const next = claimedBy !== undefined && counts.has(claimedBy) ? claimedBy : fewest(counts, index);
    counts.set(next, (counts.get(next) ?? 0) + 1);
    if (next === self || (claimedBy === undefined && freeForMs >= patienceMs)) taken.push(index);
  }
  return taken;
}

function fewest(counts: ReadonlyMap<string, number>, index: number): string {
  const least = Math.min(...counts.values());
  const candidates = [...counts].filter(([, count]) => count === least).map(([member]) => member);
  return candidates.reduce((a, b) => (nearness(b, index) > nearness(a, index) ? b : a));
}

function shardsToClaim(
  self: string,
  shards: readonly ShardView[],
  counts: Map<string, number>,
): readonly number[] {
  const open = shards
    .filter(({ holder, claimedBy }) => holder !== undefined && holder !== self && claimedBy === undefined)
    .toSorted((a, b) => nearness(self, b.index) - nearness(self, a.index));
  const claimed: number[] = [];
  for (let next = richest(open, counts); next !== undefined; next = richest(open, counts)) {
    if (!move(counts, next.holder ?? '', self)) break;
    open.splice(open.indexOf(next), 1);
    claimed.push(next.index);
  }
  return claimed;
}

/** Of those that are left, the nearest of who has most. */
function richest(open: readonly ShardView[], counts: ReadonlyMap<string, number>): ShardView | undefined {
  const countOf = ({ holder = '' }: ShardView) => counts.get(holder) ?? 0;
  return open.reduce<ShardView | undefined>(
    (a, b) => (a === undefined || countOf(b) > countOf(a) ? b : a),
    undefined,
  );
}
