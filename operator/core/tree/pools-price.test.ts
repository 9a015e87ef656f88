// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { CallsBudget } from '#crds/v1alpha1/agent-calls';
import type { BudgetLimit, BudgetUnit } from '#crds/v1alpha1/budgets';
import type { Price } from '#crds/v1alpha1/price';
import type { QuotaLedgerSpec } from '#crds/v1alpha1/quota-ledger';
import { priceDigest } from '../metering/price.ts';
import { namedAgent, namedRun } from '../quota/testing/make-held.ts';
import { NOTHING_OF_LEDGER } from '../quota/testing/make-ledger.ts';
import { makeAgent, NOW } from '../run/testing/make.ts';
import type { GPUClass } from '../agent/agent.ts';
import { Forest } from './forest.ts';
import { Pools } from './pools.ts';
import { phaseIn, TreeWorld } from './testing/tree-world.ts';

const CORE = { image: 'registry.example.com/agent:1', resources: { requests: { cpu: '1' } } };
/** A run unit costs 0.5. */
const PRICE: Price = { currency: 'USD', runUnits: 500_000_000_000 };
const RAISED: Price = { currency: 'USD', runUnits: 1_000_000_000_000 };

function budgets(...units: readonly BudgetUnit[]): readonly BudgetLimit[] {
  return units.map((unit) => ({ unit, window: 'month', limit: '100k' }));
}

const RESERVED = {
  uid: 'root',
  namespace: 'acme-dev',
  name: 'root',
  agent: 'lead',
  attempt: 1,
  call: { parent: 'root', attempt: 1, root: 'root', rootName: 'root', depth: 1 },
};

/** A world in which `root` runs. */
function begun(spec: Partial<QuotaLedgerSpec>, budget: CallsBudget | undefined, maxTotal = 100): TreeWorld {
  const calls = { agents: ['leaf'], maxDepth: 1, maxChildren: 100, maxTotal, ...(budget && { budget }) };
  const world = new TreeWorld(spec, [
    ...namedAgent('lead', { container: CORE, calls, estimate: { runUnits: '1' } }),
    ...namedAgent('leaf', { container: CORE }),
  ]);
  world.create('root', 'lead');
  world.pass();
  return world;
}

function call(world: TreeWorld, name: string, estimate: object): string {
  world.create(name, 'leaf', { parent: 'root', spec: { estimate } });
  world.pass();
  return phaseIn(world, name);
}

function costOfPool(world: TreeWorld): string | undefined {
  return world.held.find(({ uid }) => uid === 'root')?.pool?.cost;
}

const POOLS: Readonly<
  Record<
    string,
    {
      readonly budgeted?: readonly BudgetUnit[];
      readonly price?: Price;
      readonly budget: CallsBudget;
      readonly want: string | undefined;
    }
  >
> = {
  'without a budget of cost there is none, unless it is said': { budget: { runUnits: '3' }, want: undefined },
  'what is said holds': { budget: { runUnits: '3', cost: '7' }, want: '7' },
  'with one it is what the rest costs, and half a millionth for each Run': {
    budgeted: ['cost'],
    budget: { runUnits: '3' },
    want: '1.500051',
  },
  'unsaid tokens that cost something are worth nobody knows what': {
    budgeted: ['cost'],
    price: { ...PRICE, inputTokens: 1_000_000 },
    budget: { runUnits: '3' },
    want: '0',
  },
  'those that are said cost what the dearer ones do': {
    budgeted: ['cost'],
    price: { ...PRICE, inputTokens: 1_000_000, outputTokens: 2_000_000 },
    budget: { runUnits: '3', tokens: '1M' },
    want: '3.500051',
  },
  'none are as good as said where the tenant has a budget of them': {
    budgeted: ['cost', 'tokens'],
    price: { ...PRICE, outputTokens: 1_000_000 },
    budget: { runUnits: '3' },
    want: '1.500051',
  },
  'nothing bounds calls of tools': {
    budgeted: ['cost'],
    price: { ...PRICE, toolCalls: 1 },
    budget: { runUnits: '3', tokens: '1' },
    want: '0',
  },
  'where all is free nothing is enough': {
    budgeted: ['cost'],
    price: { currency: 'USD' },
    budget: { runUnits: '3' },
    want: '0',
  },
};

for (const [name, { budgeted = [], price = PRICE, budget, want }] of Object.entries(POOLS)) {
  test(`a pool of cost: ${name}`, (t) => {
    t.is(costOfPool(begun({ price, budgets: [...budgets(...budgeted)] }, budget)), want);
  });
}

for (const budgeted of [[], ['cost']] as const) {
  const where = budgeted.length === 0 ? 'without budgets' : 'with a budget of cost';
  test(`a price that rises takes nothing from trees under way, ${where}`, (t) => {
    const world = begun({ price: PRICE, budgets: [...budgets(...budgeted)] }, { runUnits: '3' });
    world.setPrice(RAISED);
    t.is(call(world, 'child', { runUnits: '2' }), 'Running');
    world.end('child', { micros: 2_000_000n });
    world.pass();
    t.is(world.ledger.status?.trees?.[0]?.cost, '1', 'it pays what its caller does');
    t.is(call(world, 'second', { runUnits: '1' }), 'Running');
    t.is(call(world, 'third', { runUnits: '0.5' }), 'Queued');
    t.regex(world.told('third').message, /^it would reserve 0\.5 run units, and 0 are left/);
  });
}

test('nor does one that comes first, with a price of tokens, where nobody has said anything of these', (t) => {
  const world = begun({}, { runUnits: '100' });
  world.setPrice({ ...PRICE, inputTokens: 3_000_000_000_000 });
  t.is(call(world, 'free', { runUnits: '2', tokens: '1M' }), 'Running');
  world.end('root');
  world.pass();
  world.create('again', 'lead');
  world.pass();
  world.create('child', 'leaf', { parent: 'again', spec: { estimate: { runUnits: '2', tokens: '1M' } } });
  world.pass();
  t.is(phaseIn(world, 'child'), 'Running');
});

test('cost that is said is shared by the price of the Run above all, also when another one holds', (t) => {
  const world = begun({ price: PRICE }, { cost: '1' });
  world.setPrice(RAISED);
  t.is(call(world, 'child', { runUnits: '1.5' }), 'Running');
  t.like(
    world.held.find(({ uid }) => uid === 'child'),
    { cost: '0.75', priced: priceDigest(PRICE) },
  );
  t.is(call(world, 'late', { runUnits: '1' }), 'Queued');
});

test('a tree that began without a price has none, also when a budget of cost comes', (t) => {
  const world = begun({}, { runUnits: '3' });
  world.ledger = {
    ...world.ledger,
    spec: { ...world.ledger.spec, price: RAISED, budgets: [...budgets('cost')] },
  };
  t.is(call(world, 'child', { runUnits: '1' }), 'Running');
  const child = world.held.find(({ uid }) => uid === 'child');
  t.is(child?.cost, '0');
  t.is(child?.priced, undefined, 'else it would never start');
});

test('a budget that comes after a tree does not hold it back, and counts what its Runs hold', (t) => {
  const world = begun({}, undefined);
  const spec = {
    ...world.ledger.spec,
    budgets: [{ unit: 'runUnits', window: 'month', limit: '4' } as const],
  };
  world.ledger = { ...world.ledger, spec };
  t.is(call(world, 'child', { runUnits: '2' }), 'Running');
  t.is(call(world, 'more', { runUnits: '2' }), 'Running');
  world.create('other', 'leaf', { spec: { estimate: { runUnits: '1' } } });
  t.regex(world.told('other').message, /^0 of the tenant's 4 run units/);
});

test('what is rounded for each Run comes to no more than is reserved', (t) => {
  // A run unit costs 11.5 millionths: the half of one 6, and six of these more than three.
  const price = { currency: 'USD', runUnits: 11_500_000 };
  const world = begun({ price, budgets: [...budgets('cost')] }, { runUnits: '3' }, 6);
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
    t.is(call(world, name, { runUnits: '0.5' }), 'Running', name);
  }
});

/** Counts who is asked for: the most that an attempt can cost is worked out by its class. */
class CountedClasses extends Map<string, GPUClass> {
  asked = 0;

  override get(name: string): GPUClass | undefined {
    this.asked += 1;
    return super.get(name);
  }
}

test('what an attempt can cost is worked out once for all Runs of an Agent and a pass', (t) => {
  const gpuClasses = new CountedClasses();
  const context = { ...NOTHING_OF_LEDGER, gpuClasses };
  const { call: _, ...root } = RESERVED;
  const forest = new Forest([{ ...root, pool: { cost: '5' } }]);
  const pools = new Pools({ forest, records: new Map(), runs: new Map(), price: PRICE, now: NOW });
  const agent = makeAgent({ container: CORE, gpu: { class: 'h100', count: 1 } });
  const reserves = ['a', 'b', 'c'].map((name) => {
    return pools.reservesOf(namedRun(name), agent, { call: RESERVED.call, context });
  });
  t.is(new Set(reserves.map(({ cost }) => cost)).size, 1);
  t.is(gpuClasses.asked, 1);
});
