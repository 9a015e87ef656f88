// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS, type RunStatus } from '#crds/v1alpha1/run';
import type { RetriesStatus } from '#crds/v1alpha1/run-retries';
import type { Agent } from '../agent/agent.ts';
import { toInstant, truncate } from '../conditions.ts';
import { statusOnly } from '../plan.ts';
import { cancellation, type Ended, fail, requeue } from './ending.ts';
import type { RunPlan } from './observed.ts';
import { attemptsOf, type Run } from './run.ts';
import { queuedStatus } from './status.ts';

/** Longest part of a failure's message that is kept of an attempt. */
const MAX_MESSAGE = 1024;

/** What an attempt that failed leads to: the next one after a wait, if there is one left for such a failure, or the end of the Run. */
export function failAttempt(run: Run, failure: Ended, now: Date): RunPlan {
  const { retries } = run.status ?? {};
  if (retries === undefined || !isRetried(run, retries, failure)) return fail(run, failure, now);
  const child = run.status?.child?.name;
  const message = truncate(failure.error.message, MAX_MESSAGE);
  const last = {
    attempt: attemptsOf(run),
    reason: failure.reason,
    message,
    failedAt: toInstant(now),
    ...(child !== undefined && { child }),
  };
  return backOff(run, { spent: retries.spent + 1, limit: retries.limit, last }, now);
}

/** Waits, from now on, for the retry that is the last of those spent. */
function backOff(run: Run, retries: RetriesStatus, now: Date): RunPlan {
  const { spent, limit, last } = retries;
  const waitMs = backoffMs(run, spent);
  const notBefore = toInstant(new Date(now.getTime() + waitMs));
  const why = last === undefined ? '' : `, since attempt ${last.attempt} failed: ${last.message}`;
  const message = `retry ${spent} of ${limit} starts after ${notBefore}${why}`;
  const place = { position: undefined, reason: RUN_REASONS.RetryBackoff, message };
  // What the attempt was given up for is told in `last`; the Run itself has not failed.
  const { error: _, ...queued } = queuedStatus(run, place, now);
  const status: RunStatus = { ...queued, retries: { ...retries, notBefore } };
  // Of the attempts before the last one, Events are the only record.
  const event = { type: 'Warning', reason: RUN_REASONS.RetryBackoff, message } as const;
  return { ...statusOnly(status, requeue(waitMs, 'for the next attempt')), events: [event] };
}

/** A Run whose last attempt failed: it waits for the time of the next one, and then for quota like any other. */
export function waitForRetry(run: Run, retries: RetriesStatus, now: Date): RunPlan {
  const { notBefore = '', ...others } = retries;
  const leftMs = Date.parse(notBefore) - now.getTime();
  // The clock has gone back since: nobody waits longer for that.
  if (leftMs > backoffMs(run, retries.spent)) return backOff(run, retries, now);
  if (leftMs > 0) return statusOnly(run.status, requeue(leftMs, 'for the next attempt'));
  const message = `retry ${retries.spent} of ${retries.limit} waits for its quota`;
  const place = { position: undefined, reason: RUN_REASONS.Pending, message };
  const status = { ...queuedStatus(run, place, now), retries: others };
  return statusOnly(status, requeue(250, 'for the ledger to reserve'));
}

/** What is to be told of retries at an admission; undefined where no failure is retried. The limit stays as it was at the first. */
export function retriesAtAdmission({ spec, status }: Run, agent: Agent): RetriesStatus | undefined {
  if (status?.retries !== undefined) return status.retries;
  const limit = Math.min(spec.retries?.limit ?? 0, agent.spec.limits.maxRetries ?? Infinity);
  return limit === 0 ? undefined : { spent: 0, limit };
}

function isRetried(run: Run, { spent, limit }: RetriesStatus, failure: Ended): boolean {
  const isHopeless = failure.said?.error?.retryable === false;
  return spent < limit && cancellation(run) === undefined && !isHopeless && isNamed(run, failure);
}

function isNamed({ spec }: Run, { reason, error }: Ended): boolean {
  const { reasons = [], exitCodes } = spec.retries ?? {};
  if (!reasons.some((one) => one === reason)) return false;
  if (reason !== RUN_REASONS.ContainerFailed || exitCodes === undefined) return true;
  return error.exitCode !== undefined && exitCodes.includes(error.exitCode);
}

/** How long the retry of that number waits, from 1: each twice as long as the one before, up to the most. */
function backoffMs({ spec }: Run, retry: number): number {
  const { backoffSeconds = 0, maxBackoffSeconds = 0 } = spec.retries ?? {};
  return Math.min(backoffSeconds * 2 ** (retry - 1), maxBackoffSeconds) * 1000;
}
