// SPDX-License-Identifier: Apache-2.0
import type { Reservation, ReservedCall, TreeRecord } from '#crds/v1alpha1/quota-ledger';
import type { Agent } from '../agent/agent.ts';
import { defined } from '../object.ts';
import type { Candidate, Waiting } from '../quota/admit.ts';
import { type RunContext, sourceOf } from '../quota/candidates.ts';
import { ageOf } from '../quota/queue-order.ts';
import { runsByUid } from '../quota/runs-by-uid.ts';
import type { Run } from '../run/run.ts';
import type { Ledger } from '../tenant/tenant.ts';
import { needsBelow } from './below.ts';
import { type Called, callRun } from './called.ts';
import { agentOf, callsOf, Forest } from './forest.ts';
import { neverFits } from './never-fits.ts';
import { CHILDREN_ENDING, tooMany, tooManyAtOnce } from './obstacles.ts';
import { poolOf, Pools } from './pools.ts';
import { newRecord, type TreeRecords, withStart } from './records.ts';

/** What Runs that call each other are decided on. */
export interface TreeInput {
  readonly ledger: Ledger;
  readonly held: readonly Reservation[];
  readonly records: TreeRecords;
  readonly runs: readonly Run[];
  readonly context: RunContext;
  readonly now: Date;
}

/**
 * Runs that call each other while admission goes through the queue: who may be called, how many of them, and what is left of
 * what the Run above all has reserved for them.
 */
export class TreeBook {
  /** What is held, with those to be paused that have used what was reserved for others. */
  readonly held: readonly Reservation[];
  /** When the time alone changes something, in milliseconds since 1970. */
  readonly nextMs: number;
  readonly #input: TreeInput;
  readonly #runs: ReadonlyMap<string, Run>;
  readonly #forest: Forest;
  readonly #pools: Pools;
  /** Whether any Agent lets its Runs call others, now or at a revision: most tenants have none. */
  readonly #mayCall: boolean;
  readonly #records: Map<string, TreeRecord>;

  constructor(input: TreeInput) {
    const { held, records, now, ledger } = input;
    this.#input = input;
    this.#runs = runsIn(input);
    this.#mayCall = anyCalls(input.context);
    this.#forest = new Forest(held);
    this.#records = new Map(records);
    this.#pools = new Pools({
      forest: this.#forest,
      records: this.#records,
      runs: this.#runs,
      price: ledger.spec.price,
      now,
    });
    const { paused, afterMs } = this.#pools.overspending();
    this.nextMs = now.getTime() + afterMs;
    this.held =
      paused.size === 0
        ? held
        : held.map((one) => (paused.has(one.uid) ? { ...one, overspent: 'tree' as const } : one));
  }

  /** The records as they are to be written with who was admitted. */
  get records(): TreeRecords {
    return this.#records;
  }

  /** `candidate` with its place among Runs that call each other. */
  withCall(candidate: Candidate, run: Run): Candidate {
    if (this.#forest.isAbove(candidate.uid)) return held(candidate, CHILDREN_ENDING);
    if (!this.#mayCall && run.spec.parentRef === undefined) return candidate;
    const { agent } = sourceOf(run, this.#input.context);
    if (run.spec.parentRef === undefined) return this.#asRoot(candidate, run, agent);
    const judge = { forest: this.#forest, runs: this.#runs, context: this.#input.context };
    const called = callRun(run, agent, judge);
    return 'reason' in called
      ? held(candidate, called)
      : this.#asCalled(candidate, { ...called, run, agent });
  }

  /** What `candidate` waits for beside the quotas of its tenant, if another Run calls it. */
  obstacleTo(candidate: Candidate): Waiting | undefined {
    const { call } = candidate;
    if (call === undefined) return undefined;
    return this.#tooMany(candidate, call) ?? this.#pools.obstacleTo(candidate, call);
  }

  /** Counts what `candidate` gets. */
  take({ call }: Candidate, reservation: Reservation): void {
    if (call === undefined) return;
    this.#forest.add(reservation);
    const { root } = call;
    const record = this.#records.get(root) ?? newRecord({ ...reservation, call }, this.#runs.get(root));
    this.#records.set(root, withStart(record, reservation));
  }

  #asRoot(candidate: Candidate, run: Run, agent: Agent | undefined): Candidate {
    const { maxDepth: levels } = callsOf(agent);
    if (agent === undefined || levels === 0) return candidate;
    const { ledger, context } = this.#input;
    const below = needsBelow(agent, levels, context);
    const pool = poolOf(run, agent, ledger);
    const calling = { ...candidate, levels, below, ...defined({ pool }) };
    const tooMuch = neverFits(calling, this.#input);
    return tooMuch === undefined ? calling : held(calling, tooMuch);
  }

  #asCalled(
    candidate: Candidate,
    { call, levels, priority, run, agent }: Called & { readonly run: Run; readonly agent: Agent | undefined },
  ): Candidate {
    const { context } = this.#input;
    const root = this.#runs.get(call.root);
    const { reserves: others } = candidate;
    const reserves =
      agent === undefined ? others : this.#pools.reservesOf(run, agent, { call, context, others });
    return {
      ...candidate,
      call,
      priority: Math.min(candidate.priority, priority),
      ...(reserves && { reserves }),
      ...(root && { turn: ageOf(root) }),
      ...(levels > 0 && agent && { levels, below: needsBelow(agent, levels, context) }),
    };
  }

  #tooMany({ attempt }: Candidate, { root, rootName, parent }: ReservedCall): Waiting | undefined {
    const { maxTotal } = callsOf(agentOf(this.#forest.find(root), this.#input.context));
    const started = this.#records.get(root)?.calls ?? 0;
    // What is tried again was counted before.
    if (attempt === 1 && started >= maxTotal) return tooMany(rootName, maxTotal);
    const above = this.#forest.find(parent);
    const { maxChildren } = callsOf(agentOf(above, this.#input.context));
    if (above === undefined || this.#forest.childrenOf(parent) < maxChildren) return undefined;
    return tooManyAtOnce(above.name, maxChildren);
  }
}

function held(candidate: Candidate, obstacle: Waiting): Candidate {
  return { ...candidate, blocked: candidate.blocked ?? obstacle };
}

/** By uid; none where nobody calls anybody, so that it costs nothing there. */
function runsIn({ runs, held, context }: TreeInput): ReadonlyMap<string, Run> {
  const isIdle =
    !held.some(({ call, levels }) => (call ?? levels) !== undefined) &&
    !context.agents.values().some(({ spec }) => spec.calls !== undefined) &&
    !runs.some(({ spec }) => spec.parentRef !== undefined);
  return isIdle ? NO_RUNS : runsByUid(runs);
}

const NO_RUNS: ReadonlyMap<string, Run> = new Map();

function mayCall(agent: Agent): boolean {
  return callsOf(agent).maxDepth > 0;
}

function anyCalls({ agents, revisions }: RunContext): boolean {
  return agents.values().some(mayCall) || revisions?.values().some((one) => mayCall(one.agent)) === true;
}
