// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { BudgetLimit } from '#crds/v1alpha1/budgets';
import { API_VERSION } from '#crds/v1alpha1/names';
import type { Price } from '#crds/v1alpha1/price';
import type { QuotaLedgerStatus, Reservation } from '#crds/v1alpha1/quota-ledger';
import type { RunStatus } from '#crds/v1alpha1/run';
import type { WindowUse } from '#crds/v1alpha1/usage-history';
import { agentKey } from '../agent/agent.ts';
import { revisionSuffix } from '../agent/template.ts';
import { formatMetered, NOTHING_METERED } from '../metering/amounts.ts';
import { makeRate, makeUse } from '../metering/testing/make.ts';
import type { Run } from '../run/run.ts';
import { ago, makeAgent, makeRun, NOW, revisionOf } from '../run/testing/make.ts';
import type { Ledger } from '../tenant/tenant.ts';
import { planLedger, queueOf } from './ledger.ts';
import { NOTHING_OF_LEDGER } from './testing/make-ledger.ts';

const NAMESPACE = 'acme-dev';
const hour = (limit: string | number): BudgetLimit => ({ unit: 'runUnits', window: 'hour', limit });
const month = (limit: string | number): BudgetLimit => ({ unit: 'runUnits', window: 'month', limit });
const tokens = (limit: string | number): BudgetLimit => ({ unit: 'tokens', window: 'day', limit });
const HOUR_MS = 3_600_000;
const RATE = makeRate({ cpuMillicores: 1000 });

/** A Run that waits, and is expected to use so much. */
function waits(name: string, runUnits: number | string, more: { readonly tokens?: number } = {}): Run {
  const run = makeRun({ estimate: { runUnits, ...more } });
  return { ...run, metadata: { ...run.metadata, name, uid: name } };
}

function holds(name: string, more: Partial<Reservation> = {}): Reservation {
  return { uid: name, namespace: NAMESPACE, name, agent: 'agent', attempt: 1, serial: 7, ...more };
}

/** A Run that was admitted by such a reservation, and whose container has run for so long at a core. */
function runs(name: string, seconds: number): Run {
  const status: RunStatus = {
    phase: 'Running',
    attempt: 1,
    startedAt: ago(seconds),
    child: { name: 'x', uid: 'x' },
    usage: { open: { rate: RATE, reservation: 7 } },
  };
  return { ...waits(name, 1), status };
}

/** The same when it has ended after so long. */
function ended(name: string, seconds: number): Run {
  const pods = [makeUse(seconds)];
  const attempt = { attempt: 1, settledAt: ago(0), reservation: 7, rate: RATE, pods };
  return { ...waits(name, 1), status: { phase: 'Succeeded', attempt: 1, usage: { attempts: [attempt] } } };
}

/** So many run units, used in a window. */
function used(window: WindowUse['window'], start: string, runUnits: bigint): WindowUse {
  const amounts = formatMetered({ ...NOTHING_METERED, runUnits: runUnits * 1_000_000n });
  return { window, start, attempts: 1, amounts };
}

/** So many tokens, reported today. */
function said(inputTokens: number): WindowUse {
  return { ...used('day', '2026-11-21T00:00:00Z', 0n), reported: { inputTokens } };
}

const THIS_HOUR = used('hour', '2026-11-21T12:00:00Z', 4n);
const LAST_HOUR = used('hour', '2026-11-21T11:00:00Z', 9n);

interface Case {
  readonly budgets: readonly BudgetLimit[];
  readonly windows?: readonly WindowUse[];
  readonly held?: readonly Reservation[];
  readonly runs: readonly Run[];
  /** Names of those who hold a reservation afterwards, with the run units of it. */
  readonly want: Readonly<Record<string, string | undefined>>;
  readonly paused?: Readonly<Record<string, string>>;
  /** When it is looked at again because of the time alone, in milliseconds from now. */
  readonly wantMs?: number;
}

const cases: Record<string, Case> = {
  'who fits is admitted, and what he is expected to use is reserved': {
    budgets: [hour(10)],
    runs: [waits('a', 4)],
    want: { a: '4' },
  },
  'of two who fit each, one is; the end of the window would help nobody, since that one still reserves then':
    {
      budgets: [hour(10)],
      runs: [waits('a', 6), waits('b', 6)],
      want: { a: '6' },
    },
  'who asks for nothing does not pass one who waits': {
    budgets: [hour(10)],
    windows: [THIS_HOUR],
    runs: [waits('a', 7), waits('b', 0)],
    want: {},
    wantMs: HOUR_MS,
  },
  'what was used in this hour counts, and what was used before it does not': {
    budgets: [hour(10)],
    windows: [THIS_HOUR, LAST_HOUR],
    runs: [waits('a', 6), waits('b', '0.01')],
    want: { a: '6' },
    wantMs: HOUR_MS,
  },
  'what is reserved counts in every window': {
    budgets: [hour(10)],
    held: [holds('h', { runUnits: '5.5' })],
    runs: [runs('h', 1), waits('a', '4.6')],
    want: { h: '5.5' },
    // It uses the other 4.5 at a core.
    wantMs: 4501,
  },
  'what an attempt has used counts in the very pass that gives its reservation back': {
    budgets: [hour(10)],
    held: [holds('h', { runUnits: '5' })],
    runs: [ended('h', 8), waits('a', 3)],
    want: {},
    wantMs: HOUR_MS,
  },
  'and what it has reserved and not used is for others': {
    budgets: [hour(10)],
    held: [holds('h', { runUnits: '9' })],
    runs: [ended('h', 2), waits('a', 8)],
    want: { a: '8' },
  },
  'one that needs more than is left holds back smaller ones behind it': {
    budgets: [hour(10)],
    windows: [THIS_HOUR],
    runs: [waits('a', 7), waits('b', 1)],
    want: {},
    wantMs: HOUR_MS,
  },
  'one that no hour could give enough does not': {
    budgets: [hour(10)],
    runs: [waits('a', 11), waits('b', 1)],
    want: { b: '1' },
  },
  'nothing starts where the budget is none at all': { budgets: [hour(0)], runs: [waits('a', 0)], want: {} },
  'every window has to have room, and the last to end is waited for': {
    budgets: [hour(10), month(20)],
    windows: [THIS_HOUR, used('month', '2026-11-01T00:00:00Z', 15n)],
    runs: [waits('a', 7)],
    want: {},
    wantMs: 9.5 * 24 * HOUR_MS,
  },
  'who needs no tokens waits for none that others wait for': {
    budgets: [tokens('1k')],
    windows: [said(900)],
    runs: [waits('a', 1, { tokens: 200 }), waits('b', 1)],
    want: { b: undefined },
    wantMs: 12 * HOUR_MS,
  },
  'but nobody starts when they are used up': {
    budgets: [tokens('1k')],
    windows: [said(1001)],
    runs: [waits('b', 1)],
    want: {},
    wantMs: 12 * HOUR_MS,
  },
  'a Run that was under way when the budget was made reserves what it is expected to use': {
    budgets: [hour(10)],
    held: [holds('h')],
    runs: [runs('h', 0), waits('a', '9.5')],
    want: { h: '1' },
    // An attempt that has begun costs 0.01 at least.
    wantMs: 991,
  },
  'a Run that has used more than it reserved counts as that, and goes on while something is left': {
    budgets: [hour(10)],
    held: [holds('h', { runUnits: '2' })],
    runs: [runs('h', 7), waits('a', 4)],
    want: { h: '2' },
    // At a core, the other three are used in three seconds.
    wantMs: 3001,
  },
  'and is paused when nothing is': {
    budgets: [hour(10)],
    held: [holds('h', { runUnits: '2' }), holds('i', { runUnits: '4' })],
    runs: [runs('h', 7), runs('i', 3)],
    want: { h: '2', i: '4' },
    paused: { h: 'hour' },
    // Who is within his reservation goes on until that is used.
    wantMs: 1001,
  },
  'nobody within his reservation is paused, also when the budget is lowered': {
    budgets: [hour(1)],
    held: [holds('h', { runUnits: '8' })],
    runs: [runs('h', 7)],
    want: { h: '8' },
    wantMs: 1001,
  },
  'a reservation of another attempt is not measured by this one': {
    budgets: [hour(1)],
    held: [holds('h', { runUnits: '2', serial: 8 })],
    runs: [runs('h', 7)],
    want: { h: '2' },
  },
};

function ledgerOf(budgets: readonly BudgetLimit[], status: QuotaLedgerStatus): Ledger {
  return {
    apiVersion: API_VERSION,
    kind: 'QuotaLedger',
    metadata: { name: 'acme', uid: 'ledger-uid', generation: 1 },
    spec: { tenantUID: 'uid', suspended: false, namespaces: [NAMESPACE], budgets: [...budgets] },
    status: { lastSerial: 7, ...status },
  };
}

function planOf({ budgets, windows = [], held = [], runs: all }: Case, price?: Price) {
  const usage = { windows: [...windows], tiers: [] };
  const ledger = ledgerOf(budgets, { reservations: [...held], usage });
  return planLedger(
    { ...ledger, spec: { ...ledger.spec, ...(price && { price }) } },
    { ...NOTHING_OF_LEDGER, agents: new Map([[agentKey(NAMESPACE, 'agent'), makeAgent()]]), runs: all },
    NOW,
  );
}

for (const [name, one] of Object.entries(cases)) {
  test(`budgets: ${name}`, (t) => {
    const { status, result } = planOf(one);
    const { reservations = [] } = status;
    t.deepEqual(Object.fromEntries(reservations.map(({ name: who, runUnits }) => [who, runUnits])), one.want);
    const paused = reservations.filter(({ overspent }) => overspent !== undefined);
    t.deepEqual(
      Object.fromEntries(paused.map(({ name: who, overspent }) => [who, overspent])),
      one.paused ?? {},
    );
    const againMs = result.kind === 'requeueAfter' ? result.afterMs : undefined;
    t.is(againMs, one.wantMs);
  });
}

test('a ledger without budgets reserves none', (t) => {
  const { status } = planOf({ budgets: [], runs: [waits('a', 4)], want: {} });
  const revision = revisionSuffix(revisionOf(makeAgent()).name);
  t.deepEqual(status.reservations, [{ ...holds('a'), revision, serial: 8 }]);
});

test('a Run that is bound to a revision reserves what that one can cost', (t) => {
  const container = { image: 'registry.example.com/agent:1', resources: { requests: { cpu: 1 } } };
  const now = makeAgent({ container, limits: { timeoutSeconds: 60 } });
  const then = makeAgent({ tier: 'ultra', container, limits: { timeoutSeconds: 60 } });
  const ledger = ledgerOf([hour(10_000)], {});
  const agents = new Map([[agentKey(NAMESPACE, 'agent'), now]]);
  const revisions = new Map([
    [`${agentKey(NAMESPACE, 'agent')}/agent-then`, { agent: then, refusal: undefined }],
  ]);
  const reservedBy = (run: Run) => {
    const observed = { ...NOTHING_OF_LEDGER, agents, revisions, runs: [run] };
    return Number(planLedger(ledger, observed, NOW).status.reservations?.[0]?.runUnits);
  };
  t.is(reservedBy(makeRun({ revision: 'agent-then' })), 3 * reservedBy(makeRun()));
});

/** A run unit costs 0.5. */
const PRICE: Price = { currency: 'USD', runUnits: 500_000_000_000 };
const PRICED_RATE = { ...RATE, price: PRICE };

function costs(limit: string | number): BudgetLimit {
  return { unit: 'cost', window: 'hour', limit };
}

function paid(cost: bigint): WindowUse {
  const amounts = formatMetered({ ...NOTHING_METERED, cost: cost * 1_000_000n });
  return { ...THIS_HOUR, amounts };
}

/** A Run at a core that was admitted at the price. */
function paying(name: string, seconds: number): Run {
  const run = runs(name, seconds);
  return { ...run, status: { ...run.status, usage: { open: { rate: PRICED_RATE, reservation: 7 } } } };
}

interface CostCase extends Omit<Case, 'want'> {
  /** Names of those who hold a reservation afterwards, with the cost of it. */
  readonly want: Readonly<Record<string, string | undefined>>;
}

const costCases: Record<string, CostCase> = {
  'who fits reserves what the run units cost that he is expected to use': {
    budgets: [costs(10)],
    runs: [waits('a', 4)],
    want: { a: '2' },
  },
  'of two who fit each, one is admitted': {
    budgets: [costs(10)],
    runs: [waits('a', 12), waits('b', 12)],
    want: { a: '6' },
  },
  'what was paid in this hour counts': {
    budgets: [costs(10)],
    windows: [paid(9n)],
    runs: [waits('a', 4)],
    want: {},
    wantMs: HOUR_MS,
  },
  'each budget has to have room': {
    budgets: [costs(10), hour(3)],
    runs: [waits('a', 4), waits('b', 2)],
    want: { b: '1' },
  },
  'one that no hour could pay holds nobody back': {
    budgets: [costs(10)],
    runs: [waits('a', 21), waits('b', 1)],
    want: { b: '0.5' },
  },
  'who has cost more than he reserved counts as that, and goes on while something is left': {
    budgets: [costs(10)],
    held: [holds('h', { cost: '1' })],
    runs: [paying('h', 14), waits('a', 8)],
    want: { h: '1' },
    // At half a unit a second, the other three last six seconds.
    wantMs: 6001,
  },
  'and is paused when nothing is': {
    budgets: [costs(10)],
    held: [holds('h', { cost: '1' }), holds('i', { cost: '4' })],
    runs: [paying('h', 14), paying('i', 6)],
    want: { h: '1', i: '4' },
    paused: { h: 'hour' },
    wantMs: 2001,
  },
  'who has no price in his rate is not measured by one': {
    budgets: [costs(1)],
    held: [holds('h', { cost: '1' })],
    runs: [runs('h', 1000)],
    want: { h: '1' },
  },
};

for (const [name, one] of Object.entries(costCases)) {
  test(`budgets of cost: ${name}`, (t) => {
    const { status, result } = planOf(one, PRICE);
    const { reservations = [] } = status;
    t.deepEqual(Object.fromEntries(reservations.map(({ name: who, cost }) => [who, cost])), one.want);
    const paused = reservations.filter(({ overspent }) => overspent !== undefined);
    t.deepEqual(
      Object.fromEntries(paused.map(({ name: who, overspent }) => [who, overspent])),
      one.paused ?? {},
    );
    t.true(paused.every(({ overspentUnit }) => overspentUnit === 'cost'));
    t.is(result.kind === 'requeueAfter' ? result.afterMs : undefined, one.wantMs);
  });
}

test('a tenant with a price and no budget of cost reserves none, and pays no bytes for it', (t) => {
  const { status } = planOf({ budgets: [hour(10)], runs: [waits('a', 4)], want: {} }, PRICE);
  const [reservation] = status.reservations ?? [];
  t.is(reservation?.runUnits, '4');
  t.false('cost' in reservation! || 'priced' in reservation!);
});

test('who waits for a budget of cost is told what is left, what it would reserve, and until when', (t) => {
  const ledger = { ...ledgerOf([costs(10)], { usage: { windows: [paid(9n)], tiers: [] } }) };
  const priced = { ...ledger, spec: { ...ledger.spec, price: PRICE } };
  const agents = new Map([[agentKey(NAMESPACE, 'agent'), makeAgent()]]);
  const told = (run: Run) => queueOf(priced, { ...NOTHING_OF_LEDGER, agents, runs: [run] }, NOW).waiting[0];
  t.like(told(waits('a', 4)), { reason: 'BudgetExhausted' });
  t.regex(
    told(waits('a', 4))?.message ?? '',
    /^1 of the tenant's 10 units of cost are left in the hour until 2026-11-21T13:00:00Z \(quotas\.cost\), and it would reserve 2; it goes on then/,
  );
  t.like(told(waits('a', 21)), { reason: 'BudgetTooSmall' });
  t.regex(
    told(waits('a', 21))?.message ?? '',
    /^it would reserve 10\.5 units of cost, more than the tenant's budget of 10 .*\(spec\.estimate\.cost of the Run or its Agent\), or shorten its timeoutSeconds$/,
  );
});
