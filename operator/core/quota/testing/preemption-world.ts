// SPDX-License-Identifier: Apache-2.0
import { agentKey } from '../../agent/agent.ts';
import { isEnding } from '../../run/interruption.ts';
import type { RunObserved } from '../../run/observed.ts';
import { planRun } from '../../run/plan.ts';
import { isFinished, phaseOf, priorityOf, type Run } from '../../run/run.ts';
import { going, makeAgent, makePod, NOW, revisionOf } from '../../run/testing/make.ts';
import { NOTHING_SEEN } from '../../run/testing/plan-cases.ts';
import type { Ledger } from '../../tenant/tenant.ts';
import { handoverPlace } from '../handover.ts';
import { planLedger } from '../ledger.ts';
import { ageOf, PRIORITY_AGING_SECONDS, type Queued, queueOrder } from '../queue-order.ts';
import { NAMESPACE, namedRun, preemptingLedger } from './make-held.ts';
import { NOTHING_OF_LEDGER } from './make-ledger.ts';

const ORDER = queueOrder(PRIORITY_AGING_SECONDS);
/** Passes in which any world has to come to rest. */
const PASSES = 60;

interface View {
  readonly ledger: Ledger;
  readonly runs: readonly Run[];
}

/**
 * A tenant whose Runs end others, with workloads that take their time to end, and two operators that decide on what each has seen,
 * which may be old. What they know of workloads is proven, as it is where it counts.
 */
export class PreemptionWorld {
  readonly #agent = makeAgent();
  readonly #places: number;
  #live: View;
  readonly #views: View[];
  /** By uid of the Run: whether its pod is being ended. */
  readonly #pods = new Map<string, boolean>();
  /** What was wrong at some moment. */
  readonly faults: string[] = [];

  constructor(places: number) {
    this.#places = places;
    const { metadata, ...ledger } = preemptingLedger({ maxConcurrentRuns: places }, []);
    this.#live = { ledger: { ...ledger, metadata: { ...metadata, resourceVersion: '1' } }, runs: [] };
    this.#views = [this.#live, this.#live];
  }

  /** Attempts that were ended for others. */
  get preempted(): number {
    return this.#live.runs.reduce((sum, { status }) => sum + (status?.preemptions ?? 0), 0);
  }

  /** Somebody creates a Run. */
  create(priority: number): void {
    const name = `r-${this.#live.runs.length}`;
    const { metadata, ...run } = namedRun(name, { priority, age: 60 - this.#live.runs.length });
    const created = { ...run, metadata: { ...metadata, resourceVersion: '1' } };
    this.#live = { ...this.#live, runs: [...this.#live.runs, created] };
  }

  /** One operator catches up with what is. */
  refresh(operator: number, what: keyof View): void {
    this.#views[operator] = { ...this.#viewOf(operator), [what]: this.#live[what] };
  }

  /** One operator decides on the ledger. Its write fails when it has not seen the last one. Returns whether it has written. */
  passLedger(operator: number): boolean {
    const { ledger, runs } = this.#viewOf(operator);
    const agents = new Map([[agentKey(NAMESPACE, 'agent'), this.#agent]]);
    const { status } = planLedger(ledger, { ...NOTHING_OF_LEDGER, agents, runs }, NOW);
    if (isOld(ledger, this.#live.ledger) || JSON.stringify(status) === JSON.stringify(ledger.status))
      return false;
    this.#live = { ...this.#live, ledger: nextVersion({ ...ledger, status }) };
    this.refresh(operator, 'ledger');
    this.#checkMarks(ledger);
    return true;
  }

  /** One operator decides on a Run, and does at once what it has decided. Returns whether it has written. */
  passRun(operator: number, i: number): boolean {
    const { ledger, runs } = this.#viewOf(operator);
    const run = runs[i];
    if (run === undefined || isOld(run, this.#live.runs[i])) return false;
    const { status, create, remove } = planRun(run, this.#seenOf(run, ledger), NOW);
    const uid = run.metadata.uid ?? '';
    if (create.length > 0 && !this.#pods.has(uid)) this.#pods.set(uid, false);
    if (remove.length > 0 && this.#pods.has(uid)) this.#pods.set(uid, true);
    this.#check();
    if (status === undefined || status === run.status) return false;
    this.#setRun(i, { ...run, status });
    this.refresh(operator, 'runs');
    return true;
  }

  /** A workload that is being ended has ended. */
  end(i: number): void {
    const uid = this.#live.runs[i]?.metadata.uid ?? '';
    if (this.#pods.get(uid) === true) this.#pods.delete(uid);
  }

  /** The user of a Run pauses it, has it go on, or cancels it. */
  tell(i: number, spec: { readonly suspend?: boolean; readonly cancel?: true }): void {
    const run = this.#live.runs[i];
    if (run !== undefined && !isFinished(run)) this.#setRun(i, { ...run, spec: { ...run.spec, ...spec } });
  }

  /** The tenant is suspended, or goes on. */
  suspend(suspended: boolean): void {
    const { ledger } = this.#live;
    this.#live = {
      ...this.#live,
      ledger: nextVersion({ ...ledger, spec: { ...ledger.spec, suspended } }),
    };
  }

  /** One operator sees everything and decides until nothing changes; false when it never comes to rest. */
  settle(): boolean {
    for (let pass = 0; pass < PASSES; pass += 1) {
      this.refresh(0, 'ledger');
      this.refresh(0, 'runs');
      let hasWritten = this.passLedger(0);
      for (const i of this.#live.runs.keys()) {
        if (this.passRun(0, i)) hasWritten = true;
        if (this.#pods.get(this.#live.runs[i]?.metadata.uid ?? '') === true) hasWritten = true;
        this.end(i);
      }
      if (!hasWritten) return true;
    }
    return false;
  }

  /** Those who wait while one is under way that is behind them, and worth less; a rest has none. */
  get overtaken(): readonly string[] {
    const { runs, ledger } = this.#live;
    const waiting = runs.filter((run) => phaseOf(run) === 'Queued' && !run.spec.suspend);
    const active = runs.filter((run) => !isFinished(run) && phaseOf(run) !== 'Queued' && !isEnding(run));
    const reserved = (ledger.status?.reservations ?? []).length;
    return waiting
      .filter((run) => {
        const isBetter = (other: Run) =>
          priorityOf(other) < priorityOf(run) && ORDER(queued(run), queued(other)) < 0;
        return reserved < this.#places || active.some(isBetter);
      })
      .map(({ metadata }) => metadata.name);
  }

  #seenOf(run: Run, { status }: Ledger): RunObserved {
    const reservations = status?.reservations ?? [];
    const reservation = reservations.find(({ uid }) => uid === run.metadata.uid);
    const place = handoverPlace(reservation, reservations) ?? NOTHING_SEEN.place;
    const seen = {
      ...NOTHING_SEEN,
      agent: this.#agent,
      revision: revisionOf(this.#agent),
      reservation,
      place,
    };
    return { ...seen, ...this.#workloadOf(run) };
  }

  #workloadOf(run: Run): Pick<RunObserved, 'pod'> {
    const isGoing = this.#pods.get(run.metadata.uid ?? '');
    const { child, attempt } = run.status ?? {};
    if (isGoing === undefined || child === undefined) return { pod: undefined };
    const { name, uid = '' } = run.metadata;
    const owner = { apiVersion: run.apiVersion, kind: 'Run', name, uid, controller: true };
    const metadata = { name: child.name, uid: `${uid}-${attempt}`, ownerReferences: [owner] };
    const pod = makePod({ running: { startedAt: NOW.toISOString() } }, {}, metadata);
    return { pod: isGoing ? going(pod) : pod };
  }

  #check(): void {
    if (this.#pods.size > this.#places) this.faults.push(`${this.#pods.size} workloads at one time`);
  }

  /** Notes who makes room since `before` that is worth as much, or would be back before. */
  #checkMarks(before: Ledger): void {
    const known = new Set(marksOf(before).map(([uid]) => uid));
    for (const [uid, by] of marksOf(this.#live.ledger).filter(([one]) => !known.has(one))) {
      const [low, high] = [uid, by].map((name) => this.#live.runs.find((run) => run.metadata.name === name));
      if (low === undefined || high === undefined) continue;
      const isRight = priorityOf(low) < priorityOf(high) && ORDER(queued(high), queued(low)) < 0;
      if (!isRight) this.faults.push(`${uid} makes room for ${by}`);
    }
  }

  #setRun(i: number, run: Run): void {
    const runs = this.#live.runs.map((one, at) => (at === i ? nextVersion(run) : one));
    this.#live = { ...this.#live, runs };
  }

  #viewOf(operator: number): View {
    return this.#views[operator] ?? this.#live;
  }
}

/** Who makes room, and for whom. */
function marksOf({ status }: Ledger): readonly (readonly [string, string])[] {
  return (status?.reservations ?? []).flatMap(({ uid, preemptedBy }) =>
    preemptedBy === undefined ? [] : [[uid, preemptedBy.name] as const],
  );
}

function queued(run: Run): Queued {
  return { ...ageOf(run), priority: priorityOf(run) };
}

function isOld(seen: Run | Ledger, live: Run | Ledger | undefined): boolean {
  return seen.metadata.resourceVersion !== live?.metadata.resourceVersion;
}

function nextVersion<T extends Run | Ledger>(object: T): T {
  const resourceVersion = String(Number(object.metadata.resourceVersion) + 1);
  return { ...object, metadata: { ...object.metadata, resourceVersion } };
}
