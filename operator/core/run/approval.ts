// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import { RUN_REASONS, type RunStatus } from '#crds/v1alpha1/run';
import {
  type ApprovalPolicy,
  type ApprovalStatus,
  MAX_BEHIND,
  MAX_USER_LENGTH,
} from '#crds/v1alpha1/run-approval';
import type { QuestionPolicy } from '#crds/v1alpha1/run-questions';
import type { Agent } from '../agent/agent.ts';
import { pinOf } from '../agent/pinned.ts';
import { setCondition, toInstant, truncate } from '../conditions.ts';
import { type Condition, defined, type KubeObject } from '../object.ts';
import { type PlanEvent, type Result, statusOnly } from '../plan.ts';
import { fail, requeue } from './ending.ts';
import type { RunObserved, RunPlan } from './observed.ts';
import { printable } from './result.ts';
import type { Run } from './run.ts';
import { type Cause, queuedStatus } from './status.ts';
import { SUSPENDED } from './suspension.ts';

/** Condition of a Run that needs approval. */
const APPROVED = 'Approved';
/** As much of a name, or of words of people, as a message quotes. */
const MAX_QUOTED = 256;

/** How soon a queue that was seen late is looked at again: nothing else would wake the Run. */
export const LOOK_AGAIN: Result = requeue(500, 'for its queue to see what was decided');

/** What the Agent of a Run says of asking people, as it was seen. */
export interface Asking {
  /** Undefined where Runs start without. */
  readonly approval?: ApprovalPolicy;
  /** Undefined where it says nothing of that. */
  readonly questions?: QuestionPolicy;
  /** Who is behind the Run, beside who created it. */
  readonly behind?: readonly string[];
  /** What a Run that is bound to no revision is bound to when it asks: what is approved is what starts. */
  readonly revision?: NonNullable<RunStatus['revision']>;
}

/** What `agent` says of asking people, to `run`; `behind`: who is behind that, asked for only where it matters. */
export function askingOf(
  run: Run,
  agent: Agent | undefined,
  behind: () => readonly string[] = () => [],
): Asking {
  if (agent === undefined) return {};
  const { approval, questions } = agent.spec;
  const asks = approval !== undefined && run.status?.approval === undefined;
  const active = pinOf(run) === undefined ? agent.status?.activeRevision : undefined;
  return defined({
    approval,
    questions,
    behind: asks ? behind() : undefined,
    revision: active && { name: active.name, number: active.number },
  });
}

/** Whether a Run waits for approval. One that has asked goes on asking, whatever becomes of its Agent; one that was admitted once never asks. */
export function needsApproval({ status }: Run, agent: Agent | undefined): boolean {
  const { approval, admittedAt } = status ?? {};
  if (admittedAt !== undefined || approval?.outcome === 'Approved') return false;
  return approval !== undefined || agent?.spec.approval !== undefined;
}

/** Why a Run waits, as far as its queue knows. */
export const APPROVAL_REQUIRED: Cause = {
  reason: RUN_REASONS.ApprovalRequired,
  message: 'it waits for somebody to approve it',
};

/** Asks for approval, and binds the Run to what is approved; undefined for a Run whose queue lets it wait for something else. */
export function planAsk(run: Run, { place, asking }: RunObserved, now: Date): RunPlan | undefined {
  if (place.kind !== 'waiting' || place.reason !== RUN_REASONS.ApprovalRequired) return undefined;
  const known = run.status?.approval;
  const request = known ?? requestFor(run, asking, now);
  // Its queue was seen before the decision was written, or before the Agent was changed.
  if (request === undefined || request.outcome !== undefined) return statusOnly(run.status, LOOK_AGAIN);
  if (isTold(run)) return statusOnly(run.status);
  const told = { reason: place.reason, message: whatHelps(run, request), now };
  const plan = statusOnly(askedStatus(bound(run, asking), request, told));
  return known === undefined ? { ...plan, events: [eventOf(told)] } : plan;
}

function bound(run: Run, asking: Asking | undefined): Run {
  const revision = run.status?.revision ?? asking?.revision;
  return { ...run, status: { ...run.status, ...defined({ revision }) } };
}

/** Tells of what goes as it should. */
export function eventOf({ reason, message }: Cause): PlanEvent {
  return { type: 'Normal', reason, message };
}

/** Whether what it waits for stands there as it should. */
function isTold({ status }: Run): boolean {
  return status?.approval !== undefined && status.queue?.reason === RUN_REASONS.ApprovalRequired;
}

function askedStatus(run: Run, request: ApprovalStatus, told: Told): RunStatus {
  const asked = withApproval(run, request, { ...told, status: 'False' });
  return queuedStatus(asked, { position: undefined, ...told }, told.now);
}

/** What becomes of a Run that has asked, and is decided on, or was not in time; undefined while nothing is. */
export function planDecision(run: Run, now: Date): RunPlan | undefined {
  const { approval } = run.status ?? {};
  if (approval === undefined || approval.outcome !== undefined) return undefined;
  const { decision, by, reason } = run.spec.approval ?? {};
  const words = `by ${quoted(by ?? 'somebody')}${reason ? `: ${quoted(reason)}` : ''}`;
  const given = { ...approval, ...defined({ by, reason }), decidedAt: toInstant(now) };
  if (decision === 'Approved') {
    return letGoOn(
      run,
      { ...given, outcome: 'Approved' },
      { ...BY_PERSON, message: `approved ${words}`, now },
    );
  }
  if (decision === 'Rejected') {
    return reject(run, { ...given, outcome: 'Rejected' }, { ...REJECTED, message: `rejected ${words}`, now });
  }
  return approvalLeftMs(run, now) > 0 ? undefined : timeOut(run, approval, now);
}

/** How long a Run may still wait for a decision, in milliseconds; infinite when nothing bounds that, or nothing is asked. */
export function approvalLeftMs({ status }: Run, now: Date): number {
  const { deadline, outcome } = status?.approval ?? {};
  return deadline === undefined || outcome !== undefined ? Infinity : Date.parse(deadline) - now.getTime();
}

const BY_PERSON = { reason: RUN_REASONS.Approved } as const;
const REJECTED = { reason: RUN_REASONS.ApprovalRejected, code: 'forbidden', retryable: false } as const;
const LATE = { reason: RUN_REASONS.ApprovalTimedOut, code: 'timeout', retryable: true } as const;

function timeOut(run: Run, approval: ApprovalStatus, now: Date): RunPlan {
  const message = `nobody decided on it until ${approval.deadline} (spec.approval.timeoutSeconds of its Agent)`;
  const decidedAt = toInstant(now);
  return approval.onTimeout === 'Approve'
    ? letGoOn(run, { ...approval, outcome: 'Approved', decidedAt }, { ...LATE, message, now })
    : reject(run, { ...approval, outcome: 'TimedOut', decidedAt }, { ...LATE, message, now });
}

type Told = Cause & { readonly now: Date };

function letGoOn(run: Run, approval: ApprovalStatus, { reason, message, now }: Told): RunPlan {
  const approved = withApproval(run, approval, { reason, message, status: 'True', now });
  const pending = { reason: RUN_REASONS.Pending, message: `${message}; it waits for its quota` };
  const place = { position: undefined, ...(run.spec.suspend ? SUSPENDED : pending) };
  const result = run.spec.suspend ? undefined : requeue(250, 'for the ledger to reserve');
  const plan = statusOnly(queuedStatus(approved, place, now), result);
  return { ...plan, events: [eventOf({ reason, message })] };
}

function reject(
  run: Run,
  approval: ApprovalStatus,
  { reason, message, now, code, retryable }: Told & (typeof REJECTED | typeof LATE),
): RunPlan {
  const rejected = withApproval(run, approval, { reason, message, status: 'False', now });
  return fail(rejected, { reason, error: { code, message, retryable } }, now);
}

/** The Run with what is asked or decided in its status, and told by its condition. */
function withApproval(
  run: Run,
  approval: ApprovalStatus,
  { reason, message, status, now }: Told & Pick<Condition, 'status'>,
): Run {
  const before = run.status?.conditions ?? [];
  const conditions = setCondition(before, { type: APPROVED, status, reason, message }, { now });
  return { ...run, status: { ...run.status, approval, conditions: [...conditions] } };
}

/** User name of who created an object, if that is known. */
export function creatorOf({ metadata }: Pick<KubeObject, 'metadata'>): string | undefined {
  return metadata.annotations?.[ANNOTATIONS.createdBy];
}

/** What a Run asks for; undefined where its Agent demands nothing any more. */
function requestFor({ metadata }: Run, asking: Asking | undefined, now: Date): ApprovalStatus | undefined {
  if (asking?.approval === undefined) return undefined;
  const { timeoutSeconds, approvers, onTimeout } = asking.approval;
  const createdBy = creatorOf({ metadata });
  const behind = [...new Set(asking.behind)].filter((one) => one !== createdBy).slice(0, MAX_BEHIND);
  const until = timeoutSeconds && new Date(now.getTime() + timeoutSeconds * 1000);
  return {
    requestedAt: toInstant(now),
    approvers,
    onTimeout,
    ...defined({
      deadline: until ? toInstant(until) : undefined,
      createdBy: createdBy && truncate(createdBy, MAX_USER_LENGTH),
      onBehalfOf: behind.length > 0 ? behind.map((one) => truncate(one, MAX_USER_LENGTH)) : undefined,
    }),
  };
}

function whatHelps({ metadata, spec }: Run, request: ApprovalStatus): string {
  const { approvers, createdBy, deadline, onTimeout } = request;
  const late = onTimeout === 'Approve' ? 'it starts without' : 'it is rejected';
  const until = deadline === undefined ? '' : `. At ${deadline} ${late}`;
  if (approvers === 'Others' && createdBy === undefined) {
    return `nobody can approve it, since who created it is not known, and that one must not: create it again with the annotation ${ANNOTATIONS.createdBy}, which says your own user name${spec.parentRef === undefined ? '' : ' (of the container that calls it: $NEXUSOS_USER)'}${until}`;
  }
  const others = approvers === 'Others' ? othersThan(request) : '';
  const patch = '{"spec":{"approval":{"decision":"Approved","reason":"..."}}}';
  const command = `kubectl patch run ${metadata.name} -n ${metadata.namespace} --type merge -p '${patch}'`;
  return `it waits for approval, by whoever has the verb approve on runs here${others}: ${command}; or "Rejected"${until}`;
}

function othersThan({ createdBy = '', onBehalfOf: [first, ...rest] = [] }: ApprovalStatus): string {
  const creator = `, and is not ${quoted(createdBy)}, who created it`;
  if (first === undefined) return creator;
  const more = rest.length === 0 ? '' : ` and ${rest.length} more (status.approval.onBehalfOf)`;
  return `${creator}, nor ${quoted(first)}${more}, who is behind that`;
}

function quoted(words: string): string {
  return truncate(printable(words), MAX_QUOTED);
}
