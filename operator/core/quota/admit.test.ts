// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { DeviceDesk, DeviceQueue } from '../capacity/device-queue.ts';
import { makeHolder, makeNode, supplyOf } from '../capacity/testing/make.ts';
import { atOnce } from '../pieces.ts';
import { makeClass, NOW } from '../run/testing/make.ts';
import { type AdmissionInput, admitRuns, type Candidate } from './admit.ts';
import { parseAmounts } from './amounts.ts';
import { CreateRate } from './create-rate.ts';
import { reservationBytes } from './ledger-size.ts';

function candidate(name: string, more: Partial<Candidate> = {}): Candidate {
  return {
    uid: name,
    namespace: 'a',
    name,
    agent: 'agent',
    priority: 0,
    createdAt: '2026-11-21T12:00:00Z',
    attempt: 1,
    demand: new Map(),
    ...more,
  };
}

function held(name: string, more: Partial<Reservation> = {}): Reservation {
  return { uid: name, namespace: 'a', name, agent: 'agent', attempt: 1, ...more };
}

function input(more: Partial<AdmissionInput>): AdmissionInput {
  return {
    isSuspended: false,
    maxConcurrentRuns: undefined,
    gpus: new Map(),
    agentLimits: new Map(),
    free: new Map(),
    freeIn: new Map(),
    held: [],
    candidates: [],
    ...more,
  };
}

const cpu = (amount: string) => parseAmounts({ 'requests.cpu': amount });
const h100 = (count: number) => ({ gpu: { class: 'h100', count } });

/** Two nodes of class h100 with five free devices each, and one of class l4 with eight. */
function openDesk(): DeviceDesk {
  const supply = supplyOf({
    gpuClasses: ['h100', 'l4'].map((name) => makeClass(name, { nodeSelector: { product: name } })),
    nodes: [
      makeNode('a', { labels: { product: 'h100' } }),
      makeNode('b', { labels: { product: 'h100' } }),
      makeNode('c', { labels: { product: 'l4' } }),
    ],
    pods: [makeHolder('a', 3), makeHolder('b', 3)],
  });
  const queue = new DeviceQueue({ supply, pending: [], waiters: [], nowMs: 0 });
  return new DeviceDesk(queue, { tenant: 'acme', isHard: false });
}

const MANY = new Map([
  ['h100', 100],
  ['l4', 100],
]);
const l4 = { gpu: { class: 'l4', count: 8 } };

interface Case {
  readonly given: Partial<AdmissionInput>;
  readonly want: readonly string[];
  /** `<name> <reason>` in the order of the queue. */
  readonly wantWaiting?: readonly string[];
  /** What the message to a waiting Run says. */
  readonly wantSaid?: Readonly<Record<string, string>>;
  readonly wantDemands?: readonly string[];
}

const cases: Record<string, Case> = {
  'all that fit are admitted at once': {
    given: { maxConcurrentRuns: 2, candidates: [candidate('x'), candidate('y')] },
    want: ['x', 'y'],
  },
  'who does not fit into the ledger waits, though there are places': {
    given: {
      bytes: reservationBytes(held('h')) + reservationBytes(held('x')),
      held: [held('h')],
      candidates: [candidate('x'), candidate('y')],
    },
    want: ['x'],
    wantWaiting: ['y ConcurrencyExceeded'],
  },
  'who does not fit into the ledger is not passed by who is shorter': {
    given: {
      bytes: reservationBytes(held('x')),
      candidates: [candidate('longer-name'), candidate('x')],
    },
    want: [],
    wantWaiting: ['longer-name ConcurrencyExceeded', 'x ConcurrencyExceeded'],
  },
  'who has a key that cannot be remembered waits, and holds nobody back': {
    given: {
      keysLeft: 1,
      candidates: [candidate('x', { keyBytes: 9 }), candidate('y', { keyBytes: 9 }), candidate('z')],
    },
    want: ['x', 'z'],
    wantWaiting: ['y TooManyKeys'],
  },
  'a key takes room in the ledger': {
    given: {
      bytes: reservationBytes(held('x')) + 8,
      candidates: [candidate('x', { keyBytes: 9 })],
    },
    want: [],
    wantWaiting: ['x ConcurrencyExceeded'],
  },
  'who comes faster than the rate allows waits, and is told until when': {
    given: {
      rate: new CreateRate({ perSecond: 2, burst: 1 }, { dueMicros: undefined, now: NOW }),
      candidates: [candidate('x'), candidate('y'), candidate('z')],
    },
    want: ['x'],
    wantWaiting: ['y RateLimited', 'z RateLimited'],
    wantSaid: { y: '2026-11-21T12:00:00.500Z', z: '2026-11-21T12:00:01.000Z' },
  },
  'an attempt that is no first one is no creation': {
    given: {
      rate: new CreateRate({ perSecond: 2, burst: 1 }, { dueMicros: undefined, now: NOW }),
      candidates: [candidate('w', { attempt: 2 }), candidate('x'), candidate('y', { attempt: 2 })],
    },
    want: ['w', 'x', 'y'],
  },
  'who waits for something else takes no turn': {
    given: {
      rate: new CreateRate({ perSecond: 2, burst: 1 }, { dueMicros: undefined, now: NOW }),
      free: cpu('1'),
      freeIn: new Map([['a', cpu('1')]]),
      candidates: [candidate('w', { demand: cpu('2') }), candidate('x')],
    },
    want: ['x'],
    wantWaiting: ['w ComputeQuotaExceeded'],
  },
  'the rest waits for a place': {
    given: { maxConcurrentRuns: 2, held: [held('h')], candidates: [candidate('x'), candidate('y')] },
    want: ['x'],
    wantWaiting: ['y ConcurrencyExceeded'],
  },
  'quota is not enough: a node must have the devices free': {
    given: {
      gpus: MANY,
      openDesk,
      candidates: [candidate('w', h100(5)), candidate('x', h100(4)), candidate('y', h100(2))],
    },
    want: ['w', 'x'],
    wantWaiting: ['y NoFreeDevices'],
  },
  'a large Run that no node has room for is not starved by small ones of its class, and holds up no other class':
    {
      given: {
        gpus: MANY,
        openDesk,
        candidates: [candidate('w', h100(6)), candidate('x', h100(1)), candidate('y', l4)],
      },
      want: ['y'],
      wantWaiting: ['w NoFreeDevices', 'x NoFreeDevices'],
    },
  'devices are not taken by who waits for something else': {
    given: {
      gpus: MANY,
      openDesk,
      free: cpu('1'),
      freeIn: new Map([['a', cpu('1')]]),
      candidates: [candidate('w', { ...l4, demand: cpu('2') }), candidate('x', l4)],
    },
    want: ['x'],
    wantWaiting: ['w ComputeQuotaExceeded'],
  },
  'a limit of none admits none': {
    given: { maxConcurrentRuns: 0, candidates: [candidate('x')] },
    want: [],
    wantWaiting: ['x ConcurrencyExceeded'],
  },
  'the higher priority goes first, then the older, then by uid': {
    given: {
      candidates: [
        candidate('c'),
        candidate('b'),
        candidate('old', { createdAt: '2026-11-21T11:59:59Z' }),
        candidate('urgent', { priority: 1 }),
      ],
    },
    want: ['urgent', 'old', 'b', 'c'],
  },
  'a suspended tenant starts nothing': {
    given: { isSuspended: true, candidates: [candidate('x')] },
    want: [],
    wantWaiting: ['x TenantSuspended'],
  },
  'who is blocked by something else holds nobody back': {
    given: {
      maxConcurrentRuns: 1,
      candidates: [candidate('a', { blocked: { reason: 'AgentNotReady', message: '' } }), candidate('b')],
    },
    want: ['b'],
    wantWaiting: ['a AgentNotReady'],
  },
  'the limit of an agent holds back its own Runs only': {
    given: {
      agentLimits: new Map([['a/agent', 1]]),
      candidates: [candidate('a'), candidate('b'), candidate('c', { agent: 'other' })],
    },
    want: ['a', 'c'],
    wantWaiting: ['b AgentConcurrencyExceeded'],
  },
  'devices are counted by class': {
    given: {
      gpus: new Map([['h100', 8]]),
      held: [held('h', { gpuClass: 'h100', gpus: 6 })],
      candidates: [candidate('a', h100(2)), candidate('b', h100(1))],
    },
    want: ['a'],
    wantWaiting: ['b GPUQuotaExceeded'],
  },
  'who waits for many devices is not overtaken by who wants few of the same': {
    given: {
      gpus: new Map([['h100', 4]]),
      candidates: [candidate('a', h100(8)), candidate('b', h100(1)), candidate('c')],
    },
    want: ['c'],
    wantWaiting: ['a GPUQuotaExceeded', 'b GPUQuotaExceeded'],
  },
  'a class without quota cannot be used': {
    given: { candidates: [candidate('a', h100(1))] },
    want: [],
    wantWaiting: ['a GPUQuotaExceeded'],
  },
  'who waits for many cores is not overtaken by who wants few': {
    given: {
      free: cpu('4'),
      freeIn: new Map([['a', cpu('4')]]),
      candidates: [
        candidate('a', { demand: cpu('8') }),
        candidate('b', { demand: cpu('1') }),
        candidate('c'),
      ],
    },
    want: ['c'],
    wantWaiting: ['a ComputeQuotaExceeded', 'b ComputeQuotaExceeded'],
  },
  'quota of the tenant that is in another namespace is asked for': {
    given: {
      free: cpu('4'),
      freeIn: new Map([
        ['a', cpu('1')],
        ['b', cpu('3')],
      ]),
      candidates: [
        candidate('a', { demand: cpu('2') }),
        candidate('b', { namespace: 'b', demand: cpu('2') }),
      ],
    },
    want: ['b'],
    wantWaiting: ['a ComputeQuotaExceeded'],
    wantDemands: ['a'],
  },
  'what is set aside for one that waits for its grant is not given to another': {
    given: {
      free: cpu('4'),
      freeIn: new Map([
        ['a', cpu('1')],
        ['b', cpu('3')],
      ]),
      candidates: [
        candidate('a', { demand: cpu('3') }),
        candidate('b', { namespace: 'b', demand: cpu('2') }),
      ],
    },
    want: [],
    wantWaiting: ['a ComputeQuotaExceeded', 'b ComputeQuotaExceeded'],
    wantDemands: ['a'],
  },
  'a namespace without a ResourceQuota waits for it': {
    given: { free: cpu('4'), candidates: [candidate('a', { demand: cpu('1') })] },
    want: [],
    wantWaiting: ['a ComputeQuotaExceeded'],
    wantDemands: ['a'],
  },
};

for (const [name, { given, want, wantWaiting = [], wantSaid = {}, wantDemands = [] }] of Object.entries(
  cases,
)) {
  test(name, (t) => {
    const { admitted, waiting, demands } = atOnce(admitRuns(input(given)));
    t.deepEqual(
      admitted.map((one) => one.name),
      want,
    );
    t.deepEqual(
      waiting.map((one) => `${one.candidate.name} ${one.reason}`),
      wantWaiting,
    );
    for (const { candidate: one, message } of waiting) {
      const words = wantSaid[one.name] ?? '';
      t.true(message.includes(words), `${words} in: ${message}`);
    }
    t.deepEqual(
      demands.map((one) => one.namespace),
      wantDemands,
    );
  });
}

const anyCandidate = fc.record({
  namespace: fc.constantFrom('a', 'b'),
  agent: fc.constantFrom('x', 'y'),
  priority: fc.integer({ min: -1, max: 1 }),
  cores: fc.integer({ min: 0, max: 4 }),
  devices: fc.integer({ min: 0, max: 3 }),
});

test('nothing that is counted is ever handed out twice, and nobody is lost', (t) => {
  const limits = fc.record({
    runs: fc.nat(6),
    devices: fc.nat(6),
    cores: fc.nat(10),
    inA: fc.nat(10),
    agent: fc.nat(4),
  });
  fc.assert(
    fc.property(fc.array(anyCandidate, { maxLength: 12 }), limits, (some, limit) => {
      const candidates = some.map(({ cores, devices, ...more }, i) =>
        candidate(String(i), {
          ...more,
          demand: cpu(String(cores)),
          ...(devices > 0 && { gpu: { class: 'h100', count: devices } }),
        }),
      );
      const { admitted, waiting } = atOnce(
        admitRuns(
          input({
            maxConcurrentRuns: limit.runs,
            gpus: new Map([['h100', limit.devices]]),
            agentLimits: new Map([['a/x', limit.agent]]),
            free: cpu(String(limit.cores)),
            freeIn: new Map([
              ['a', cpu(String(limit.inA))],
              ['b', cpu(String(limit.cores))],
            ]),
            candidates,
          }),
        ),
      );
      const cores = (those: readonly Reservation[]) =>
        those.reduce((sum, { uid }) => sum + some[Number(uid)]!.cores, 0);
      return (
        admitted.length + waiting.length === some.length &&
        admitted.length <= limit.runs &&
        admitted.reduce((sum, { gpus = 0 }) => sum + gpus, 0) <= limit.devices &&
        cores(admitted) <= limit.cores &&
        cores(admitted.filter(({ namespace }) => namespace === 'a')) <= limit.inA &&
        admitted.filter(({ namespace, agent }) => namespace === 'a' && agent === 'x').length <= limit.agent
      );
    }),
    { numRuns: 2000 },
  );
  t.pass();
});
