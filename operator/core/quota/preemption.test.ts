// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { QuotaLedgerSpec } from '#crds/v1alpha1/quota-ledger';
import type { AgentSpec } from '#crds/v1alpha1/agent';
import type { Run } from '../run/run.ts';
import { NOW } from '../run/testing/make.ts';
import { type LedgerObserved, queueOf } from './ledger.ts';
import { sessionDigest } from './sessions.ts';
import {
  countedQuota,
  heldRun,
  NAMESPACE,
  namedAgent,
  namedRun,
  preemptingLedger,
} from './testing/make-held.ts';
import { NOTHING_OF_LEDGER } from './testing/make-ledger.ts';

type Held = ReturnType<typeof heldRun>;

interface Case {
  readonly spec?: Partial<QuotaLedgerSpec>;
  readonly startDueMicros?: number;
  readonly held: readonly Held[];
  readonly waiting: readonly Run[];
  readonly agents?: Readonly<Record<string, Partial<AgentSpec>>>;
  /** ResourceQuota of each namespace: allowed and used cores. */
  readonly cores?: Readonly<Record<string, readonly [string, string]>>;
  /** Who is admitted: `name`, or `name < those that make room for it`. */
  readonly want?: readonly string[];
  readonly wantWaiting?: readonly string[];
}

function cores(count: string): Partial<AgentSpec> {
  return {
    container: { image: 'registry.example.com/agent:1', resources: { requests: { cpu: count } } },
  };
}

const gpus = (count: number): Partial<AgentSpec> => ({ gpu: { class: 'h100', count } });
const withDevices = (count: number) => ({ reservation: { gpuClass: 'h100', gpus: count } });
const sized = { one: cores('1'), two: cores('2'), three: cores('3'), four: cores('4') };
const TWO = [heldRun(1, 'early', { since: 50 }), heldRun(2, 'late', { since: 20 })];
const FOUR_CORES = { spec: { hard: { 'requests.cpu': '4' } }, agents: sized };
const full = { maxConcurrentRuns: 2 };
const high = namedRun('high', { priority: 10 });
const inSession = namedRun('high', { priority: 10, spec: { session: 's' } });

const cases: Record<string, Case> = {
  'of two that are alike the latest start makes room': {
    spec: full,
    held: TWO,
    waiting: [high],
    want: ['high < late'],
  },
  'the lowest priority does, whenever it started': {
    spec: full,
    held: [heldRun(1, 'low', { since: 50 }), heldRun(2, 'late', { since: 20, priority: 1 })],
    waiting: [high],
    want: ['high < low'],
  },
  'where the tenant does not say so nobody does': {
    spec: { ...full, preemption: undefined },
    held: TWO,
    waiting: [high],
    wantWaiting: ['high ConcurrencyExceeded'],
  },
  'nobody of the same priority does': {
    spec: full,
    held: TWO,
    waiting: [namedRun('same')],
    wantWaiting: ['same ConcurrencyExceeded'],
  },
  'nor one who would be back before it, since he is so much older': {
    spec: full,
    held: [heldRun(1, 'a', { age: 3600 }), heldRun(2, 'b', { age: 3600 })],
    waiting: [namedRun('high', { priority: 10, age: 1 })],
    wantWaiting: ['high ConcurrencyExceeded'],
  },
  'with strict priority his age is nothing': {
    spec: { ...full, priorityAgingSeconds: 0 },
    held: [heldRun(1, 'a', { age: 3600 }), heldRun(2, 'b', { age: 3600, priority: 20 })],
    waiting: [namedRun('high', { priority: 10, age: 1 })],
    want: ['high < a'],
  },
  'a Run of an Agent that is not preemptible goes on': {
    spec: full,
    agents: { agent: {}, firm: { preemptible: false } },
    held: [heldRun(1, 'a', { agent: 'firm' }), heldRun(2, 'b', { priority: 1 })],
    waiting: [high],
    want: ['high < b'],
  },
  'and so does one whose Agent is not there': {
    spec: { maxConcurrentRuns: 1 },
    held: [heldRun(1, 'a', { agent: 'gone' })],
    waiting: [high],
    wantWaiting: ['high ConcurrencyExceeded'],
  },
  'one that does not know its reservation would not see it': {
    spec: { maxConcurrentRuns: 1 },
    held: [heldRun(1, 'a', { reservation: { serial: 2 } })],
    waiting: [high],
    wantWaiting: ['high ConcurrencyExceeded'],
  },
  'one that was not admitted yet keeps its place': {
    spec: { maxConcurrentRuns: 1 },
    held: [heldRun(1, 'a', { status: { phase: 'Queued', attempt: 0 } })],
    waiting: [high],
    wantWaiting: ['high ConcurrencyExceeded'],
  },
  'while somebody leaves anyhow nobody is ended, and nobody starts before he has': {
    spec: full,
    held: [heldRun(1, 'a', { spec: { cancel: true } }), heldRun(2, 'b')],
    waiting: [high],
    wantWaiting: ['high ConcurrencyExceeded'],
  },
  'a second one takes over from another': {
    spec: full,
    held: TWO,
    waiting: [high, namedRun('higher', { priority: 20 })],
    want: ['higher < late', 'high < early'],
  },
  'what leaves is counted once, whoever it is for': {
    spec: full,
    held: [heldRun(1, 'a', { spec: { cancel: true } }), heldRun(2, 'b')],
    waiting: [high, namedRun('higher', { priority: 20 })],
    want: ['high < b'],
    wantWaiting: ['higher ConcurrencyExceeded'],
  },
  'who waits for one that was told already is in the ledger, and nobody else has the place': {
    spec: full,
    held: [
      heldRun(1, 'a', { reservation: { preemptedBy: { namespace: NAMESPACE, name: 'w', priority: 5 } } }),
      heldRun(2, 'b', { priority: 20 }),
      heldRun(3, 'w', {
        priority: 5,
        status: { phase: 'Queued', attempt: 0 },
        reservation: { awaits: [1] },
      }),
    ],
    waiting: [high],
    wantWaiting: ['high ConcurrencyExceeded'],
  },
  'a free place beside them is free': {
    spec: { maxConcurrentRuns: 2 },
    held: [
      heldRun(1, 'a', { reservation: { preemptedBy: { namespace: NAMESPACE, name: 'w', priority: 5 } } }),
      heldRun(3, 'w', {
        priority: 5,
        status: { phase: 'Queued', attempt: 0 },
        reservation: { awaits: [1] },
      }),
    ],
    waiting: [high],
    want: ['high'],
  },
  'nobody makes up for a quota that was lowered below its use': {
    spec: { maxConcurrentRuns: 1 },
    held: TWO,
    waiting: [high],
    wantWaiting: ['high ConcurrencyExceeded'],
  },
  'who is behind one that lacks the same has no right to it': {
    spec: { maxConcurrentRuns: 1 },
    held: [heldRun(1, 'a', { age: 60, priority: 1 })],
    waiting: [namedRun('old', { age: 9000 }), high],
    wantWaiting: ['old ConcurrencyExceeded', 'high ConcurrencyExceeded'],
  },
  'a full Agent takes over from one of its own': {
    spec: { maxConcurrentRuns: 5 },
    agents: { agent: {}, tight: { limits: { timeoutSeconds: 60, maxConcurrentRuns: 1 } } },
    held: [heldRun(1, 'a', { since: 9 }), heldRun(2, 'b', { agent: 'tight' })],
    waiting: [namedRun('high', { priority: 10, agent: 'tight' })],
    want: ['high < b'],
  },
  'one large is ended rather than two small': {
    ...FOUR_CORES,
    cores: { [NAMESPACE]: ['4', '4'] },
    held: [
      heldRun(1, 's', { agent: 'one' }),
      heldRun(2, 't', { agent: 'one' }),
      heldRun(3, 'l', { agent: 'two', priority: 1 }),
    ],
    waiting: [namedRun('high', { priority: 10, agent: 'two' })],
    want: ['high < l'],
  },
  'two are, where none is large enough, and nobody who could be spared': {
    ...FOUR_CORES,
    cores: { [NAMESPACE]: ['4', '4'] },
    held: [
      heldRun(1, 's', { agent: 'one' }),
      heldRun(2, 't', { agent: 'one', priority: 2 }),
      heldRun(3, 'l', { agent: 'two', priority: 3 }),
    ],
    waiting: [namedRun('high', { priority: 10, agent: 'three' })],
    want: ['high < s,l'],
  },
  'what is free counts': {
    ...FOUR_CORES,
    cores: { [NAMESPACE]: ['4', '3'] },
    held: [heldRun(1, 's', { agent: 'one', priority: 1 }), heldRun(2, 'l', { agent: 'two' })],
    waiting: [namedRun('high', { priority: 10, agent: 'two' })],
    want: ['high < l'],
  },
  'nobody is ended where all together are too few': {
    ...FOUR_CORES,
    cores: { [NAMESPACE]: ['4', '4'] },
    held: [heldRun(1, 's', { agent: 'one' }), heldRun(2, 'l', { agent: 'three', priority: 20 })],
    waiting: [namedRun('high', { priority: 10, agent: 'two' })],
    wantWaiting: ['high ComputeQuotaExceeded'],
  },
  'nor for what is counted still, or is no Run': {
    ...FOUR_CORES,
    cores: { [NAMESPACE]: ['4', '4'] },
    held: [heldRun(1, 'l', { agent: 'two' })],
    waiting: [namedRun('high', { priority: 10, agent: 'two' })],
    wantWaiting: ['high ComputeQuotaExceeded'],
  },
  'quota of another namespace is taken over too': {
    ...FOUR_CORES,
    spec: { hard: { 'requests.cpu': '4' }, namespaces: [NAMESPACE, 'acme-prod'] },
    cores: { [NAMESPACE]: ['4', '4'], 'acme-prod': ['0', '0'] },
    held: [heldRun(1, 'l', { agent: 'four' })],
    waiting: [namedRun('high', { priority: 10, agent: 'four', namespace: 'acme-prod' })],
    want: ['high < l'],
  },
  'a Run with devices takes over from one that has them all': {
    spec: { gpus: [{ class: 'h100', count: 8 }] },
    agents: { agent: {}, small: gpus(2), large: gpus(4) },
    held: [
      heldRun(1, 's', { agent: 'small', ...withDevices(2) }),
      heldRun(2, 't', { agent: 'small', ...withDevices(2) }),
      heldRun(3, 'l', { agent: 'large', priority: 1, ...withDevices(4) }),
    ],
    waiting: [namedRun('high', { priority: 10, agent: 'large' })],
    want: ['high < l'],
  },
  'and never from several': {
    spec: { gpus: [{ class: 'h100', count: 4 }] },
    agents: { agent: {}, small: gpus(2), large: gpus(4) },
    held: [
      heldRun(1, 's', { agent: 'small', ...withDevices(2) }),
      heldRun(2, 't', { agent: 'small', ...withDevices(2) }),
    ],
    waiting: [namedRun('high', { priority: 10, agent: 'large' })],
    wantWaiting: ['high GPUQuotaExceeded'],
  },
  'nobody is ended for a turn of the rate': {
    spec: { ...full, createPerSecond: 1, createBurst: 1 },
    startDueMicros: (NOW.getTime() + 5000) * 1000,
    held: TWO,
    waiting: [high],
    wantWaiting: ['high RateLimited'],
  },
  'nor for a budget': {
    spec: { ...full, budgets: [{ unit: 'runUnits', window: 'hour', limit: '0' }] },
    held: TWO,
    waiting: [high],
    wantWaiting: ['high BudgetTooSmall'],
  },
  'nor for one that its user has suspended': {
    spec: full,
    held: TWO,
    waiting: [namedRun('high', { priority: 10, spec: { suspend: true } })],
    wantWaiting: ['high Suspended'],
  },
  'nor for one whose session is busy': {
    spec: full,
    held: [heldRun(1, 'a', { reservation: { session: sessionDigest(inSession) ?? '' } }), heldRun(2, 'b')],
    waiting: [inSession],
    wantWaiting: ['high SessionBusy'],
  },
};

function byNumber(a = 0, b = 0): number {
  return a - b;
}

for (const [name, one] of Object.entries(cases)) {
  test(`takes over: ${name}`, (t) => {
    const { agents = { agent: {} }, cores: quotas = {} } = one;
    const byAgent = Object.entries(agents).flatMap(([who, spec]) => namedAgent(who, spec));
    const observed: LedgerObserved = {
      ...NOTHING_OF_LEDGER,
      agents: new Map(byAgent),
      gpuClasses: new Map(),
      runs: [...one.held.map(({ run }) => run), ...one.waiting],
      started: new Set(one.held.map(({ run }) => run.metadata.uid ?? '')),
      quotas: new Map(
        Object.entries(quotas).map(([namespace, [hard, used]]) => [
          namespace,
          countedQuota(namespace, { 'requests.cpu': hard }, { 'requests.cpu': used }),
        ]),
      ),
    };
    const { status, ...ledger } = preemptingLedger(
      one.spec ?? {},
      one.held.map(({ reservation }) => reservation),
    );
    const { startDueMicros } = one;
    const before = startDueMicros === undefined ? status : { ...status, startDueMicros };
    const queue = queueOf({ ...ledger, ...(before && { status: before }) }, observed, NOW);
    const names = new Map(queue.held.map((held) => [held.serial, held.name]));
    const admitted = queue.admitted.map(({ name: who, awaits }) => {
      const others = awaits?.map((serial) => names.get(serial)).join(',');
      return others === undefined ? who : `${who} < ${others}`;
    });
    t.deepEqual(admitted, [...(one.want ?? [])]);
    t.deepEqual(
      queue.waiting.map(({ candidate, reason }) => `${candidate.name} ${reason}`),
      [...(one.wantWaiting ?? [])],
    );
    const marked = queue.held.filter((held) => queue.marks.has(held.uid)).map(({ serial }) => serial);
    const awaited = queue.admitted.flatMap(({ awaits = [] }) => awaits);
    t.deepEqual(marked.toSorted(byNumber), awaited.toSorted(byNumber), 'those and nobody else are told');
  });
}

test('who waits only for the rate before it takes over is looked at again when that opens', (t) => {
  const held = TWO.map(({ reservation }) => reservation);
  const ledger = preemptingLedger({ ...full, createPerSecond: 1, createBurst: 1 }, held);
  const dueMs = NOW.getTime() + 800;
  const observed = {
    ...NOTHING_OF_LEDGER,
    agents: new Map(namedAgent('agent')),
    runs: [...TWO.map(({ run }) => run), high],
  };
  const queue = queueOf(
    { ...ledger, status: { ...ledger.status, startDueMicros: dueMs * 1000 } },
    observed,
    NOW,
  );
  t.is(queue.nextMs, dueMs);
});
