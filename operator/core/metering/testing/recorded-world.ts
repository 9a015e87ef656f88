// SPDX-License-Identifier: Apache-2.0
import { API_VERSION } from '#crds/v1alpha1/names';
import type { LedgerWindowUse, WindowName } from '#crds/v1alpha1/usage-history';
import { agentKey } from '../../agent/agent.ts';
import type { KubeObject } from '../../object.ts';
import type { Plan } from '../../plan.ts';
import { planLedger } from '../../quota/ledger.ts';
import { NOTHING_OF_LEDGER } from '../../quota/testing/make-ledger.ts';
import type { Run } from '../../run/run.ts';
import { makeAgent, makeRun, NOW } from '../../run/testing/make.ts';
import type { Ledger } from '../../tenant/tenant.ts';
import { windowStart } from '../history.ts';
import { parseMicro } from '../micro.ts';
import { hasSealed, needsRecord, seenRecord, type UsageRecord } from '../usage-record.ts';
import { makeAttempt } from './old-history.ts';

const NAMESPACE = 'acme-dev';
const agent = makeAgent();
const agents = new Map([[agentKey(NAMESPACE, agent.metadata.name), agent]]);
const LENGTHS = ['hour', 'day', 'month'] as const satisfies readonly WindowName[];
/** Windows of each length that are compared, fewer than are kept in any case. */
const COMPARED = 10;

/** What one operator has decided and not done yet. */
interface Pending {
  readonly ledgerUid: string;
  readonly plan: Plan<unknown>;
}

/**
 * A ledger, its record, and two operators: each decides on what it has seen of the ledger, writes its status if that was the newest, and
 * gives the record what it decided at any time after that, or never.
 */
export class RecordedWorld {
  #now = NOW.getTime();
  #version = 1;
  #ledger: Ledger = ledgerOf(1);
  #record: UsageRecord | undefined;
  #runs: readonly Run[] = [];
  #serial = 0;
  readonly #views: Ledger[] = [this.#ledger, this.#ledger];
  readonly #pending: (Pending | undefined)[] = [undefined, undefined];
  /** By window: millionths of run units of the attempts that were counted. */
  readonly #truth = new Map<string, bigint>();
  /** Most windows that the ledger has had. */
  mostWindows = 0;
  /** Windows that were taken over. */
  get merged(): number {
    return this.#record?.spec.merged ?? 0;
  }

  wait(minutes: number): void {
    this.#now += minutes * 60_000;
  }

  /** A Run has ended so many minutes ago, and holds its reservation still. */
  end(lateMinutes: number): void {
    this.#serial += 1;
    const uid = `run-${this.#serial}`;
    const settledAt = instant(this.#now - lateMinutes * 60_000);
    const price = { currency: 'USD', runUnits: 1_000_000_000_000 };
    const more = { reservation: this.#serial, rate: { price } };
    const attempt = makeAttempt(settledAt, 10 + this.#serial, more);
    const run = makeRun({}, { phase: 'Succeeded', attempt: 1, usage: { attempts: [attempt] } });
    // Another list: what is found in one is remembered by it.
    this.#runs = [...this.#runs, { ...run, metadata: { ...run.metadata, name: uid, uid } }];
    const { status } = this.#ledger;
    const reservation = { uid, namespace: NAMESPACE, name: uid, agent: 'agent', attempt: 1 };
    this.#write({
      ...this.#ledger,
      status: {
        ...status,
        reservations: [...(status?.reservations ?? []), { ...reservation, serial: this.#serial }],
        lastSerial: this.#serial,
      },
    });
  }

  /** One operator catches up with the ledger. */
  refresh(operator: number): void {
    this.#views[operator] = this.#ledger;
  }

  /** One operator decides, with the record as it is now, and writes the status; what else it decided on is left for later. */
  decide(operator: number): void {
    const view = this.#views[operator] ?? this.#ledger;
    const observed = {
      ...NOTHING_OF_LEDGER,
      agents,
      runs: this.#runs,
      ...(needsRecord(view, new Date(this.#now)) && { record: seenRecord(view, this.#record) }),
    };
    const plan = planLedger(view, observed, new Date(this.#now));
    this.#pending[operator] = undefined;
    if (!isSame(plan.status, view.status)) {
      if (view.metadata.resourceVersion !== this.#ledger.metadata.resourceVersion) return;
      this.#count(view);
      this.#write({ ...view, status: plan.status });
      this.refresh(operator);
    }
    this.#pending[operator] = { ledgerUid: view.metadata.uid ?? '', plan };
  }

  /** One operator does what it decided on, if its ledger is still there; a crash is that it never does. */
  act(operator: number): void {
    const pending = this.#pending[operator];
    this.#pending[operator] = undefined;
    if (pending === undefined || pending.ledgerUid !== this.#ledger.metadata.uid) return;
    const { create, replace = [], remove } = pending.plan;
    for (const one of create.filter(isRecord)) if (this.#record === undefined) this.#setRecord(one);
    for (const one of replace.filter(isRecord)) {
      if (this.#record?.metadata.resourceVersion === one.metadata.resourceVersion) this.#setRecord(one);
    }
    if (remove.some(({ ref }) => ref.uid === this.#record?.metadata.uid)) this.#record = undefined;
  }

  /** Somebody deletes the ledger: what it had not given to the record is lost with it. */
  loseLedger(): void {
    this.#truth.clear();
    for (const one of this.#record?.spec.windows ?? []) this.#truth.set(keyOf(one), unitsOf(one));
    this.#runs = [];
    this.#version += 1;
    this.#ledger = ledgerOf(this.#version);
  }

  /** What waits is done, and then an operator of before leads for a moment: what it does not know is not in the ledger that it writes. */
  rollBack(): void {
    this.settle();
    const { usage, ...status } = this.#ledger.status ?? {};
    if (usage === undefined) return;
    this.#pending.fill(undefined);
    const { lastSealed: _, ...known } = usage;
    this.#write({ ...this.#ledger, status: { ...status, usage: known } });
  }

  /** Everything is seen and done until nothing changes. */
  settle(): void {
    for (let pass = 0; pass < 6; pass += 1) {
      this.refresh(0);
      this.decide(0);
      this.act(0);
    }
  }

  /** The first window of which record and ledger together tell something else than was counted. */
  wrong(): string | undefined {
    const told = this.#told();
    for (const length of LENGTHS) {
      const newest = [...this.#truth.keys()]
        .filter((key) => key.startsWith(length))
        .toSorted()
        .slice(-COMPARED);
      const odd = newest.find((key) => told.get(key) !== this.#truth.get(key));
      if (odd !== undefined) return `${odd}: ${told.get(odd)} and not ${this.#truth.get(odd)}`;
    }
    return undefined;
  }

  /** Whether the ledger holds a window that its record has. */
  get isHolding(): boolean {
    return hasSealed(this.#ledger);
  }

  /** As the page of the kind says how they are read together. */
  #told(): ReadonlyMap<string, bigint> {
    const { windows = [], merged = 0, ledgerUID } = this.#record?.spec ?? {};
    const isTaken = ({ sealed = Infinity }: LedgerWindowUse) =>
      ledgerUID === this.#ledger.metadata.uid && sealed <= merged;
    const own = (this.#ledger.status?.usage?.windows ?? []).filter((one) => !isTaken(one));
    const told = new Map<string, bigint>();
    for (const one of [...windows, ...own]) {
      told.set(keyOf(one), (told.get(keyOf(one)) ?? 0n) + unitsOf(one));
    }
    return told;
  }

  /** What the write counts that is about to be made: all that has ended and is in the ledger. */
  #count(view: Ledger): void {
    const held = new Set((view.status?.reservations ?? []).map(({ uid }) => uid));
    for (const run of this.#runs.filter(({ metadata }) => held.has(metadata.uid ?? ''))) {
      for (const { settledAt, pods } of run.status?.usage?.attempts ?? []) {
        const seconds = pods.reduce(
          (sum, one) => sum + (Date.parse(one.finishedAt) - Date.parse(one.startedAt)) / 1000,
          0,
        );
        for (const window of LENGTHS) {
          const key = keyOf({ window, start: windowStart(window, settledAt) });
          // A core for so many seconds, and a call of a tool.
          this.#truth.set(key, (this.#truth.get(key) ?? 0n) + BigInt(seconds) * 1_000_000n + 100_000n);
        }
      }
    }
  }

  #write(ledger: Ledger): void {
    this.#version += 1;
    const metadata = { ...ledger.metadata, resourceVersion: String(this.#version) };
    this.#ledger = { ...ledger, metadata };
    this.mostWindows = Math.max(this.mostWindows, ledger.status?.usage?.windows.length ?? 0);
  }

  #setRecord(record: KubeObject): void {
    this.#version += 1;
    const uid = record.metadata.uid ?? `record-${this.#version}`;
    const metadata = { ...record.metadata, uid, resourceVersion: String(this.#version) };
    this.#record = { ...record, metadata } as UsageRecord;
  }
}

function ledgerOf(version: number): Ledger {
  return {
    apiVersion: API_VERSION,
    kind: 'QuotaLedger',
    metadata: { name: 'acme', uid: `ledger-${version}`, resourceVersion: String(version), generation: 1 },
    spec: { tenantUID: 'tenant-uid', suspended: true, namespaces: [NAMESPACE] },
  };
}

function isRecord({ kind }: KubeObject): boolean {
  return kind === 'UsageRecord';
}

function keyOf({ window, start }: Pick<LedgerWindowUse, 'window' | 'start'>): string {
  return `${window} ${start}`;
}

/** Each run unit costs one, so both are counted alike; what differs is no sum that anything comes to. */
function unitsOf({ amounts }: Pick<LedgerWindowUse, 'amounts'>): bigint {
  return amounts.cost === amounts.runUnits ? parseMicro(amounts.runUnits) : -1n;
}

function instant(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
