// SPDX-License-Identifier: Apache-2.0
import { API_VERSION } from '#crds/v1alpha1/names';
import type { RunStatus } from '#crds/v1alpha1/run';
import { agentKey } from '../../agent/agent.ts';
import { parseMicro } from '../../metering/micro.ts';
import { planRun } from '../../run/plan.ts';
import type { Run } from '../../run/run.ts';
import { ago, makeAgent, makeRun, NOW, revisionOf } from '../../run/testing/make.ts';
import { NOTHING_SEEN } from '../../run/testing/plan-cases.ts';
import type { Ledger } from '../../tenant/tenant.ts';
import { planLedger } from '../ledger.ts';
import { NOTHING_OF_LEDGER } from './make-ledger.ts';

/** What an operator has seen last, which may be old. */
interface View {
  readonly ledger: Ledger;
  readonly run: Run;
}

const NAMESPACE = 'acme-dev';
const agent = makeAgent();
const revision = revisionOf(agent);
const agents = new Map([[agentKey(NAMESPACE, agent.metadata.name), agent]]);

/** A ledger, a Run that is paused and resumed, and two operators that decide on what each of them has seen. */
export class MeteredWorld {
  #now: View = {
    ledger: {
      apiVersion: API_VERSION,
      kind: 'QuotaLedger',
      metadata: { name: 'acme', uid: 'ledger-uid', resourceVersion: '1' },
      spec: { tenantUID: 'tenant-uid', suspended: false, namespaces: [NAMESPACE] },
    },
    run: versioned(makeRun(), 1),
  };
  readonly #views: View[] = [this.#now, this.#now];

  /** One operator catches up with what is. */
  refresh(operator: number, what: keyof View): void {
    this.#views[operator] = { ...this.#viewOf(operator), [what]: this.#now[what] };
  }

  /** One operator decides on the ledger. Its write fails when it has not seen the last one. */
  passLedger(operator: number): void {
    const { ledger, run } = this.#viewOf(operator);
    const { status } = planLedger(ledger, { ...NOTHING_OF_LEDGER, agents, runs: [run] }, NOW);
    if (isSame(status, ledger.status) || isOld(ledger, this.#now.ledger)) return;
    this.#now = { ...this.#now, ledger: nextVersion({ ...ledger, status }) };
    this.refresh(operator, 'ledger');
  }

  /** One operator decides on the Run. While it is to be paused, nothing is left of its workload. */
  passRun(operator: number): void {
    const { ledger, run } = this.#viewOf(operator);
    const reservation = ledger.status?.reservations?.find(({ uid }) => uid === run.metadata.uid);
    const { status } = planRun(run, { ...NOTHING_SEEN, agent, revision, reservation }, NOW);
    if (status === undefined || isOld(run, this.#now.run)) return;
    this.#setRun({ ...run, status });
    this.refresh(operator, 'run');
  }

  /** Its workload is made, and its container starts. */
  start(seconds: number): void {
    const { run } = this.#now;
    const { child, phase } = run.status ?? {};
    if (phase !== 'Admitted' || child === undefined || child.uid !== undefined || run.spec.suspend) return;
    this.#setStatus({
      ...run.status,
      phase: 'Running',
      child: { ...child, uid: 'pod' },
      startedAt: ago(seconds),
    });
  }

  /** Its user pauses it, or has it go on. */
  suspend(isSuspended: boolean): void {
    const { run } = this.#now;
    this.#setRun({ ...run, spec: { ...run.spec, suspend: isSuspended } });
  }

  /** Everything is seen and decided until nothing changes. */
  settle(): void {
    for (let pass = 0; pass < 6; pass += 1) {
      this.refresh(0, 'ledger');
      this.refresh(0, 'run');
      this.passRun(0);
      this.passLedger(0);
    }
  }

  /** Millionths of run units that the Run says it has used. */
  get used(): bigint {
    return parseMicro(this.#now.run.status?.usage?.total?.runUnits ?? '0');
  }

  /** Millionths of run units that the ledger has counted. */
  get counted(): bigint {
    return parseMicro(this.#now.ledger.status?.usage?.tiers[0]?.runUnits ?? '0');
  }

  #setStatus(status: RunStatus): void {
    this.#setRun({ ...this.#now.run, status });
  }

  #setRun(run: Run): void {
    if (isSame(run, this.#now.run)) return;
    this.#now = { ...this.#now, run: nextVersion(run) };
  }

  #viewOf(operator: number): View {
    return this.#views[operator] ?? this.#now;
  }
}

function nextVersion<T extends Run | Ledger>(object: T): T {
  return versioned(object, Number(object.metadata.resourceVersion) + 1);
}

function versioned<T extends Run | Ledger>(object: T, version: number): T {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
}

function isOld(seen: Run | Ledger, live: Run | Ledger): boolean {
  return seen.metadata.resourceVersion !== live.metadata.resourceVersion;
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
