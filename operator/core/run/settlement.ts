// SPDX-License-Identifier: Apache-2.0
import {
  MAX_METERED_ATTEMPTS,
  MAX_METERED_PODS,
  type MeteredAttempt,
  type RunUsage,
} from '#crds/v1alpha1/run-usage';
import { toInstant } from '../conditions.ts';
import { addMetered, formatMetered, meter, parseMetered } from '../metering/amounts.ts';
import { formatMicro } from '../metering/micro.ts';
import { defined } from '../object.ts';
import { type AttemptEnd, usesOfAttempt } from './pod-use.ts';
import { addReported } from './result.ts';
import { attemptsOf, type Run } from './run.ts';

/**
 * The Run with its attempt settled, if one is open: the facts, and the amounts that follow. What comes of the Run is written with
 * it, in one write that is fenced by the version of the Run. So an attempt that has ended is settled, and settled once.
 */
export function settle(run: Run, end: AttemptEnd, now: Date): Run {
  const { open, attempts = [], total, reported } = run.status?.usage ?? {};
  if (open === undefined) return run;
  const { rate, reservation } = open;
  const pods = [...usesOfAttempt(run, end)];
  const metered = meter(rate, pods);
  const settled: MeteredAttempt = {
    attempt: attemptsOf(run),
    settledAt: toInstant(now),
    ...defined({ reservation }),
    rate,
    pods,
    runUnits: formatMicro(metered.runUnits),
  };
  const usage: RunUsage = {
    ...defined({ reported: pods.reduce((sum, one) => addReported(sum, one.reported), reported) }),
    attempts: lastOnes([...attempts, settled]),
    total: formatMetered(addMetered(parseMetered(total), metered)),
  };
  return { ...run, status: { ...run.status, usage } };
}

/** As many of the last attempts as are kept, with as many pods as are. */
function lastOnes(attempts: readonly MeteredAttempt[]): MeteredAttempt[] {
  const kept = attempts.slice(-MAX_METERED_ATTEMPTS);
  let pods = kept.reduce((sum, one) => sum + one.pods.length, 0);
  while (pods > MAX_METERED_PODS && kept.length > 1) pods -= kept.shift()?.pods.length ?? 0;
  return kept;
}

/** The Run with its attempt settled of which nothing was made. */
export function settleUnmade(run: Run, now: Date): Run {
  return settle(run, { pod: undefined, until: now }, now);
}
