// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS } from '#crds/v1alpha1/run';
import { toInstant } from '../conditions.ts';
import { keptForMs } from '../figures.ts';
import { defined, type KubeObject } from '../object.ts';
import { statusOnly } from '../plan.ts';
import { activePhase, afterEnd, reservationOf, starting, SUCCEEDED, told, endingOf } from './active.ts';
import { admit } from './admission.ts';
import { cancellation, type Ended, finish } from './ending.ts';
import { backOffStart } from './gang-start.ts';
import {
  countsOf,
  failureOf,
  firstFailed,
  firstStart,
  type GangView,
  isCutShort,
  isWhole,
  leftMs,
  livePods,
  lostPod,
  obstacleIn,
  startedCount,
  viewOf,
} from './gang-view.ts';
import { holdUpOf } from './hold-up.ts';
import { givenUpFor } from './interruption.ts';
import { lookingMs } from './no-devices.ts';
import type { RunObserved, RunPlan } from './observed.ts';
import { podRemoval } from './pod.ts';
import { planQuestion } from './question.ts';
import { reportOf } from './pod-use.ts';
import { cutNote } from './report-limit.ts';
import { asOutput } from './result.ts';
import { failAttempt } from './retry.ts';
import { phaseOf, type Run } from './run.ts';
import { settle } from './settlement.ts';
import { sooner } from './starting-deadline.ts';
import { activeStatus, type Cause } from './status.ts';

/** What is decided on. */
interface Sight {
  readonly observed: RunObserved;
  readonly view: GangView;
}

/**
 * What becomes of a Run of many pods that is admitted, or runs. All of them are made, and from then on they share one fate: when one
 * fails or is lost, the others are ended, and the Run is where it would be after that with one pod. It succeeds when all have.
 */
export function planGang(run: Run, observed: RunObserved, now: Date): RunPlan {
  const view = viewOf(run, observed.members ?? [], now);
  return withCounts(run, { plan: planTogether(run, { observed, view }, now), view }, now);
}

function planTogether(run: Run, sight: Sight, now: Date): RunPlan {
  const { observed, view } = sight;
  const cause = endingOf(run, { ...observed, pod: lostPod(view) }, now) ?? notStartedInTime(run, view, now);
  if (cause !== undefined) return endAll(run, { ...sight, cause }, now);
  const failure = failureOf(view, now);
  if (failure !== undefined) return giveUp(run, { view, failure }, now);
  return isWhole(view) ? follow(run, sight, now) : makeAll(run, sight, now);
}

/** Makes those that are not there: all of them after the admission, the rest after a crash or a refusal. */
function makeAll(run: Run, { observed, view }: Sight, now: Date): RunPlan {
  const plan = admit(run, { ...observed, reservation: reservationOf(run) }, now);
  const { phase, error, queue } = plan.status ?? {};
  if (phase === 'Admitted') {
    const create = plan.create.filter((one) => isMissing(one, { observed, view }));
    return sooner({ ...plan, create }, startMs(run, now));
  }
  // Where nothing was made yet, nothing has to end before the Run may say what it waits for.
  if (view.seen.length === 0) return plan;
  const { reason = RUN_REASONS.Pending, message = '' } = queue ?? {};
  if (error !== undefined) return giveUp(run, { view, failure: { reason: reasonOf(plan), error } }, now);
  return endAll(run, { observed, view, cause: notStarted(`${reason}: ${message}`, view) }, now);
}

/** What pods share is made before the first of them; to ask for it again would be a request each time, and refused. */
function isMissing({ kind }: KubeObject, { observed, view }: Sight): boolean {
  if (kind === 'Pod') return true;
  return view.seen.length === 0 && (kind !== 'Service' || observed.service === undefined);
}

function reasonOf({ status }: RunPlan): string {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return ready?.reason ?? RUN_REASONS.WorkloadRefused;
}

/** Ends those that still run. When none does, the attempt is over: by itself, if no pod was told to end. */
function endAll(run: Run, { observed, view, cause }: Sight & { readonly cause: Cause }, now: Date): RunPlan {
  if (livePods(view).length > 0)
    return { ...statusOnly(told(run, tell(view, cause), now)), remove: removals(view) };
  if (isWhole(view) && !view.seen.some(({ pod }) => isCutShort(pod)))
    return byThemselves(run, { observed, view }, now);
  const over = settleAll(run, view, now);
  const isUnwanted = givenUpFor(over) !== undefined || cancellation(over) !== undefined;
  if (!isUnwanted && cause.reason === RUN_REASONS.GangNotStarted) return backOffStart(over, cause, now);
  const { said } = firstFailed(view, (pod) => !isCutShort(pod)) ?? {};
  return afterEnd(over, { ending: cause, ...firstStart(view), ...defined({ said }) }, now);
}

/** Has the Run fail: at once where nothing runs, else when what runs was ended for it. */
function giveUp(
  run: Run,
  { view, failure }: { readonly view: GangView; readonly failure: Ended },
  now: Date,
): RunPlan {
  if (livePods(view).length === 0) {
    return failAttempt(
      settleAll(run, view, now),
      noted({ ...failure, ...firstStart(view) }, { run, view }),
      now,
    );
  }
  const { reason, error } = failure;
  const ending = {
    reason,
    message: error.message,
    error,
    phase: activePhase(run),
    ...firstStart(view),
  } as const;
  const childUid = firstPod(view)?.metadata.uid;
  return {
    ...statusOnly(activeStatus(run, { ...ending, ...defined({ childUid }) }, now)),
    remove: removals(view),
  };
}

/** All pods have ended, and nobody had told them to. */
function byThemselves(before: Run, { observed, view }: Sight, now: Date): RunPlan {
  const failed = firstFailed(view, () => true);
  if (failed !== undefined) return giveUp(before, { view, failure: failed }, now);
  const run = settleAll(before, view, now);
  const message = `all of its ${view.size} pods ended well${noteOf(run, view)}`;
  const [first] = view.seen;
  const said = first?.outcome.kind === 'succeeded' ? first.outcome.said : undefined;
  const { asks } = said ?? {};
  // The first one speaks for all, as with its output.
  if (asks !== undefined) {
    return planQuestion(run, { asks, policy: observed.asking?.questions, ...firstStart(view) }, now);
  }
  return finish(run, { ...SUCCEEDED, message, ...firstStart(view), said: asOutput(said) }, now);
}

/** All pods are there, and none has failed. */
function follow(run: Run, { observed, view }: Sight, now: Date): RunPlan {
  if (livePods(view).length === 0) return byThemselves(run, { observed, view }, now);
  const untilMs = Math.min(leftMs(view, now), lookingMs(observed.missing, now));
  if (!isStarted(run, view)) return sooner(planStart(run, view, now), Math.min(untilMs, startMs(run, now)));
  const { startBackoff: _, ...kept } = run.status ?? {};
  const started = kept.startedAt === undefined ? { ...run, status: kept } : run;
  const running = {
    phase: 'Running',
    reason: RUN_REASONS.Running,
    message: `its ${view.size} pods run`,
  } as const;
  return sooner(statusOnly(told(started, tell(view, running), now)), untilMs);
}

function planStart(run: Run, view: GangView, now: Date): RunPlan {
  const obstacle = obstacleIn(view) ?? STARTING;
  return starting(run, { ...obstacle, pod: firstPod(view) }, now);
}

const STARTING = { reason: RUN_REASONS.Starting, message: 'its pods are starting' } as const;

/** Once all have started, one that is being deleted, or has ended, takes nothing of that back. */
function isStarted(run: Run, view: GangView): boolean {
  return phaseOf(run) === 'Running' || startedCount(view) >= view.size;
}

/** Why a Run goes back to the queue whose pods have not all started in their time. */
function notStartedInTime(run: Run, view: GangView, now: Date): Cause | undefined {
  if (isStarted(run, view) || startMs(run, now) > 0) return undefined;
  const why = holdUpOf(run)?.message ?? obstacleIn(view)?.message ?? 'they take longer than that';
  return notStarted(`not within spec.gang.startTimeoutSeconds of its Agent: ${why}`, view);
}

function notStarted(why: string, view: GangView): Cause {
  const { size, seen } = view;
  const message = `of its ${size} pods ${seen.length} were made and ${startedCount(view)} started, ${why}`;
  return { reason: RUN_REASONS.GangNotStarted, message };
}

/** How long its pods may still take to start, in milliseconds. */
function startMs({ status }: Run, now: Date): number {
  return Date.parse(status?.gang?.startBefore ?? '') - now.getTime();
}

/** What is told with it that they were all made: from then on, one that is missing is gone. */
function tell<T extends Cause>(
  view: GangView,
  cause: T,
): T & { readonly startedAt?: string; readonly pod: KubeObject | undefined } {
  return { ...cause, ...firstStart(view), pod: firstPod(view) };
}

/** The first of the pods, once all were made. */
function firstPod(view: GangView): KubeObject | undefined {
  return isWhole(view) ? view.seen[0]?.pod : undefined;
}

function removals(view: GangView) {
  const kept = livePods(view).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  return kept.map(podRemoval);
}

function settleAll(run: Run, view: GangView, now: Date): Run {
  return settle(run, { pod: undefined, members: view.seen.map(({ pod }) => pod), until: now }, now);
}

function noted(failure: Ended, { run, view }: { readonly run: Run; readonly view: GangView }): Ended {
  const { error } = failure;
  return { ...failure, error: { ...error, message: error.message + noteOf(run, view) } };
}

/** That a pod has reported more than its time allows. */
function noteOf({ status }: Run, { seen }: GangView): string {
  const uses = status?.usage?.attempts?.at(-1)?.pods ?? [];
  const notes = seen.map(({ pod }) =>
    cutNote(
      reportOf(pod),
      uses.filter(({ uid }) => uid === pod.metadata.uid),
    ),
  );
  return notes.find((note) => note !== '') ?? '';
}

/** The plan with the counts of now in its status: when that is written anyhow, or those that were written have stood for long enough. */
function withCounts(
  run: Run,
  { plan, view }: { readonly plan: RunPlan; readonly view: GangView },
  now: Date,
): RunPlan {
  const { status } = plan;
  const before = status?.gang;
  if (status === undefined || before === undefined) return plan;
  const counts = countsOf(view);
  if (before.running === counts.running && before.succeeded === counts.succeeded) return plan;
  const written = {
    ...plan,
    status: { ...status, gang: { ...before, ...counts, countedAt: toInstant(now) } },
  };
  if (status !== run.status) return written;
  const waitMs = keptForMs({ at: before.countedAt, isSame: false }, now);
  return waitMs === 0 ? written : sooner(plan, waitMs);
}
