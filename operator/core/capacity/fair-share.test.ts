// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { DeviceQueue, type DeviceWaiter, SHARE_MS } from './device-queue.ts';
import { makeHolder, makeNode, supplyOf } from './testing/make.ts';

/** Tenants whose queues never end, on nodes that are never enough, in a time that is only counted. */

const NODES = [makeNode('a'), makeNode('b')];
const HOURS = 30;
const MEAN_MS = 600_000;
/** Waiting is worth something too, so shares are not exact. */
const NEAR = 0.08;

interface Member {
  readonly weight: number;
  /** Devices of each of its Runs. */
  readonly size: number;
}

interface Held {
  readonly member: number;
  readonly node: string;
  readonly uid: string;
  readonly endsMs: number;
}

/** Numbers from 0 to 1 that look like chance and are the same each time (MINSTD, Park and Miller 1988). */
function chance(): () => number {
  let state = 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

class Cluster {
  readonly #members: readonly Member[];
  readonly #draw = chance();
  readonly #since: number[];
  #held: readonly Held[] = [];
  #made = 0;
  #nowMs = 0;
  /** Of each member: what it has had of all that was used, and the longest that its first Run waited. */
  readonly used: number[];
  readonly longestMs: number[];

  constructor(members: readonly Member[]) {
    this.#members = members;
    this.#since = members.map(() => 0);
    this.used = members.map(() => 0);
    this.longestMs = members.map(() => 0);
  }

  run(untilMs: number): void {
    while (this.#nowMs < untilMs) {
      while (this.#serve()) {
        // Until nobody's turn comes.
      }
      const next = Math.min(...this.#held.map(({ endsMs }) => endsMs));
      for (const { member } of this.#held) {
        this.used[member]! += (next - this.#nowMs) * this.#members[member]!.size;
      }
      this.#nowMs = next;
      this.#held = this.#held.filter(({ endsMs }) => endsMs > next);
    }
  }

  /** Lets those start whose turn it is; whether there were any. */
  #serve(): boolean {
    const waiters = this.#members.map((_, member) => this.#waiterOf(member));
    const pods = this.#held.map(({ node, member, uid }) =>
      makeHolder(node, this.#members[member]!.size, uid),
    );
    const supply = supplyOf({ nodes: NODES, pods });
    const { placements } = new DeviceQueue({ supply, pending: [], waiters, nowMs: this.#nowMs });
    for (const [member, { uid }] of waiters.entries()) {
      const place = placements.get(uid)?.[0];
      if (place === undefined) continue;
      const endsMs = this.#nowMs - Math.log(this.#draw()) * MEAN_MS;
      this.#held = [...this.#held, { member, node: place.node.name, uid: `run-${this.#made}`, endsMs }];
      this.#made += 1;
      this.longestMs[member] = Math.max(this.longestMs[member]!, this.#nowMs - this.#since[member]!);
      this.#since[member] = this.#nowMs;
    }
    return placements.size > 0;
  }

  #waiterOf(member: number): DeviceWaiter {
    const { size, weight } = this.#members[member]!;
    const held = this.#held.filter((one) => one.member === member).length * size;
    const demand = { uid: `head-${member}`, class: 'gpu', count: size, tenant: `t${member}`, isHard: false };
    return { ...demand, sinceMs: this.#since[member]!, share: held / weight };
  }
}

interface Case {
  readonly members: readonly Member[];
  /** Of each member, of all that is used; within `NEAR`. */
  readonly want: readonly number[];
}

const small = (weight: number): Member => ({ weight, size: 1 });

const CASES: Readonly<Record<string, Case>> = {
  'of the same weight, as much': { members: [small(1), small(1)], want: [0.5, 0.5] },
  'of three times the weight, three times as much': { members: [small(3), small(1)], want: [0.75, 0.25] },
  'by weight among several': {
    members: [small(2), small(1), small(1), small(4)],
    want: [0.25, 0.125, 0.125, 0.5],
  },
  'whoever asks for more at a time gets no more of it': {
    members: [{ weight: 1, size: 4 }, small(1)],
    want: [0.5, 0.5],
  },
};

for (const [title, { members, want }] of Object.entries(CASES)) {
  test(`in the long run: ${title}`, (t) => {
    const cluster = new Cluster(members);
    cluster.run(HOURS * 3_600_000);
    const all = cluster.used.reduce((sum, one) => sum + one, 0);
    for (const [i, share] of want.entries()) {
      const got = cluster.used[i]! / all;
      t.true(Math.abs(got - share) <= NEAR, `member ${i} had ${got.toFixed(3)} of all`);
    }
  });
}

test('who asks for a whole node among many that ask for one device does not starve', (t) => {
  const members = [{ weight: 1, size: 8 }, ...Array.from({ length: 15 }, () => small(1000))];
  const cluster = new Cluster(members);
  cluster.run(HOURS * 3_600_000);
  // It holds one node at most when it asks again, waits for the worth of that, and for a node to become free.
  const bound = 8 * SHARE_MS + 12 * MEAN_MS;
  t.true(cluster.longestMs[0]! > 0 && cluster.longestMs[0]! <= bound, `${cluster.longestMs[0]} ms`);
});
