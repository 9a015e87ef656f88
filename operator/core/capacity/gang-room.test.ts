// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { DeviceQueue, PATIENCE_MS } from './device-queue.ts';
import { type DeviceDemand, DeviceRoom } from './room.ts';
import { makeHolder, makeNode, supplyOf } from './testing/make.ts';

const SOFT = { tenant: 'acme', isHard: false };

function demand(pods: number, count: number, uid = 'x'): DeviceDemand {
  return { ...SOFT, uid, class: 'gpu', count, ...(pods > 1 && { pods }) };
}

/** Nodes with so many free devices of eight: `a` with the first, and so on. */
function roomOf(free: readonly number[]): DeviceRoom {
  return new DeviceRoom(supplyOf(nodesOf(free)));
}

function nodesOf(free: readonly number[]) {
  const names = free.map((_, i) => String.fromCodePoint(97 + i));
  return {
    nodes: names.map((name) => makeNode(name)),
    pods: names.map((name, i) => makeHolder(name, 8 - free[i]!)),
  };
}

function namesIn(room: DeviceRoom, wanted: DeviceDemand): string | undefined {
  return room
    .take(wanted)
    ?.map(({ node }) => node.name)
    .join('');
}

const PLACED: Record<
  string,
  { readonly free: readonly number[]; readonly gang: readonly [number, number]; readonly want?: string }
> = {
  'a node that holds all goes before two that are fuller': { free: [4, 4, 8], gang: [3, 2], want: 'ccc' },
  'of nodes that hold all the one that keeps the fewest': { free: [8, 6, 7], gang: [3, 2], want: 'bbb' },
  'the largest first, and the rest where it fits tightest': { free: [8, 4, 2], gang: [5, 2], want: 'aaaac' },
  'pieces that are too small for a pod do not add up': { free: [3, 3, 3], gang: [4, 2] },
  'all or none': { free: [8, 8], gang: [3, 5] },
};

for (const [sentence, { free, gang, want }] of Object.entries(PLACED)) {
  test(`pods of a gang are placed so: ${sentence}`, (t) =>
    t.is(namesIn(roomOf(free), demand(...gang)), want));
}

test('who does not find room for all takes nothing, and keeps nobody else from less', (t) => {
  const room = roomOf([4, 4]);
  t.is(namesIn(room, demand(3, 4)), undefined);
  t.is(namesIn(room, demand(1, 4, 'one')), 'a');
  t.is(namesIn(room, demand(1, 4, 'other')), 'b');
});

/** The fewest nodes that hold so many pods of so many devices, by trying them all; undefined where none do. */
function fewest(free: readonly number[], pods: number, count: number): number | undefined {
  const sets = Array.from({ length: 2 ** free.length }, (_, bits) =>
    free.filter((__, i) => (bits >> i) % 2 === 1),
  );
  const enough = sets.filter((some) => some.reduce((sum, one) => sum + Math.floor(one / count), 0) >= pods);
  return enough.length === 0 ? undefined : Math.min(...enough.map((some) => some.length));
}

test('on any nodes a gang is placed if it fits, on as few of them as possible, and never over what is free', (t) => {
  const worlds = fc.record({
    free: fc.array(fc.integer({ min: 0, max: 8 }), { minLength: 1, maxLength: 6 }),
    pods: fc.integer({ min: 1, max: 9 }),
    count: fc.integer({ min: 1, max: 5 }),
  });
  fc.assert(
    fc.property(worlds, ({ free, pods, count }) => {
      const room = roomOf(free);
      const offer = room.offer(demand(pods, count));
      const found = room.take(demand(pods, count));
      const want = fewest(free, pods, count);
      t.is(found !== undefined, want !== undefined);
      t.is(offer.pods >= pods, want !== undefined, 'and what is offered says the same');
      if (found === undefined) return;
      t.is(found.length, pods);
      t.deepEqual([new Set(found.map(({ node }) => node.name)).size], [want]);
      for (const [name, here] of Map.groupBy(found, ({ node }) => node.name)) {
        const before = free[name.charCodeAt(0) - 97]!;
        t.true(here.length * count <= before);
        t.is(room.freeOn(here[0]!), before - here.length * count);
      }
    }),
    { numRuns: 2000 },
  );
});

test('of nodes that hold all by themselves, the one that is left with the fewest is taken', (t) => {
  const worlds = fc.record({
    free: fc.array(fc.integer({ min: 0, max: 8 }), { minLength: 1, maxLength: 5 }),
    pods: fc.integer({ min: 1, max: 4 }),
    count: fc.integer({ min: 1, max: 4 }),
  });
  fc.assert(
    fc.property(worlds, ({ free, pods, count }) => {
      const fitting = free.filter((one) => one >= pods * count);
      fc.pre(fitting.length > 0);
      const [place] = roomOf(free).take(demand(pods, count)) ?? [];
      const taken = free[(place?.node.name.codePointAt(0) ?? 0) - 97];
      t.is(taken, Math.min(...fitting));
    }),
  );
});

function obstacleTo(free: readonly number[], wanted: DeviceDemand) {
  return new DeviceQueue({ supply: supplyOf(nodesOf(free)), pending: [], waiters: [], nowMs: 0 }).obstacleTo(
    wanted,
  );
}

test('who waits is told how much is wanted, how much is free, and for how many of its pods that would do', (t) => {
  t.is(obstacleTo([4, 4], demand(2, 4)), undefined);
  const short = obstacleTo([5, 3], demand(3, 2));
  t.is(short, undefined, 'two on one node and one on the other');
  const waiting = obstacleTo([5, 3], demand(4, 2));
  t.is(waiting?.reason, 'NoFreeDevices');
  t.regex(
    waiting?.message ?? '',
    /asks for 8 devices of class gpu, for 4 pods with 2 each; 8 are free now, which is room for 3 such pods/,
  );
  const never = obstacleTo([8, 8], demand(3, 8));
  t.is(never?.reason, 'NoNodes');
  t.regex(never?.message ?? '', /all nodes that it may be on have room for 2 such pods/);
});

/** A gang that has waited for so long, and a Run of one pod that comes by. */
function passesBy(waitedMs: number, free: readonly number[]): boolean {
  const waiter = { ...demand(2, 8, 'gang'), sinceMs: 0, share: 0 };
  const queue = new DeviceQueue({
    supply: supplyOf(runsOn(free)),
    pending: [],
    waiters: [waiter],
    nowMs: waitedMs,
  });
  return queue.obstacleTo(demand(1, 1, 'small')) === undefined;
}

/** Nodes as above, but what is not free is held by Runs. */
function runsOn(free: readonly number[]) {
  const { nodes } = nodesOf(free);
  return { nodes, pods: nodes.map(({ metadata }, i) => makeHolder(metadata.name, 8 - free[i]!, `run-${i}`)) };
}

test('a gang that fits nowhere lets others pass for a while, and then has as many nodes set aside as it needs', (t) => {
  t.true(passesBy(PATIENCE_MS - 1, [4, 4]));
  t.false(passesBy(PATIENCE_MS, [4, 4]), 'both are for the gang');
  t.true(passesBy(PATIENCE_MS, [4, 4, 2]), 'a third one is not');
});

test('whose turn it is has its devices kept for all pods, and others find only what is left', (t) => {
  const waiter = { ...demand(2, 6, 'gang'), sinceMs: 0, share: 0 };
  const supply = supplyOf(nodesOf([8, 8]));
  const queue = new DeviceQueue({ supply, pending: [], waiters: [waiter], nowMs: 1 });
  t.deepEqual(
    queue.placements.get('gang')?.map(({ node }) => node.name),
    ['a', 'b'],
  );
  t.is(queue.obstacleTo(waiter), undefined);
  t.is(queue.obstacleTo(demand(1, 2, 'small')), undefined);
  t.not(queue.obstacleTo(demand(1, 3, 'large')), undefined);
  t.not(queue.obstacleTo({ ...waiter, pods: 3 }), undefined, 'who asks for more by now has no turn');
});
