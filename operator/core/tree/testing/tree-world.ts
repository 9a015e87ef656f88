// SPDX-License-Identifier: Apache-2.0
import type { QuotaLedgerSpec, Reservation } from '#crds/v1alpha1/quota-ledger';
import type { RunSpec, RunStatus } from '#crds/v1alpha1/run';
import type { MeteredAttempt } from '#crds/v1alpha1/run-usage';
import { type Agent, agentKey } from '../../agent/agent.ts';
import { formatMicro } from '../../metering/micro.ts';
import { makeRate, makeUse } from '../../metering/testing/make.ts';
import { defined } from '../../object.ts';
import { statusOnly } from '../../plan.ts';
import { queueOf } from '../../quota/ledger.ts';
import { countedQuota, NAMESPACE, namedRun, preemptingLedger } from '../../quota/testing/make-held.ts';
import { NOTHING_OF_LEDGER } from '../../quota/testing/make-ledger.ts';
import { callStatusOf, priceAtStart, refusedCall } from '../../run/calls.ts';
import { judgeParent } from '../../run/parent.ts';
import { isFinished, phaseOf, type Run } from '../../run/run.ts';
import { NOW } from '../../run/testing/make.ts';
import { countTree, withTree } from '../../run/tree-status.ts';
import type { Ledger } from '../../tenant/tenant.ts';

/** How a Run ends. */
interface End {
  readonly phase?: 'Succeeded' | 'Failed' | 'Cancelled' | 'Queued';
  readonly reason?: string;
  readonly error?: RunStatus['error'];
  readonly micros?: bigint;
}

function settled({ status }: Run, micros: bigint): readonly MeteredAttempt[] {
  const { open } = status?.usage ?? {};
  if (open === undefined) return [];
  const settledAt = NOW.toISOString();
  const pods = [makeUse(1)];
  return [{ attempt: status?.attempt ?? 1, settledAt, ...open, pods, runUnits: formatMicro(micros) }];
}

/** A tenant whose Runs call each other: its queue is the real one, its Runs do as they are told. */
export class TreeWorld {
  readonly agents: ReadonlyMap<string, Agent>;
  readonly runs = new Map<string, Run>();
  ledger: Ledger;
  #clock = 0;

  constructor(spec: Partial<QuotaLedgerSpec>, agents: Iterable<readonly [string, Agent]>) {
    this.agents = new Map(agents);
    this.ledger = preemptingLedger({ preemption: 'Never', ...spec }, []);
  }

  /** Reservations that are held. */
  get held(): readonly Reservation[] {
    return this.ledger.status?.reservations ?? [];
  }

  /** Creates a Run; `parent`: by which other one, at the attempt that it is at. */
  create(
    name: string,
    agent: string,
    { parent, spec = {} }: { readonly parent?: string; readonly spec?: Partial<RunSpec> } = {},
  ): void {
    this.#clock += 1;
    const parentRef = parent === undefined ? {} : { parentRef: { name: parent, uid: parent } };
    this.runs.set(name, namedRun(name, { agent, age: 1000 - this.#clock, spec: { ...spec, ...parentRef } }));
  }

  /** The platform has another price from now on. */
  setPrice(price: QuotaLedgerSpec['price']): void {
    const { price: _, ...spec } = this.ledger.spec;
    this.ledger = { ...this.ledger, spec: { ...spec, ...defined({ price }) } };
  }

  /** One pass of the ledger, and what Runs make of it. Returns whether anything has changed. */
  pass(): boolean {
    const before = JSON.stringify([this.ledger.status, [...this.runs.values()]]);
    const queue = queueOf(this.ledger, this.#observed(), NOW);
    const lastSerial = this.ledger.status?.lastSerial ?? 0;
    const admitted = queue.admitted.map((one, i) => ({ ...one, serial: lastSerial + i + 1 }));
    const { usage } = queue;
    this.ledger = {
      ...this.ledger,
      status: {
        reservations: [...queue.held, ...admitted],
        lastSerial: lastSerial + admitted.length,
        trees: [...queue.trees.values()],
        ...(usage && { usage }),
      },
    };
    for (const one of admitted) this.#start(one);
    for (const { candidate, ...cause } of queue.waiting) {
      const refused = refusedCall(cause);
      if (refused !== undefined) this.end(candidate.name, { phase: 'Failed', ...refused });
    }
    for (const run of this.runs.values()) this.#follow(run);
    return JSON.stringify([this.ledger.status, [...this.runs.values()]]) !== before;
  }

  /** What the Runs that wait are told. */
  get waiting() {
    return queueOf(this.ledger, this.#observed(), NOW).waiting;
  }

  /** What a Run that waits is told; empty for any other. */
  told(name: string): { readonly reason: string; readonly message: string } {
    const { reason = '', message = '' } = this.waiting.find(({ candidate }) => candidate.name === name) ?? {};
    return { reason, message };
  }

  /** Ends a Run, whose container has used so many millionths of run units. */
  end(name: string, { phase = 'Succeeded', reason = phase, error, micros = 0n }: End = {}): void {
    const run = this.find(name);
    const { attempts = [] } = run.status?.usage ?? {};
    const ready = { type: 'Ready', status: 'False', reason, message: '', observedGeneration: 1 } as const;
    const status: RunStatus = {
      ...run.status,
      phase,
      conditions: [{ ...ready, lastTransitionTime: NOW.toISOString() }],
      usage: { attempts: [...attempts, ...settled(run, micros)] },
      ...defined({ error }),
    };
    this.runs.set(name, { ...run, status });
  }

  /** The Run of that name. */
  find(name: string): Run {
    const run = this.runs.get(name);
    if (run === undefined) throw new Error(`no Run ${name}`);
    return run;
  }

  /** Those below a Run, as the objects tell. */
  below(name: string): readonly Run[] {
    const children = [...this.runs.values()].filter(({ spec }) => spec.parentRef?.name === name);
    return children.flatMap((one) => [one, ...this.below(one.metadata.name)]);
  }

  #start(one: Reservation): void {
    const run = this.find(one.name);
    const call = callStatusOf(one);
    const parent = this.runs.get(one.call?.parent ?? '');
    const { price } = this.ledger.spec;
    const status: RunStatus = {
      ...run.status,
      phase: 'Running',
      attempt: one.attempt,
      admittedAt: NOW.toISOString(),
      ...(call && { call }),
      conditions: [],
      usage: {
        ...run.status?.usage,
        open: {
          rate: makeRate(defined({ price: priceAtStart(one, { parent, price }) })),
          ...defined({ reservation: one.serial }),
        },
      },
    };
    this.runs.set(one.name, { ...run, status });
  }

  /** What the controller of Runs does: who has lost his parent ends, and who is above others tells of them. */
  #follow(run: Run): void {
    const { name } = run.metadata;
    if (!isFinished(run)) {
      const verdict = judgeParent(run, this.runs.get(run.spec.parentRef?.name ?? ''));
      if (verdict?.kind === 'over') this.end(name, { phase: 'Cancelled', reason: 'ParentEnded' });
      if (verdict?.kind === 'refused') this.end(name, { phase: 'Failed' });
    }
    this.#tell(this.find(name));
  }

  #tell(run: Run): void {
    const { name, uid } = run.metadata;
    const record = this.ledger.status?.trees?.find((one) => one.uid === uid);
    if (record === undefined) return;
    const own = this.held.find((one) => one.uid === uid);
    const held = this.held.filter(({ call }) => call?.root === uid);
    const tree = { record, pool: own?.pool, held, counts: () => countTree(this.below(name)) };
    const later = new Date(NOW.getTime() + 10_000);
    const { status } = withTree(run, { plan: statusOnly(run.status), observed: { tree } }, later);
    this.runs.set(name, { ...run, ...(status && { status }) });
  }

  #observed() {
    const hard = (this.ledger.spec.hard ?? {}) as Readonly<Record<string, string>>;
    const none = Object.fromEntries(Object.keys(hard).map((key) => [key, '0']));
    const quotas = new Map([[NAMESPACE, countedQuota(NAMESPACE, hard, none)]]);
    return { ...NOTHING_OF_LEDGER, runs: [...this.runs.values()], agents: this.agents, quotas };
  }
}

/** The phase of a Run of a world. */
export function phaseIn(world: TreeWorld, name: string): string {
  return phaseOf(world.find(name));
}

/** How a Run of a world has ended: its phase, what Ready gives as the reason, and the code of its error. */
export function endOf(world: TreeWorld, name: string) {
  const { phase, conditions = [], error } = world.find(name).status ?? {};
  return { phase, reason: conditions.find(({ type }) => type === 'Ready')?.reason, code: error?.code };
}

/** The key of an Agent of the world. */
export function keyOfAgent(name: string): string {
  return agentKey(NAMESPACE, name);
}
