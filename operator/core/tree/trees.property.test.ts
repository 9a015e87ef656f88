// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import type { AgentSpec } from '#crds/v1alpha1/agent';
import type { Price } from '#crds/v1alpha1/price';
import type { QuotaLedgerSpec, Reservation } from '#crds/v1alpha1/quota-ledger';
import { formatMicro, parseMicro } from '../metering/micro.ts';
import { namedAgent } from '../quota/testing/make-held.ts';
import { isFinished, phaseOf, type Run } from '../run/run.ts';
import { keyOfAgent, TreeWorld } from './testing/tree-world.ts';

const NAMES = ['a', 'b', 'c', 'd'] as const;

const calls = fc.record({
  agents: fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 4 }),
  maxDepth: fc.integer({ min: 1, max: 3 }),
  maxChildren: fc.integer({ min: 1, max: 3 }),
  maxTotal: fc.integer({ min: 1, max: 8 }),
  runUnits: fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
});
const agent = fc.record({
  cores: fc.integer({ min: 1, max: 2 }),
  limit: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
  calls: fc.option(calls, { nil: undefined }),
});
/** Data, so that a counterexample can be read. */
const tenant = fc.record({
  places: fc.integer({ min: 1, max: 7 }),
  cores: fc.integer({ min: 2, max: 12 }),
  agents: fc.tuple(agent, agent, agent, agent),
});
/** What a Run does next is drawn as the world goes on. */
const draws = fc.array(fc.nat({ max: 997 }), { minLength: 60, maxLength: 60 });

type Tenant = typeof tenant extends fc.Arbitrary<infer One> ? One : never;
type Drawn = Tenant['agents'][number];

function specOf({ cores, limit, calls: said }: Drawn): Partial<AgentSpec> {
  const { runUnits, ...bounds } = said ?? {};
  const budget = runUnits === undefined ? {} : { budget: { runUnits: String(runUnits) } };
  return {
    container: { image: 'registry.example.com/agent:1', resources: { requests: { cpu: String(cores) } } },
    limits: { timeoutSeconds: 60, ...(limit !== undefined && { maxConcurrentRuns: limit }) },
    estimate: { runUnits: '1' },
    ...(said && { calls: { ...bounds, ...budget } }),
  } as Partial<AgentSpec>;
}

function worldOf({ places, cores, agents }: Tenant, others: Partial<QuotaLedgerSpec> = {}): TreeWorld {
  const spec: Partial<QuotaLedgerSpec> = {
    ...others,
    maxConcurrentRuns: places,
    hard: { 'requests.cpu': String(cores) },
  };
  // What is larger than the quota is refused as an Agent.
  const fitting = agents.map((one) => ({ ...one, cores: Math.min(one.cores, cores) }));
  return new TreeWorld(
    spec,
    NAMES.flatMap((name, i) => namedAgent(name, specOf(fitting[i]!))),
  );
}

/** A play: Runs that may call others do so some times, and end only when all that they have called have. */
class Play {
  readonly world: TreeWorld;
  /** By uid of the one above all: what those below have used. */
  readonly used = new Map<string, bigint>();
  readonly faults: string[] = [];
  readonly #left = new Map<string, number>();
  readonly #draws: readonly number[];
  #at = 0;
  #made = 0;

  constructor(world: TreeWorld, all: readonly number[]) {
    this.world = world;
    this.#draws = all;
  }

  draw(below: number): number {
    this.#at += 1;
    return (this.#draws[this.#at % this.#draws.length]! + this.#at) % below;
  }

  create(parent?: string): void {
    this.#made += 1;
    const name = `r${this.#made}`;
    this.#left.set(name, this.draw(4));
    const allowed = parent === undefined ? [] : this.#allowedOf(parent);
    // Now and then somebody whom it may not call.
    const from = allowed.length > 0 && this.draw(8) > 0 ? allowed : NAMES;
    this.world.create(name, from[this.draw(from.length)]!, parent === undefined ? {} : { parent });
  }

  /** Something that somebody may do by himself; false where nobody may do anything. */
  move(): boolean {
    const running = [...this.world.runs.values()].filter((run) => phaseOf(run) === 'Running');
    const able = running.filter((run) => this.#mayCall(run) || this.#mayEnd(run));
    const run = able[this.draw(Math.max(1, able.length))];
    if (run === undefined) return false;
    const { name } = run.metadata;
    if (this.#mayCall(run)) {
      this.#left.set(name, (this.#left.get(name) ?? 0) - 1);
      this.create(name);
    } else this.#end(run);
    return true;
  }

  check(): void {
    const { held, ledger, runs } = this.world;
    const { maxConcurrentRuns = 0 } = ledger.spec;
    if (held.length > maxConcurrentRuns) this.faults.push(`${held.length} places of ${maxConcurrentRuns}`);
    for (const one of held) if (this.#isOver(one)) this.faults.push(`${one.uid} is over`);
    for (const run of runs.values()) {
      if (phaseOf(run) === 'Running' && this.#isOrphan(run))
        this.faults.push(`${run.metadata.name} is an orphan`);
    }
  }

  /** Whether those below have used and reserved more than is reserved for them. */
  #isOver(one: Reservation): boolean {
    return this.#isOverCost(one) || this.#isOverUnits(one);
  }

  #isOverCost({ uid, pool }: Reservation): boolean {
    if (pool?.cost === undefined) return false;
    const { trees = [] } = this.world.ledger.status ?? {};
    const used = parseMicro(trees.find((one) => one.uid === uid)?.cost ?? '0');
    const below = this.world.held.filter(({ call }) => call?.root === uid);
    return below.reduce((sum, one) => sum + parseMicro(one.cost ?? '0'), used) > parseMicro(pool.cost);
  }

  #isOverUnits({ uid, pool }: Reservation): boolean {
    if (pool?.runUnits === undefined) return false;
    const below = this.world.held.filter(({ call }) => call?.root === uid);
    const reserved = below.reduce((sum, one) => sum + parseMicro(one.runUnits ?? '0'), 0n);
    return reserved + (this.used.get(uid) ?? 0n) > parseMicro(pool.runUnits);
  }

  #isOrphan({ spec }: Run): boolean {
    const parent = this.world.runs.get(spec.parentRef?.name ?? '');
    return parent !== undefined && isFinished(parent);
  }

  #allowedOf(parent: string): readonly string[] {
    const agent = this.world.runs.get(parent)?.spec.agentRef.name ?? '';
    return this.world.agents.get(keyOfAgent(agent))?.spec.calls?.agents ?? [];
  }

  #mayCall({ metadata, status }: Run): boolean {
    return (status?.call?.levels ?? 0) > 0 && (this.#left.get(metadata.name) ?? 0) > 0;
  }

  #mayEnd({ metadata }: Run): boolean {
    return this.world.below(metadata.name).every(isFinished);
  }

  #end(run: Run): void {
    const { name } = run.metadata;
    const micros = BigInt(this.draw(100) + 1) * 10_000n;
    const root = run.status?.call?.root?.uid;
    if (root !== undefined) this.used.set(root, (this.used.get(root) ?? 0n) + micros);
    this.world.end(name, { micros });
  }
}

/** Goes on until nobody does anything any more, with a price of each turn where some are given. */
function playOut(play: Play, prices: readonly Price[] = []): void {
  let turns = 0;
  for (let turn = 0; turn < 4; turn += 1) play.create();
  let isMoving = true;
  while (isMoving) {
    if (prices.length > 0) play.world.setPrice(prices[turns % prices.length]);
    turns += 1;
    isMoving = play.world.pass();
    play.check();
    const moves = play.draw(3) + 1;
    for (let i = 0; i < moves; i += 1) isMoving = play.move() || isMoving;
  }
}

function checkTold(root: Run | undefined, micros: bigint): void {
  const shown = root?.status?.tree?.runUnits;
  if (shown?.used !== formatMicro(micros) || shown.reserved !== '0')
    throw new Error(`${root?.metadata.name}: ${JSON.stringify(shown)}, not ${formatMicro(micros)}`);
}

/** That the history of the tenant has what all attempts have used. */
function checkCounted({ ledger, runs }: TreeWorld): void {
  const attempts = [...runs.values()].flatMap(({ status }) => status?.usage?.attempts ?? []);
  const sum = attempts.reduce((units, { runUnits = '' }) => units + parseMicro(runUnits), 0n);
  const tiers = ledger.status?.usage?.tiers ?? [];
  const counted = tiers.reduce((total, { runUnits }) => total + parseMicro(runUnits), 0n);
  if (counted !== sum) throw new Error(`${counted} counted, ${sum} used`);
}

const SEED = 41;

test('whatever Runs call each other: all come to an end, or could never have begun; nothing is exceeded, nobody outlives who called him', (t) => {
  let deep = 0;
  let never = 0;
  let called = 0;
  fc.assert(
    fc.property(tenant, draws, (one, all) => {
      const play = new Play(worldOf(one), all);
      playOut(play);
      const { world, faults } = play;
      if (faults.length > 0) throw new Error(faults.join('; '));
      const left = [...world.runs.values()].filter((run) => !isFinished(run));
      const stuck = left.filter((run) => phaseOf(run) !== 'Queued' || run.spec.parentRef !== undefined);
      if (stuck.length > 0)
        throw new Error(`they wait for each other: ${stuck.map((run) => run.metadata.name).join(', ')}`);
      const unexplained = world.waiting.filter(({ candidate }) => candidate.blocked === undefined);
      if (unexplained.length > 0)
        throw new Error(`they wait for nothing: ${unexplained.map(({ message }) => message).join('; ')}`);
      never += left.length;
      called += [...world.runs.values()].filter((run) => run.status?.call?.root !== undefined).length;
      deep += [...world.runs.values()].filter((run) => (run.status?.call?.depth ?? 0) > 1).length;
    }),
    { numRuns: 300, seed: SEED },
  );
  t.true(called > 300, `${called} were called`);
  t.true(deep > 30, `${deep} by others that were called`);
  t.true(never > 10, `${never} could never begin`);
});

test('what Runs below one have used is told to the last millionth, and then the ledger forgets it', (t) => {
  let told = 0;
  fc.assert(
    fc.property(tenant, draws, (one, all) => {
      const play = new Play(worldOf(one), all);
      playOut(play);
      for (const [root, micros] of play.used) {
        told += 1;
        checkTold(play.world.runs.get(root), micros);
      }
      const { reservations = [], trees = [] } = play.world.ledger.status ?? {};
      if (reservations.length + trees.length > 0) throw new Error('the ledger keeps what is over');
      checkCounted(play.world);
    }),
    { numRuns: 300, seed: SEED + 1 },
  );
  t.true(told > 100, `${told} trees`);
});

/** A run unit costs 0.5, 11.5 millionths, or 7. */
const PRICES: readonly Price[] = [500_000_000_000, 11_500_000, 7_000_000_000_000].map((runUnits) => ({
  currency: 'USD',
  runUnits,
}));
const COST = { unit: 'cost', window: 'month', limit: '100k' } as const;

/** The phases that all come to, and how many were called. */
function endsOf(one: Tenant, all: readonly number[], prices: readonly Price[]) {
  const play = new Play(worldOf(one, { budgets: [COST], price: prices[0] }), all);
  playOut(play, prices);
  if (play.faults.length > 0) throw new Error(play.faults.join('; '));
  const runs = [...play.world.runs.values()];
  const ends = runs.map((run) => `${run.metadata.name} ${phaseOf(run)}`).join(', ');
  return { ends, called: runs.filter((run) => isFinished(run) && run.status?.call?.root).length };
}

test('a price that changes with each turn changes the end of no Run below another one', (t) => {
  let called = 0;
  fc.assert(
    fc.property(tenant, draws, (one, all) => {
      const still = endsOf(one, all, PRICES.slice(0, 1));
      const moving = endsOf(one, all, PRICES);
      if (still.ends !== moving.ends) throw new Error(`${moving.ends}, not ${still.ends}`);
      called += moving.called;
    }),
    { numRuns: 100, seed: SEED + 2 },
  );
  t.true(called > 30, `${called} were called`);
});

test('nor in any other play, and whichever prices there are', (t) => {
  fc.assert(
    fc.property(tenant, draws, (one, all) => {
      t.is(endsOf(one, all, PRICES).ends, endsOf(one, all, PRICES.slice(1)).ends);
    }),
    { numRuns: 30 },
  );
});
