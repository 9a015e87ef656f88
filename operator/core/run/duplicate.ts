// SPDX-License-Identifier: Apache-2.0
import type { KeyRecord } from '#crds/v1alpha1/quota-ledger';
import { RUN_REASONS } from '#crds/v1alpha1/run';
import { findCondition, READY } from '../conditions.ts';
import { defined } from '../object.ts';
import { statusOnly } from '../plan.ts';
import { fail, finish, requeue } from './ending.ts';
import { bodyDigest, differingFields, endOf, isForgotten } from './idempotency.ts';
import type { RunObserved, RunPlan } from './observed.ts';
import { attemptsOf, isFinished, type Run } from './run.ts';
import { type Ending, queuedStatus } from './status.ts';

/** The end of the first Run wakes those that stand for it; should that be missed, they look again so often. */
const AGAIN_MS = 30_000;
/** The ledger may be seen later than the Run, whose end is in it; how often it is looked at again. */
const SETTLED_MS = 500;

/**
 * Decides what becomes of a waiting Run whose idempotency key another Run has: it starts nothing, and ends as that one
 * ends. Undefined for one that has a key of its own, or none.
 */
export function planDuplicate(run: Run, observed: RunObserved, now: Date): RunPlan | undefined {
  if (attemptsOf(run) > 0) return undefined;
  const told = run.status?.keyHolder;
  if (told !== undefined)
    return isUnsettled(told, observed) ? waitForLedger(run) : follow(run, observed, now);
  const record = foreignRecord(run, observed, now);
  if (record === undefined) return undefined;
  if (isUnsettled(record, observed)) return waitForLedger(run);
  const { name, uid } = record;
  const marked: Run = { ...run, status: { ...run.status, keyHolder: { name, uid } } };
  return isSame(run, record, observed.keyHolder)
    ? follow(marked, observed, now)
    : fail(marked, conflict(marked, observed.keyHolder), now);
}

/** What the ledger remembers of another Run with the same key. A Run that is still there has its key beyond the time of its record. */
function foreignRecord(
  { metadata }: Run,
  { keyRecord: record, keyHolder }: RunObserved,
  now: Date,
): KeyRecord | undefined {
  if (record === undefined || record.uid === metadata.uid) return undefined;
  return keyHolder === undefined && isForgotten(record, now) ? undefined : record;
}

/**
 * Whether a Run is to do the same as the one that came first. Of one that is there it is read, as both are defaulted alike: a
 * digest may be of before a field was added to Runs.
 */
function isSame(run: Run, { body }: KeyRecord, first: Run | undefined): boolean {
  return first === undefined ? body === bodyDigest(run) : differingFields(run, first).length === 0;
}

function conflict(run: Run, holder: Run | undefined) {
  const { keyHolder: { name = '' } = {} } = run.status ?? {};
  const differing = holder === undefined ? [] : differingFields(run, holder);
  const where = differing.length === 0 ? '' : `, which differs in ${differing.join(', ')}`;
  const message = `spec.idempotencyKey: Run ${name} came first with the same key and another spec${where}; use another key, or the same spec`;
  return {
    reason: RUN_REASONS.KeyConflict,
    error: { code: 'conflict', message, retryable: false },
  } as const;
}

/** What a Run says that stands for another one: that it waits for its end, and then how that was. */
function follow(run: Run, { keyHolder: holder, keyRecord }: RunObserved, now: Date): RunPlan {
  const { name = '', uid } = run.status?.keyHolder ?? {};
  if (holder !== undefined && !isFinished(holder)) return waitFor(run, holder, now);
  const phase = holder === undefined ? phaseIn(keyRecord, uid) : endOf(holder);
  const first = `Run ${name}, which has the same idempotency key and came first,`;
  if (phase !== undefined) return finish(run, endingLike(first, phase, holder), now);
  const message = `${first} is gone, and how it ended is not known; this one started nothing`;
  return fail(run, { reason: RUN_REASONS.OutcomeUnknown, error: gone(message) }, now);
}

function endingLike(first: string, phase: Ending['phase'], holder: Run | undefined): Ending {
  const { conditions = [], error, result } = holder?.status ?? {};
  const reason = findCondition(conditions, READY)?.reason ?? phase;
  const message = `${first} ended so: this one started nothing`;
  const ending = { phase, reason, message, said: defined({ result }) };
  return phase === 'Failed' ? { ...ending, error: error ?? gone(`${first} failed, and is gone`) } : ending;
}

function waitFor(run: Run, { metadata: { name } }: Run, now: Date): RunPlan {
  const result = requeue(AGAIN_MS, 'for the end of the Run that came first');
  if (run.status?.queue?.reason === RUN_REASONS.Duplicate && run.status.queue.position === undefined)
    return statusOnly(run.status, result);
  const message = `Run ${name}, which came first, has the same idempotency key: this one starts nothing, and ends as that one ends`;
  const place = { position: undefined, reason: RUN_REASONS.Duplicate, message };
  return statusOnly(queuedStatus(run, place, now), result);
}

function phaseIn(record: KeyRecord | undefined, uid: string | undefined): KeyRecord['phase'] {
  return record?.uid === uid ? record?.phase : undefined;
}

/** Whether the first one is gone, and the ledger, as it was seen, does not know yet that it has ended, nor how. */
function isUnsettled(
  { uid }: { readonly uid: string },
  { keyRecord, keyHolder }: Pick<RunObserved, 'keyRecord' | 'keyHolder'>,
): boolean {
  return keyHolder === undefined && keyRecord?.uid === uid && keyRecord.until === undefined;
}

function waitForLedger(run: Run): RunPlan {
  return statusOnly(
    run.status,
    requeue(SETTLED_MS, 'for the ledger to tell how the Run that came first ended'),
  );
}

function gone(message: string) {
  return { code: 'not_found', message, retryable: false } as const;
}
