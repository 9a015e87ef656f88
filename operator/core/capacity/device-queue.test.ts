// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { LABELS } from '#crds/v1alpha1/names';
import { makeClass } from '../run/testing/make.ts';
import {
  DeviceDesk,
  DeviceQueue,
  type DeviceQueueInput,
  type DeviceRequest,
  type DeviceWaiter,
  PATIENCE_MS,
  SHARE_MS,
} from './device-queue.ts';
import type { Tenancy } from './node.ts';
import type { DeviceDemand } from './room.ts';
import type { DevicePlace } from './supply.ts';
import { ANY_GPU, makeHolder, makeNode, supplyOf } from './testing/make.ts';

const NOW_MS = 10_000_000;
const SOFT: Tenancy = { tenant: 'acme', isHard: false };
const DEDICATED = { labels: { [LABELS.dedicated]: 'acme' } };
const DEDICATED_BY_TAINT = { taints: [{ key: LABELS.dedicated, value: 'acme', effect: 'NoSchedule' }] };

function demand(uid: string, count: number, more: Partial<DeviceDemand> = {}): DeviceDemand {
  return { ...SOFT, uid, class: 'gpu', count, ...more };
}

function waiter(uid: string, count: number, waitedMs: number): DeviceWaiter {
  return { ...demand(uid, count), tenant: `tenant-of-${uid}`, sinceMs: NOW_MS - waitedMs, share: 0 };
}

function holder(share: number, one: DeviceWaiter): DeviceWaiter {
  return { ...one, share };
}

function queueOf(more: Partial<DeviceQueueInput>): DeviceQueue {
  return new DeviceQueue({ supply: supplyOf({}), pending: [], waiters: [], nowMs: NOW_MS, ...more });
}

interface Case {
  readonly given: Partial<DeviceQueueInput>;
  readonly asks: DeviceDemand;
  /** Undefined: it has its devices. */
  readonly want: string | undefined;
  readonly says?: RegExp;
}

const FRAGMENTED = supplyOf({
  nodes: [makeNode('a'), makeNode('b')],
  pods: [makeHolder('a', 3, 'r1'), makeHolder('b', 3, 'r2')],
});
const FRAGMENTED_BY_OTHERS = supplyOf({
  nodes: [makeNode('a'), makeNode('b')],
  pods: [makeHolder('a', 3), makeHolder('b', 3)],
});
const LARGE_HAS_WAITED = [waiter('large', 8, PATIENCE_MS)];

const CASES: Readonly<Record<string, Case>> = {
  'five free on each of two nodes are not eight': {
    given: { supply: FRAGMENTED },
    asks: demand('x', 8),
    want: 'NoFreeDevices',
    says: /^asks for 8 devices of class gpu on one node; 10 are free now, at most 5 on one node, and it starts when 8 are free/,
  },
  'but they are five': { given: { supply: FRAGMENTED }, asks: demand('x', 5), want: undefined },
  'what was admitted and has no pod yet is taken': {
    given: { supply: FRAGMENTED, pending: [demand('p', 5), demand('q', 1)] },
    asks: demand('x', 5),
    want: 'NoFreeDevices',
    says: /4 are free now, at most 4 on one node/,
  },
  'no node at all': {
    given: {},
    asks: demand('x', 1),
    want: 'NoNodes',
    says: /asks for 1 device of class gpu, and no node that it may be on has any/,
  },
  'no node is so large, free or not': {
    given: { supply: FRAGMENTED },
    asks: demand('x', 9),
    want: 'NoNodes',
    says: /no node has more than 8/,
  },
  'a cordoned node is one to wait for': {
    given: { supply: supplyOf({ nodes: [makeNode('a', { cordoned: true })] }) },
    asks: demand('x', 1),
    want: 'NoFreeDevices',
  },
  'nodes of somebody else are not there': {
    given: { supply: supplyOf({ nodes: [makeNode('a', DEDICATED), makeNode('b', DEDICATED_BY_TAINT)] }) },
    asks: demand('x', 1, { tenant: 'other' }),
    want: 'NoNodes',
  },
  'nor are they for their tenant, unless it is of tier Hard': {
    given: { supply: supplyOf({ nodes: [makeNode('a', DEDICATED)] }) },
    asks: demand('x', 1),
    want: 'NoNodes',
  },
  'a tenant of tier Hard has its own nodes': {
    given: { supply: supplyOf({ nodes: [makeNode('a', DEDICATED)] }) },
    asks: demand('x', 1, { isHard: true }),
    want: undefined,
  },
  'and no others': {
    given: {
      supply: supplyOf({ nodes: [makeNode('a'), makeNode('b', DEDICATED)], pods: [makeHolder('b', 8)] }),
    },
    asks: demand('x', 1, { isHard: true }),
    want: 'NoFreeDevices',
  },
  'who has waited longer goes first': {
    given: { supply: FRAGMENTED, waiters: [waiter('w', 5, 2), waiter('v', 5, 1)] },
    asks: demand('x', 1),
    want: 'NoFreeDevices',
    says: /10 are free now.*those are for Runs that were admitted, have waited longer or are of tenants that hold fewer/,
  },
  'and finds its devices, though another waits too': {
    given: { supply: FRAGMENTED, waiters: [waiter('v', 5, 1), waiter('w', 5, 2), waiter('u', 5, 3)] },
    asks: { ...waiter('w', 5, 2) },
    want: undefined,
  },
  'who holds less goes first, though the other has waited longer': {
    given: {
      supply: FRAGMENTED,
      waiters: [waiter('poor', 5, 1), holder(1, waiter('rich', 5, SHARE_MS)), waiter('v', 5, 1)],
    },
    asks: { ...waiter('poor', 5, 1) },
    want: undefined,
  },
  'but not for longer than what it holds is worth': {
    given: {
      supply: FRAGMENTED,
      waiters: [
        waiter('poor', 5, 1),
        holder(1, waiter('rich', 5, SHARE_MS + 2)),
        holder(2, waiter('richer', 5, 0)),
      ],
    },
    asks: { ...holder(1, waiter('rich', 5, SHARE_MS + 2)) },
    want: undefined,
  },
  'its turn is for what it asked for': {
    given: { supply: FRAGMENTED, waiters: [waiter('w', 1, 2)] },
    asks: { ...waiter('w', 6, 2) },
    want: 'NoFreeDevices',
  },
  'a large one that waits lets small ones pass': {
    given: { supply: FRAGMENTED, waiters: [waiter('large', 8, PATIENCE_MS - 1)], pending: [demand('p', 5)] },
    asks: demand('x', 5),
    want: undefined,
  },
  'but when it has waited for long, a node is kept for it': {
    given: { supply: FRAGMENTED, waiters: LARGE_HAS_WAITED, pending: [demand('p', 5)] },
    asks: demand('x', 5),
    want: 'NoFreeDevices',
  },
  'one node, and no more': {
    given: { supply: FRAGMENTED, waiters: [...LARGE_HAS_WAITED, waiter('too', 8, PATIENCE_MS)] },
    asks: demand('x', 5),
    want: undefined,
  },
  'none where what is not ours would have to end': {
    given: { supply: FRAGMENTED_BY_OTHERS, waiters: LARGE_HAS_WAITED, pending: [demand('p', 5)] },
    asks: demand('x', 5),
    want: undefined,
  },
  'an admitted one that found its devices taken has a node kept at once': {
    given: { supply: FRAGMENTED, pending: [demand('p', 8), demand('q', 5)] },
    asks: demand('x', 5),
    want: 'NoFreeDevices',
  },
  'nodes on demand are not waited for': {
    given: { supply: supplyOf({ gpuClasses: [makeClass('gpu', { provisioning: 'OnDemand' })] }) },
    asks: demand('x', 1),
    want: undefined,
  },
  'nor is what cannot be counted': {
    given: { supply: supplyOf({ gpuClasses: [makeClass('gpu', { deviceClassName: 'nowhere' })] }) },
    asks: demand('x', 1),
    want: undefined,
  },
  'two classes share the devices that both name': {
    given: {
      supply: supplyOf({ gpuClasses: [ANY_GPU, makeClass('same')], nodes: [makeNode('a')] }),
      pending: [demand('p', 6, { class: 'same' })],
    },
    asks: demand('x', 3),
    want: 'NoFreeDevices',
    says: /2 are free now/,
  },
};

for (const [sentence, { given, asks, want, says }] of Object.entries(CASES)) {
  test(sentence, (t) => {
    const obstacle = queueOf(given).obstacleTo(asks);
    t.is(obstacle?.reason, want, obstacle?.message);
    if (says !== undefined) t.regex(obstacle?.message ?? '', says);
  });
}

const PACKING: Readonly<
  Record<string, { readonly given: Partial<DeviceQueueInput>; readonly want: string }>
> = {
  'the node that is left with the fewest': {
    given: {
      supply: supplyOf({
        nodes: [makeNode('a'), makeNode('b'), makeNode('c')],
        pods: [makeHolder('a', 2), makeHolder('b', 5), makeHolder('c', 7)],
      }),
    },
    want: 'b',
  },
  'of equal ones, in the pool with the fewest free': {
    given: {
      supply: supplyOf({
        nodes: [
          makeNode('a', { pool: 'wide' }),
          makeNode('b', { pool: 'wide' }),
          makeNode('c', { pool: 'tight' }),
        ],
      }),
    },
    want: 'c',
  },
  'a small pool, though a large one has more': {
    given: {
      supply: supplyOf({
        nodes: [makeNode('a', { pool: 'eight' }), makeNode('b', { pool: 'two', gpus: 2 })],
      }),
    },
    want: 'b',
  },
  'a node that takes pods': {
    given: { supply: supplyOf({ nodes: [makeNode('a', { cordoned: true, gpus: 2 }), makeNode('b')] }) },
    want: 'b',
  },
  'large ones are placed before small ones, and small ones fill up': {
    given: {
      supply: supplyOf({ nodes: [makeNode('a'), makeNode('b', { gpus: 6 })] }),
      pending: [demand('large', 6), demand('x', 2)],
    },
    want: 'a',
  },
};

for (const [sentence, { given, want }] of Object.entries(PACKING)) {
  test(`placed on ${sentence}`, (t) => {
    const queue = queueOf({ pending: [demand('x', 2)], ...given });
    t.is(queue.placements.get('x')?.[0]?.node.name, want);
  });
}

function asks(name: string, count: number): DeviceRequest {
  return { uid: name, namespace: 'a', name, class: 'gpu', count };
}

test('a desk notes whom it has served, and the first of each class whom it has not', (t) => {
  const desk = new DeviceDesk(queueOf({ supply: FRAGMENTED }), SOFT);
  t.truthy(desk.obstacleTo(asks('first', 8)));
  t.truthy(desk.obstacleTo(asks('second', 7)));
  t.is(desk.obstacleTo(asks('third', 2)), undefined);
  desk.take(asks('third', 2));
  t.like(desk.refused, [{ uid: 'first', tenant: 'acme', count: 8 }]);
  t.is(desk.refused.length, 1);
  t.like(desk.taken, [{ uid: 'third' }]);
});

const world = fc.record({
  nodes: fc.array(fc.record({ gpus: fc.nat(8), cordoned: fc.boolean(), used: fc.nat(8) }), { maxLength: 5 }),
  pending: fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 4 }),
  waiters: fc.array(fc.record({ count: fc.integer({ min: 1, max: 8 }), waitedMs: fc.nat(2 * PATIENCE_MS) }), {
    maxLength: 4,
  }),
  asks: fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 12 }),
});

test('whatever is asked for, in one pass no more is given away than is free, and each is on one node', (t) => {
  fc.assert(
    fc.property(world, ({ nodes, pending, waiters, asks }) => {
      const supply = supplyOf({
        nodes: nodes.map(({ gpus, cordoned }, i) => makeNode(`n${i}`, { gpus, cordoned })),
        pods: nodes.flatMap(({ used }, i) => (used > 0 ? [makeHolder(`n${i}`, used)] : [])),
      });
      const queue = queueOf({
        supply,
        pending: pending.map((count, i) => demand(`p${i}`, count)),
        waiters: waiters.map(({ count, waitedMs }, i) => waiter(`w${i}`, count, waitedMs)),
      });
      const admitted = asks.filter((count, i) => {
        const one = demand(`x${i}`, count);
        if (queue.obstacleTo(one) !== undefined) return false;
        queue.take(one);
        return true;
      });
      const placed = [...queue.placements.keys()].map((uid) =>
        uid.startsWith('p')
          ? (pending[Number(uid.slice(1))] ?? 0)
          : (waiters[Number(uid.slice(1))]?.count ?? 0),
      );
      const blocks = nodes.map(({ gpus, cordoned, used }) => (cordoned ? 0 : Math.max(0, gpus - used)));
      return fits([...admitted, ...placed], blocks);
    }),
    { numRuns: 500 },
  );
  t.pass();
});

/** Whether all `sizes` can be packed into `blocks`, none of them split. By trying, as these are few. */
function fits(sizes: readonly number[], blocks: readonly number[]): boolean {
  const [first, ...rest] = sizes.toSorted((a, b) => b - a);
  if (first === undefined) return true;
  return [...new Set(blocks)].some((block) => {
    const at = blocks.indexOf(block);
    return block >= first && fits(rest, blocks.with(at, block - first));
  });
}

test('every tenant finds the same Runs to be next, in whatever order it has learnt of them', (t) => {
  fc.assert(
    fc.property(world, ({ nodes, pending, waiters }) => {
      const heads = waiters.map(({ count, waitedMs }, i) => waiter(`w${i}`, count, waitedMs));
      const demands = pending.map((count, i) => demand(`p${i}`, count));
      const supply = supplyOf({ nodes: nodes.map(({ gpus }, i) => makeNode(`n${i}`, { gpus })) });
      const [one, other] = [
        queueOf({ supply, pending: demands, waiters: heads }),
        queueOf({ supply, pending: demands.toReversed(), waiters: heads.toReversed() }),
      ];
      t.deepEqual(namesOf(one), namesOf(other));
    }),
  );
});

function nodesOf(places: readonly DevicePlace[]): string {
  return places.map(({ node }) => node.name).join(' ');
}

function namesOf({ placements }: DeviceQueue): readonly string[] {
  return [...placements].map(([uid, places]) => `${uid} on ${nodesOf(places)}`).toSorted();
}
