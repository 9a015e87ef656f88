// SPDX-License-Identifier: Apache-2.0
import { memoryShares } from './memory-shares.ts';
import { EVALUATION_LIMITS, type EvaluationLimits } from './verdict.ts';
import type { BudgetRule } from './workers/budgets.ts';
import type { TrialPatience } from './workers/lane.ts';
import type { Trial } from './workers/lines.ts';
import type { WorkerSettings } from './workers/messages.ts';
import type { QuarantineRule } from './workers/quarantine.ts';

/** What evaluations may take, of a worker and of the host. */
export interface HostLimits extends EvaluationLimits, WorkerSettingsOfHost {
  /** More is not given, whatever an evaluation asks for. */
  readonly maxDeadlineMs: number;
  readonly maxMemoryMiB: number;
  /** Modules and data of all that is kept, which threads share. */
  readonly keptBytes: number;
  /** For loading a module with its data, its start function included. */
  readonly loadDeadlineMs: number;
  /** For asking its entry points once, all together. */
  readonly warmUpMs: number;
  readonly maxWaitMs: number;
  readonly maxWaiting: number;
  readonly maxWaitingPerSubject: number;
  /** How long at least, by the clock on the wall, one is waited for that others keep from the processors. */
  readonly patienceMs: number;
  /** By the clock on the wall: an evaluation that others keep from the processors is not waited for longer, whatever else it asks for. */
  readonly maxPatienceMs: number;
  /** How long what is tried is waited for. */
  readonly trials: Readonly<Record<Trial, TrialPatience>>;
  /** Time of workers for each subject, in each lane. */
  readonly budget: BudgetRule;
  readonly quarantine: QuarantineRule;
}

type WorkerSettingsOfHost = Omit<WorkerSettings, 'limits'>;

/** Limits for a process that answers the API server, which waits for three seconds. */
export const HOST_LIMITS: HostLimits = {
  ...EVALUATION_LIMITS,
  ...memoryShares({ limitBytes: undefined, workers: 1, spareWorkers: 0 }),
  recycleAfter: 10_000,
  recycleBytes: 4 * 1024 * 1024,
  // What is to be over after 75 ms is stopped before: until a timer fires, and its worker is given up, takes some milliseconds.
  maxDeadlineMs: 60,
  loadDeadlineMs: 1000,
  warmUpMs: 1000,
  maxWaitMs: 1000,
  maxWaiting: 1024,
  maxWaitingPerSubject: 128,
  patienceMs: 0,
  maxPatienceMs: 2500,
  trials: {
    // In time for what is active to judge the request instead.
    cohort: { maxWaitMs: 250, patienceMs: 750 },
    // Nobody waits: so it is found out whether it ends, on a machine that is busy as well.
    shadow: { maxWaitMs: 10_000, patienceMs: 4000 },
  },
  budget: { msPerSecond: 500, burstMs: 2000 },
  quarantine: { strikes: 3, withinMs: 10 * 60 * 1000 },
};
