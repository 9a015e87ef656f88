// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS, type RunStatus } from '#crds/v1alpha1/run';
import {
  MAX_QUESTIONS,
  MAX_WORDS,
  type QuestionPolicy,
  type QuestionStatus,
} from '#crds/v1alpha1/run-questions';
import { setCondition, toInstant, truncate } from '../conditions.ts';
import { type Condition, defined } from '../object.ts';
import { statusOnly } from '../plan.ts';
import { eventOf, LOOK_AGAIN } from './approval.ts';
import { fail, requeue, startOf } from './ending.ts';
import type { RunObserved, RunPlan } from './observed.ts';
import { type Asks, printable } from './result.ts';
import { attemptsOf, type Run } from './run.ts';
import { sooner } from './starting-deadline.ts';
import { type Cause, queuedStatus } from './status.ts';
import { SUSPENDED } from './suspension.ts';
import { countOf } from '../words.ts';

/** Condition of a Run that has asked something. */
const INPUT_REQUIRED = 'InputRequired';
/** As much of a question, or of a name, as a message quotes. */
const MAX_QUOTED = 512;

/** Why a Run waits that has asked, as far as its queue knows. */
export const UNANSWERED: Cause = {
  reason: RUN_REASONS.InputRequired,
  message: 'it waits for somebody to answer its question',
};

/** The question that a Run waits for an answer to; undefined where it waits for none. */
export function openQuestion({ status }: Run): QuestionStatus | undefined {
  const { question } = status ?? {};
  return question?.answeredAt === undefined ? question : undefined;
}

/** What a container asks that ended well, and how its Agent lets it. */
export interface Question {
  readonly asks: Asks;
  readonly policy: QuestionPolicy | undefined;
  readonly startedAt?: string;
}

/** What becomes of a Run whose attempt ended with a question, and is settled: it waits for the answer, and holds nothing meanwhile. */
export function planQuestion(run: Run, { asks, policy, ...begun }: Question, now: Date): RunPlan {
  const limit = policy?.limit ?? MAX_QUESTIONS;
  const question = questionOf(run, { asks, policy }, now);
  if (question.number > limit) return fail(run, { ...tooMany(limit), ...startOf(begun) }, now);
  const message = whatHelps(run, question);
  const plan = { ...statusOnly(waiting(run, question, now)), events: [eventOf({ ...UNANSWERED, message })] };
  return sooner(plan, deadlineMs(question, now));
}

function questionOf(run: Run, { asks, policy }: Question, now: Date): QuestionStatus {
  const { timeoutSeconds } = policy ?? {};
  const until = timeoutSeconds === undefined ? undefined : new Date(now.getTime() + timeoutSeconds * 1000);
  return {
    ...bounded(asks),
    number: (run.status?.question?.number ?? 0) + 1,
    attempt: attemptsOf(run),
    askedAt: toInstant(now),
    ...defined({ deadline: until && toInstant(until) }),
  };
}

/** What becomes of a Run whose question is answered, or was not in time; undefined while neither is so. */
export function planAnswer(run: Run, now: Date): RunPlan | undefined {
  const question = openQuestion(run);
  if (question === undefined) return undefined;
  const answer = run.spec.answers?.[question.number];
  if (answer !== undefined) return goOn(run, { ...question, ...answeredBy(answer.by, now) }, now);
  if (deadlineMs(question, now) > 0) return undefined;
  const message = `nobody answered question ${question.number} until ${question.deadline} (spec.questions.timeoutSeconds of its Agent)`;
  const late = { reason: RUN_REASONS.InputTimedOut, message };
  const error = { code: 'timeout', message, retryable: true } as const;
  return fail(withQuestion(run, question, { ...late, status: 'False', now }), { ...late, error }, now);
}

/** Says again what a Run waits for that waited for something else since it asked; undefined for one that its queue lets wait for something else. */
export function planUnanswered(run: Run, { place }: RunObserved, now: Date): RunPlan | undefined {
  if (place.kind !== 'waiting' || place.reason !== UNANSWERED.reason) return undefined;
  const question = openQuestion(run);
  if (question === undefined) return statusOnly(run.status, LOOK_AGAIN);
  const isTold = run.status?.queue?.reason === place.reason;
  return statusOnly(isTold ? run.status : waiting(run, question, now));
}

/** How long a Run may still wait for an answer, in milliseconds; infinite when nothing bounds that, or nothing is asked. */
export function answerLeftMs(run: Run, now: Date): number {
  const question = openQuestion(run);
  return question === undefined ? Infinity : deadlineMs(question, now);
}

function deadlineMs({ deadline }: QuestionStatus, now: Date): number {
  return deadline === undefined ? Infinity : Date.parse(deadline) - now.getTime();
}

function answeredBy(by: string | undefined, now: Date) {
  return { answeredAt: toInstant(now), ...defined({ answeredBy: by }) };
}

function goOn(run: Run, question: QuestionStatus, now: Date): RunPlan {
  const message = `question ${question.number} was answered by ${quoted(question.answeredBy ?? 'somebody')}`;
  const told = { reason: RUN_REASONS.Answered, message };
  const answered = withQuestion(run, question, { ...told, status: 'False', now });
  const pending = { reason: RUN_REASONS.Pending, message: `${message}; it waits for its quota` };
  const place = { position: undefined, ...(run.spec.suspend ? SUSPENDED : pending) };
  const result = run.spec.suspend ? undefined : requeue(250, 'for the ledger to reserve');
  return { ...statusOnly(queuedStatus(answered, place, now), result), events: [eventOf(told)] };
}

/** The status of a Run that waits for the answer to a question. */
function waiting(run: Run, question: QuestionStatus, now: Date): RunStatus {
  const cause = { reason: UNANSWERED.reason, message: whatHelps(run, question) };
  const asked = withQuestion(run, question, { ...cause, status: 'True', now });
  return queuedStatus(asked, { position: undefined, ...cause }, now);
}

/** The Run with a question in its status, and what became of it told by its condition. */
function withQuestion(
  run: Run,
  question: QuestionStatus,
  { now, ...told }: Cause & Pick<Condition, 'status'> & { readonly now: Date },
): Run {
  const conditions = setCondition(run.status?.conditions ?? [], { type: INPUT_REQUIRED, ...told }, { now });
  return { ...run, status: { ...run.status, question, conditions: [...conditions] } };
}

function whatHelps({ metadata }: Run, { number, prompt, deadline }: QuestionStatus): string {
  const until = deadline === undefined ? '' : `. At ${deadline} it fails`;
  const patch = `{"spec":{"answers":{"${number}":{"text":"..."}}}}`;
  const command = `kubectl patch run ${metadata.name} -n ${metadata.namespace} --type merge -p '${patch}'`;
  return `its container asks (question ${number}): "${quoted(prompt)}". To answer: ${command}${until}`;
}

function tooMany(limit: number) {
  const message = `its container has asked more than ${countOf(limit, 'question')} (spec.questions.limit of its Agent)`;
  const error = { code: 'quota_exceeded', message, retryable: false } as const;
  return { reason: RUN_REASONS.TooManyQuestions, error };
}

/** As the API takes it: what a node hands on is no longer, but whoever writes the status of a pod might make it so. */
function bounded({ prompt, schema, state, stateUri }: Asks): Asks {
  return { prompt: printable(prompt), ...defined({ schema: cut(schema), state: cut(state), stateUri }) };
}

function cut(words: string | undefined): string | undefined {
  return words === undefined ? undefined : truncate(words, MAX_WORDS);
}

/** On one line. */
function quoted(words: string): string {
  return truncate(printable(words).replaceAll(/\s+/g, ' '), MAX_QUOTED);
}
