// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS, type RunStatus } from '#crds/v1alpha1/run';
import type { RetriesStatus } from '#crds/v1alpha1/run-retries';
import type { Rate } from '#crds/v1alpha1/run-usage';
import {
  type ConditionInput,
  READY,
  removeCondition,
  setConditions,
  STALLED,
  toInstant,
  truncate,
} from '../conditions.ts';
import { defined } from '../object.ts';
import type { RunError } from './outcome.ts';
import type { Said } from './result.ts';
import { waitsForCapacity } from './capacity.ts';
import { arrivalOf, isWaitingForCapacity, type Run } from './run.ts';

const MAX_ERROR_LENGTH = 4096;
/** That the tenant's ledger holds a place, where Kueue decides after it. */
const QUOTA_RESERVED = 'QuotaReserved';

/** Why a Run is where it is: a word for programs, a sentence for people. */
export interface Cause {
  readonly reason: string;
  readonly message: string;
}

/** A Run that waits, and its place. */
export interface WaitingPlace extends Cause {
  /** From 1; undefined when it has none, as for a Run that belongs to no tenant, or that its user has suspended. */
  readonly position: number | undefined;
  /** A part of the message that changes with time alone: what was written without it is out of date. */
  readonly current?: string;
}

/** What is fixed when a Run is admitted. */
export interface AdmittedFacts {
  readonly attempt: number;
  readonly childName: string;
  readonly revision: NonNullable<RunStatus['revision']>;
  readonly rate: Rate;
  /** Number of the reservation that it is admitted by. */
  readonly serial?: number;
  readonly gpu?: NonNullable<RunStatus['gpu']>;
  /** Of a Run of many pods. */
  readonly gang?: { readonly pods: number; readonly startBefore: string };
  /** Undefined where no failure is retried. */
  readonly retries?: NonNullable<RunStatus['retries']>;
  /** Its place among Runs that call each other. */
  readonly call?: NonNullable<RunStatus['call']>;
  /** What was read as its input. */
  readonly input?: NonNullable<RunStatus['input']>;
  /** Why its workload could not be made when it was tried last. */
  readonly holdUp?: Cause;
  /** Whether its pod will wait for Kueue, so that the Run has only passed the first gate. */
  readonly waits?: boolean;
}

/** How a Run ends. */
export interface Ending extends Cause {
  readonly phase: 'Succeeded' | 'Failed' | 'Cancelled';
  readonly startedAt?: string;
  readonly error?: RunError;
  /** What its container said at its end. */
  readonly said?: Said;
}

/** Status of a Run in the queue. */
export function queuedStatus(run: Run, place: WaitingPlace, now: Date): RunStatus {
  const { position, reason, message } = place;
  // What the last attempt held and was given says nothing of the next one: its Agent may ask for something else by then.
  const { child: _, startedAt: __, gpu: ___, input: ____, gang: _____, ...kept } = run.status ?? {};
  const isSameReason = kept.queue?.reason === reason;
  return {
    ...kept,
    observedGeneration: run.metadata.generation ?? 0,
    phase: 'Queued',
    ...defined({ arrival: arrivalOf(run) }),
    queue: {
      ...(position !== undefined && { position }),
      reason,
      message: truncate(message, 1024),
      since: isSameReason && kept.queue !== undefined ? kept.queue.since : toInstant(now),
      updatedAt: toInstant(now),
    },
    conditions: judged(withoutGate(run), now, [
      { type: 'Admitted', status: 'False', reason, message },
      { type: READY, status: 'False', reason, message },
    ]),
  };
}

/** Status of a Run that holds quota and may start, or wait for Kueue to let it. */
export function admittedStatus(run: Run, facts: AdmittedFacts, now: Date): RunStatus {
  const { queue: _, ...kept } = run.status ?? {};
  const cause = facts.waits === true ? waitsForCapacity() : ADMITTED;
  return {
    ...kept,
    observedGeneration: run.metadata.generation ?? 0,
    ...standingOf(run, facts, now),
    ...defined({ arrival: arrivalOf(run) }),
    attempt: facts.attempt,
    revision: facts.revision,
    usage: { ...kept.usage, open: { rate: facts.rate, ...defined({ reservation: facts.serial }) } },
    ...defined({ gpu: facts.gpu, call: facts.call, retries: facts.retries, input: facts.input }),
    child: childOf(kept, facts),
    ...defined({ gang: gangOf(kept, facts, now) }),
    conditions: judged(facts.waits === true ? run : withoutGate(run), now, [
      ...(facts.waits === true ? [RESERVED] : []),
      { type: 'Admitted', status: facts.waits === true ? 'False' : 'True', ...cause },
      { type: READY, status: 'False', ...(facts.holdUp ?? cause) },
    ]),
  };
}

const ADMITTED: Cause = {
  reason: RUN_REASONS.Admitted,
  message: 'quota is reserved, and its workload is being made',
};
const RESERVED: ConditionInput = {
  type: QUOTA_RESERVED,
  status: 'True',
  reason: RUN_REASONS.Admitted,
  message: 'quota is reserved',
};
const LET_IN: Cause = {
  reason: RUN_REASONS.Admitted,
  message: 'quota is reserved, and Kueue has admitted its pod',
};

/** Whether a Run waits for Kueue, and since when, or has been admitted, and when. */
function standingOf(
  run: Run,
  { attempt, waits }: AdmittedFacts,
  now: Date,
): Pick<RunStatus, 'phase' | 'queue' | 'admittedAt'> {
  if (waits === true) {
    const told = isWaitingForCapacity(run) ? run.status?.queue : undefined;
    return { phase: 'Queued', queue: told ?? queueOf(run, waitsForCapacity(), now) };
  }
  const isSame = run.status?.attempt === attempt && !isWaitingForCapacity(run);
  return { phase: 'Admitted', admittedAt: (isSame && run.status?.admittedAt) || toInstant(now) };
}

/** Status of a Run that has passed the first gate, and waits for Kueue, which says `words`. */
export function capacityStatus(
  run: Run,
  { words, childUid: uid }: { readonly words: string; readonly childUid: string },
  now: Date,
): RunStatus {
  const { child } = run.status ?? {};
  const cause = waitsForCapacity(words);
  return {
    ...run.status,
    observedGeneration: run.metadata.generation ?? 0,
    ...(child !== undefined && { child: { ...child, uid } }),
    queue: queueOf(run, cause, now),
    conditions: judged(run, now, [
      { type: 'Admitted', status: 'False', ...cause },
      { type: READY, status: 'False', ...cause },
    ]),
  };
}

/** What a Run says of its wait for Kueue; `since` stands as long as it waits. */
function queueOf(run: Run, { reason, message }: Cause, now: Date): NonNullable<RunStatus['queue']> {
  const since = isWaitingForCapacity(run) ? run.status?.queue?.since : undefined;
  return { reason, message, since: since ?? toInstant(now), updatedAt: toInstant(now) };
}

/** What was told of a Run before, and what else is to be told now that Kueue has admitted it, if it waited for that. */
function letIn(run: Run, phase: RunStatus['phase'], now: Date) {
  if (!isWaitingForCapacity(run) || phase === 'Queued') return { before: run.status, conditions: [] };
  const { queue: _, ...kept } = run.status ?? {};
  const condition = { type: 'Admitted', status: 'True', ...LET_IN } as const;
  return { before: { ...kept, admittedAt: toInstant(now) }, conditions: [condition] };
}

/** What was told of the same attempt before stays told. */
function childOf({ attempt, child }: RunStatus, facts: AdmittedFacts): NonNullable<RunStatus['child']> {
  const isSame = attempt === facts.attempt && child?.name === facts.childName;
  return isSame ? child : { name: facts.childName };
}

/** Likewise: its time to start goes on. */
function gangOf({ attempt, gang }: RunStatus, facts: AdmittedFacts, now: Date): RunStatus['gang'] {
  if (facts.gang === undefined || (attempt === facts.attempt && gang !== undefined)) return gang;
  return { ...facts.gang, running: 0, succeeded: 0, countedAt: toInstant(now) };
}

/** Status of an admitted Run whose workload was seen: it starts, runs, or is being ended; or cannot be made. */
export function activeStatus(
  run: Run,
  active: Cause & {
    /** Queued: it waits for Kueue still, though something else is to be told. */
    readonly phase: 'Queued' | 'Admitted' | 'Running';
    readonly childUid?: string;
    /** Since when the API server refuses the workload. */
    readonly refusedAt?: string;
    readonly startedAt?: string;
    readonly error?: RunError;
  },
  now: Date,
): RunStatus {
  const { phase, reason, message, childUid: uid, refusedAt, startedAt, error } = active;
  const { child } = run.status ?? {};
  const { before, conditions } = letIn(run, phase, now);
  return {
    ...before,
    observedGeneration: run.metadata.generation ?? 0,
    phase,
    ...(child !== undefined && { child: { ...child, ...defined({ uid, refusedAt }) } }),
    ...(startedAt !== undefined && { startedAt: run.status?.startedAt ?? startedAt }),
    ...(error !== undefined && { error: bounded(error) }),
    conditions: judged(run, now, [...conditions, { type: READY, status: 'False', reason, message }]),
  };
}

/** Status of a Run that has come to its end. */
export function finishedStatus(run: Run, ending: Ending, now: Date): RunStatus {
  const { queue: _, error: __, startBackoff: ___, retries, ...kept } = run.status ?? {};
  const { phase, reason, message, error, startedAt, said } = ending;
  const stalled: ConditionInput[] =
    phase === 'Failed' ? [{ type: STALLED, status: 'True', reason, message }] : [];
  return {
    ...kept,
    observedGeneration: run.metadata.generation ?? 0,
    phase,
    finishedAt: toInstant(now),
    ...defined({
      startedAt: startedAt && (kept.startedAt ?? startedAt),
      error: error && bounded(error),
      result: said?.result,
      retries: retries && withoutWait(retries),
    }),
    conditions: judged(run, now, [
      { type: 'Finished', status: 'True', reason, message },
      { type: READY, status: phase === 'Succeeded' ? 'True' : 'False', reason, message },
      ...stalled,
    ]),
  };
}

/** An error as the API takes it, however much it quotes: one that is longer would keep the Run from its end. */
function bounded(error: RunError): RunError {
  return { ...error, message: truncate(error.message, MAX_ERROR_LENGTH) };
}

/** Nothing waits for a retry any more. */
function withoutWait(retries: RetriesStatus): RetriesStatus {
  const { notBefore: _, ...others } = retries;
  return others;
}

/** Only told between two gates: of a Run that waits for the first, or for none, it would repeat what Admitted says. */
function withoutGate(run: Run): Run {
  const conditions = [...removeCondition(run.status?.conditions ?? [], QUOTA_RESERVED)];
  return { ...run, status: { ...run.status, conditions } };
}

/** What is judged of a Run. Of which generation, its status says once, for all conditions. */
function judged(run: Run, now: Date, inputs: readonly ConditionInput[]): RunStatus['conditions'] {
  const before = removeCondition(run.status?.conditions ?? [], STALLED);
  return [...setConditions(before, inputs, { now })];
}
