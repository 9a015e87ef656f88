// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import type { RunSpec, RunStatus } from '#crds/v1alpha1/run';
import { makeRate } from '../../metering/testing/make.ts';
import type { RunObserved } from '../observed.ts';
import { planRun } from '../plan.ts';
import type { Run } from '../run.ts';
import { ago, makeAgent, makePod, makeRun, makeTenant, NOW, revisionOf } from './make.ts';

/** What the ledger holds for the Run of the cases. */
export const RESERVED: Reservation = {
  uid: 'run-uid',
  namespace: 'acme-dev',
  name: 'r',
  agent: 'agent',
  attempt: 1,
};
/** A place in the queue. */
export const WAITING = {
  kind: 'waiting',
  position: 3,
  reason: 'ConcurrencyExceeded',
  message: '2 Runs of the tenant may be under way at one time, and no place is free',
} as const;
/** What is told of a Run that waits, without when. */
export const WAITED = {
  reason: 'ConcurrencyExceeded',
  message: 'all places are taken',
  position: 3,
  since: ago(9),
};
/** Status of a Run that is admitted, and whose pod was not seen yet. */
export const ACTIVE: RunStatus = {
  phase: 'Admitted',
  attempt: 1,
  admittedAt: ago(5),
  child: { name: 'r-x-1' },
  usage: { open: { rate: makeRate({ cpuMillicores: 1000 }) } },
};
/** Status of a Run that runs. */
export const RUNNING: RunStatus = {
  ...ACTIVE,
  phase: 'Running',
  child: { name: 'r-x-1', uid: 'pod-uid' },
  conditions: [
    {
      type: 'Ready',
      status: 'False',
      reason: 'Running',
      message: 'its container runs',
      observedGeneration: 1,
      lastTransitionTime: ago(3),
    },
  ],
};
/** A tenant that is suspended and pauses its Runs, and its ledger that was told so. */
export const PAUSING = {
  tenant: makeTenant({ suspended: true, suspendPolicy: 'Pause' }),
  isClosed: true,
  reservation: RESERVED,
} as const;

/** A Run, what is seen of it, and what the plan must be. */
export interface Case {
  readonly spec?: Partial<RunSpec>;
  readonly status?: RunStatus;
  /** Deleted, and kept by somebody else's finalizer. */
  readonly isDeleted?: true;
  readonly seen?: Partial<RunObserved>;
  /** Undefined: the status stays as it is. */
  readonly want?: { readonly phase: string; readonly reason: string; readonly code?: string };
  readonly wantCreated?: readonly string[];
  readonly wantRemoved?: readonly string[];
  readonly wantSoon?: boolean;
  /** What the error must name. */
  readonly wantSaid?: readonly string[];
  /** What the message of Ready must name. */
  readonly wantWords?: string;
}

/** A pod whose container runs. */
export const running = makePod({ running: { startedAt: ago(3) } });
/** One whose container ended well. */
export const succeeded = makePod({ terminated: { exitCode: 0 } }, { phase: 'Succeeded' });

/** Phase, reason and error code of a status, as a case names them. */
function told(status: RunStatus | undefined) {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return { phase: status?.phase, reason: ready?.reason, code: status?.error?.code };
}

function wordsOf(status: RunStatus | undefined): string {
  return status?.conditions?.find(({ type }) => type === 'Ready')?.message ?? '';
}

function errorOf(status: RunStatus | undefined): string {
  return status?.error?.message ?? '';
}

/** `run` as it is after its deletion, while the finalizer of somebody else keeps it. */
export function deleted(run: Run): Run {
  const metadata = { ...run.metadata, deletionTimestamp: ago(1), finalizers: ['example.com/audit'] };
  return { ...run, metadata };
}

/** Whether an attempt is under way; one that waits for Kueue is in the queue, and has a workload. */
function isActive({ phase, child }: RunStatus = {}): boolean {
  return phase === 'Admitted' || phase === 'Running' || (phase === 'Queued' && child !== undefined);
}

function isOpen({ usage }: RunStatus = {}): boolean {
  return usage?.open !== undefined;
}

function runOf({ spec, status, isDeleted }: Case): Run {
  const run = makeRun(spec, status);
  return isDeleted === true ? deleted(run) : run;
}

/** Surroundings in which a Run fits, and nothing of it was made. */
export const NOTHING_SEEN: RunObserved = {
  tenant: makeTenant(),
  place: { kind: 'next' },
  reservation: undefined,
  agent: makeAgent(),
  gpuClass: undefined,
  revision: revisionOf(makeAgent()),
  inputSource: undefined,
  made: undefined,
  pod: undefined,
};

/** Has each case tested by its name. */
export function testPlans(cases: Readonly<Record<string, Case>>): void {
  for (const [name, given] of Object.entries(cases)) {
    test(name, (t) => {
      const { seen, want, wantCreated = [], wantRemoved = [] } = given;
      const { wantSoon = false, wantSaid = [], wantWords = '' } = given;
      const run = runOf(given);
      const plan = planRun(run, { ...NOTHING_SEEN, ...seen }, NOW);
      if (want === undefined) t.is(plan.status, run.status);
      else t.like(told(plan.status), want);
      const kinds = [plan.create.map(({ kind }) => kind), plan.remove.map(({ ref }) => ref.kind)];
      t.deepEqual(kinds, [wantCreated, wantRemoved]);
      t.is(plan.result.kind === 'requeueAfter', wantSoon);
      t.true(wordsOf(plan.status).includes(wantWords), wordsOf(plan.status));
      t.is(isOpen(plan.status), isActive(plan.status), 'an attempt is settled when, and only when, it ends');
      const said = errorOf(plan.status);
      for (const words of wantSaid) t.true(said.includes(words), `${words} in: ${said}`);
    });
  }
}
