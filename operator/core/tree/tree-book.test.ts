// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { AgentSpec } from '#crds/v1alpha1/agent';
import type { QuotaLedgerSpec } from '#crds/v1alpha1/quota-ledger';
import { namedAgent } from '../quota/testing/make-held.ts';
import { endOf, phaseIn, TreeWorld } from './testing/tree-world.ts';

const CORE = { image: 'registry.example.com/agent:1', resources: { requests: { cpu: '1' } } };

function caller(calls: object, spec: object = {}): Partial<AgentSpec> {
  const said = { agents: ['leaf', 'lead', 'gpu'], maxDepth: 1, maxChildren: 10, maxTotal: 100, ...calls };
  return { container: CORE, calls: said, ...spec };
}

function worldOf(spec: Partial<QuotaLedgerSpec>, calls: object = {}, lead: object = {}): TreeWorld {
  return new TreeWorld(spec, [
    ...namedAgent('lead', caller(calls, lead)),
    ...namedAgent('leaf', { container: CORE }),
    ...namedAgent('gpu', { container: CORE, gpu: { class: 'h100', count: 1 } }),
  ]);
}

/** A world in which `root` runs. */
function begun(spec: Partial<QuotaLedgerSpec>, calls: object = {}, lead: object = {}): TreeWorld {
  const world = worldOf(spec, calls, lead);
  world.create('root', 'lead');
  world.pass();
  return world;
}

test('a Run that another one calls is reserved for below it, and what both are is told', (t) => {
  const world = begun({}, { maxDepth: 2 });
  world.create('child', 'lead', { parent: 'root' });
  world.pass();
  world.create('grandchild', 'leaf', { parent: 'child' });
  world.pass();
  t.like(world.runs.get('root')?.status?.call, { depth: 0, levels: 2 });
  t.like(world.runs.get('child')?.status?.call, {
    depth: 1,
    levels: 1,
    attempt: 1,
    root: { name: 'root', uid: 'root' },
  });
  t.like(world.runs.get('grandchild')?.status?.call, { depth: 2, levels: 0 });
  t.deepEqual(
    world.ledger.status?.trees?.map(({ uid, calls, depth }) => ({ uid, calls, depth })),
    [{ uid: 'root', calls: 2, depth: 2 }],
  );
});

test('the depth of the Run above all bounds those below, whatever their Agents say', (t) => {
  const world = begun({}, { maxDepth: 1 });
  world.create('child', 'lead', { parent: 'root' });
  world.pass();
  world.create('grandchild', 'leaf', { parent: 'child' });
  t.like(world.told('grandchild'), { reason: 'CallTooDeep' });
  t.regex(
    world.told('grandchild').message,
    /spec\.parentRef: found Run child, below which this one would be at depth 2/,
  );
  world.pass();
  t.deepEqual(endOf(world, 'grandchild'), {
    phase: 'Failed',
    reason: 'CallTooDeep',
    code: 'policy_blocked',
  });
});

test('an Agent that is not named is not called', (t) => {
  const world = begun({}, { agents: ['lead'] });
  world.create('child', 'leaf', { parent: 'root' });
  t.deepEqual(world.told('child'), {
    reason: 'CallNotAllowed',
    message: 'spec.agentRef.name: found leaf; Agent lead, which calls it, may call lead (spec.calls.agents)',
  });
  world.pass();
  t.deepEqual(endOf(world, 'child'), { phase: 'Failed', reason: 'CallNotAllowed', code: 'policy_blocked' });
});

test('more Runs at one time than may be wait, and more in all are refused', (t) => {
  const world = begun({}, { maxChildren: 1, maxTotal: 2 });
  for (const name of ['one', 'two', 'three']) world.create(name, 'leaf', { parent: 'root' });
  world.pass();
  t.like(world.told('two'), { reason: 'TooManyChildren' });
  world.end('one');
  world.pass();
  t.is(phaseIn(world, 'two'), 'Running');
  world.pass();
  t.deepEqual(endOf(world, 'three'), { phase: 'Failed', reason: 'TooManyCalls', code: 'quota_exceeded' });
});

test('who holds GPUs calls nobody who wants some', (t) => {
  const gpus = [{ class: 'h100', count: 4 }];
  const world = begun({ gpus }, {}, { gpu: { class: 'h100', count: 1 } });
  world.create('with', 'gpu', { parent: 'root' });
  world.create('without', 'leaf', { parent: 'root' });
  t.like(world.told('with'), { reason: 'CallNotAllowed' });
  t.regex(world.told('with').message, /found gpu, which asks for GPUs; .*Run root above it holds some/);
  world.pass();
  t.is(phaseIn(world, 'without'), 'Running');
});

test('who is called goes before nobody that its caller does not go before, and is as old as the one above all', (t) => {
  const world = worldOf({ maxConcurrentRuns: 2 });
  world.create('root', 'lead');
  world.pass();
  world.create('filler', 'leaf');
  world.create('urgent', 'leaf', { spec: { priority: 1 } });
  world.create('child', 'leaf', { parent: 'root', spec: { priority: 1000 } });
  world.create('late', 'leaf', { spec: { priority: 1 } });
  const order = world.waiting.map(({ candidate }) => candidate.name);
  world.pass();
  t.deepEqual(order, ['late', 'child', 'filler'], 'the one place that is free is for urgent');
  t.is(phaseIn(world, 'urgent'), 'Running');
});

const WAITS: Readonly<
  Record<string, { readonly world: () => TreeWorld; readonly run: string; readonly told: RegExp }>
> = {
  'a Run that may call leaves a place for those below': {
    world: () => {
      const world = begun({ maxConcurrentRuns: 3 }, { maxDepth: 1 });
      world.create('second', 'lead');
      world.pass();
      world.create('third', 'lead');
      return world;
    },
    run: 'third',
    told: /it may call others 1 level deep, so as many places must be free beside its own; free: 1 /,
  },
  'one that could never have places for those below says so': {
    world: () => {
      const world = worldOf({ maxConcurrentRuns: 2 }, { maxDepth: 2 });
      world.create('root', 'lead');
      return world;
    },
    run: 'root',
    told: /takes 3 places at one time; the tenant has 2/,
  },
  'one that could never have the cores for those below says so': {
    world: () => {
      const world = worldOf({ hard: { 'requests.cpu': '1' } });
      world.create('root', 'lead');
      return world;
    },
    run: 'root',
    told: /take more than the whole quota of the tenant: requests\.cpu/,
  },
  'one that could never have the Runs of an Agent below says so': {
    world: () => {
      const world = worldOf(
        {},
        { agents: ['lead'] },
        { limits: { timeoutSeconds: 60, maxConcurrentRuns: 1 } },
      );
      world.create('root', 'lead');
      return world;
    },
    run: 'root',
    told: /up to 2 Runs of Agent lead at one time, of which there may be 1/,
  },
  'cores are left as well': {
    world: () => {
      const world = begun({ hard: { 'requests.cpu': '3' } });
      world.create('second', 'lead');
      world.pass();
      world.create('third', 'lead');
      return world;
    },
    run: 'third',
    told: /not enough left of the tenant's quota: requests\.cpu/,
  },
  'Runs of an Agent are left as well': {
    world: () => {
      const world = begun({}, { agents: ['lead'] }, { limits: { timeoutSeconds: 60, maxConcurrentRuns: 2 } });
      world.create('second', 'lead');
      return world;
    },
    run: 'second',
    told: /it may call Agent lead, so 1 place of the 2 for its Runs must be free/,
  },
  'the next attempt waits for those whom the last one has called': {
    world: () => {
      const world = begun({});
      world.create('child', 'leaf', { parent: 'root' });
      world.pass();
      world.end('root', { phase: 'Queued' });
      return world;
    },
    run: 'root',
    told: /Runs that its last attempt has called are being ended/,
  },
};

for (const [name, { world, run, told }] of Object.entries(WAITS)) {
  test(`waits: ${name}`, (t) => {
    t.regex(world().told(run).message, told);
  });
}

test('who waits for those whom his last attempt has called says so by a reason of its own', (t) => {
  const world = WAITS['the next attempt waits for those whom the last one has called']!.world();
  t.is(world.told('root').reason, 'ChildrenEnding');
});

test('nobody waits behind one that could never start', (t) => {
  const world = worldOf({ maxConcurrentRuns: 2 }, { maxDepth: 2 });
  world.create('never', 'lead');
  world.create('small', 'leaf');
  world.pass();
  t.is(phaseIn(world, 'small'), 'Running');
});

test('who is ahead and waits for places holds back others, and never those whom Runs under way have called', (t) => {
  const world = begun({ maxConcurrentRuns: 2 });
  world.create('ahead', 'lead');
  world.create('behind', 'leaf');
  world.create('child', 'leaf', { parent: 'root' });
  world.pass();
  t.is(phaseIn(world, 'child'), 'Running');
  t.is(phaseIn(world, 'behind'), 'Queued');
  world.end('root');
  world.pass();
  world.pass();
  t.is(phaseIn(world, 'child'), 'Cancelled', 'it ends with its parent');
  t.is(phaseIn(world, 'ahead'), 'Running');
});

const POOL = { budget: { runUnits: '3' } };

function estimate(runUnits: string) {
  return { estimate: { runUnits } };
}

test('what was reserved for those below is all that they reserve: they wait for one that ends by itself, else they are refused', (t) => {
  const world = begun({}, { ...POOL, maxDepth: 2 });
  world.create('one', 'leaf', { parent: 'root', spec: estimate('2') });
  world.pass();
  world.create('two', 'leaf', { parent: 'root', spec: estimate('1.5') });
  t.like(world.told('two'), { reason: 'TreeBudgetReserved' });
  world.create('large', 'leaf', { parent: 'root', spec: estimate('3.000001') });
  t.like(world.told('large'), { reason: 'TreeBudgetExhausted' });
  world.end('one', { micros: 1_700_000n });
  world.pass();
  const exhausted = { phase: 'Failed', reason: 'TreeBudgetExhausted', code: 'quota_exceeded' };
  t.deepEqual(endOf(world, 'large'), exhausted);
  t.deepEqual(endOf(world, 'two'), exhausted, '1.3 are left, and nobody gives back');
  t.deepEqual(world.ledger.status?.trees?.[0]?.runUnits, '1.7');
});

test('nobody waits for a Run that may wait for him', (t) => {
  const world = begun({}, { ...POOL, maxDepth: 2 });
  world.create('one', 'lead', { parent: 'root', spec: estimate('1.5') });
  world.create('two', 'lead', { parent: 'root', spec: estimate('1.5') });
  world.pass();
  world.create('below', 'leaf', { parent: 'one', spec: estimate('0.5') });
  t.like(world.told('below'), { reason: 'TreeBudgetExhausted' });
});

test('a tenant with budgets holds for a tree what the one above all has reserved, and no more for those below', (t) => {
  const budgets = [{ unit: 'runUnits', window: 'month', limit: '10' } as const];
  const world = worldOf({ budgets }, POOL);
  world.create('root', 'lead', { spec: estimate('5') });
  world.pass();
  world.create('child', 'leaf', { parent: 'root', spec: estimate('2') });
  world.pass();
  world.create('other', 'leaf', { spec: estimate('2.5') });
  t.regex(world.told('other').message, /2 of the tenant's 10 run units/);
  world.end('child', { micros: 1_000_000n });
  world.pass();
  t.regex(
    world.told('other').message,
    /2 of the tenant's 10 run units/,
    'what it has used is counted as used, and no more held',
  );
  world.create('silent', 'leaf', { parent: 'root' });
  t.like(
    world.told('silent'),
    { reason: 'TreeBudgetExhausted' },
    'without an estimate: all that its time can cost',
  );
});

test('without a word a Run reserves nothing for those below where the tenant has budgets, and anything where it has none', (t) => {
  const budgets = [{ unit: 'runUnits', window: 'month', limit: '100k' } as const];
  const bounded = begun({ budgets });
  bounded.create('child', 'leaf', { parent: 'root', spec: estimate('0.5') });
  t.like(bounded.told('child'), { reason: 'TreeBudgetExhausted' });
  const free = begun({});
  free.create('child', 'leaf', { parent: 'root' });
  free.pass();
  t.is(phaseIn(free, 'child'), 'Running');
  free.end('child', { micros: 12_345_678n });
  free.pass();
  t.like(free.runs.get('root')?.status?.tree, {
    calls: 1,
    succeeded: 1,
    runUnits: { used: '12.345678', reserved: '0' },
  });
});

/** A run unit costs 0.5. */
const PRICE = { currency: 'USD', runUnits: 500_000_000_000 };

test('a pool of cost is shared like one of run units', (t) => {
  const said = begun({ price: PRICE }, { budget: { cost: '1' } });
  t.deepEqual(said.held[0]?.pool, { cost: '1' });
  said.create('one', 'leaf', { parent: 'root', spec: estimate('1.2') });
  said.pass();
  said.create('two', 'leaf', { parent: 'root', spec: estimate('1') });
  t.like(said.told('two'), { reason: 'TreeBudgetReserved' });
  t.regex(said.told('two').message, /^it would reserve 0\.5 units of cost, and 0\.4 are left/);
  said.end('one', { micros: 600_000n });
  said.pass();
  t.is(phaseIn(said, 'two'), 'Running');
  t.is(said.ledger.status?.trees?.[0]?.cost, '0.3');
  said.end('two', { micros: 1_000_000n });
  said.pass();
  said.end('root');
  said.pass();
  t.deepEqual(said.runs.get('root')?.status?.tree?.cost, {
    limit: '1',
    left: '0.2',
    used: '0.8',
    reserved: '0',
  });
});

test('without a price nobody knows what those below cost: neither a pool nor a record says anything of it', (t) => {
  const world = begun({}, { budget: { runUnits: '3', cost: '0' } });
  t.deepEqual(world.held[0]?.pool, { runUnits: '3' });
  world.create('one', 'leaf', { parent: 'root', spec: estimate('2') });
  world.pass();
  t.is(phaseIn(world, 'one'), 'Running');
  world.end('one', { micros: 1_000_000n });
  world.pass();
  t.false('cost' in (world.ledger.status?.trees?.[0] ?? {}));
  t.false('cost' in (world.runs.get('root')?.status?.tree ?? {}));
});

test('with a budget of cost, who says nothing reserves nothing for those below', (t) => {
  const budgets = [{ unit: 'cost', window: 'month', limit: '100k' } as const];
  const world = begun({ budgets, price: PRICE });
  t.deepEqual(world.held[0]?.pool, { cost: '0' });
  world.create('child', 'leaf', { parent: 'root', spec: estimate('0.5') });
  t.like(world.told('child'), { reason: 'TreeBudgetExhausted' });
});
