// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { RunStatus } from '#crds/v1alpha1/run';
import type { QuestionPolicy, QuestionStatus } from '#crds/v1alpha1/run-questions';
import { planRun } from './plan.ts';
import { UNANSWERED } from './question.ts';
import { ago, going, makePod, makeRun, NOW } from './testing/make.ts';
import {
  ACTIVE,
  type Case,
  NOTHING_SEEN,
  RESERVED,
  RUNNING,
  testPlans,
  WAITED,
  WAITING,
} from './testing/plan-cases.ts';

const ASKED = { inputRequired: { prompt: 'Which account?', state: { step: 3 } }, usage: { toolCalls: 2 } };

function ended(said: object, exitCode = 0) {
  const terminated = { exitCode, message: JSON.stringify(said), startedAt: ago(9), finishedAt: ago(1) };
  return makePod({ terminated }, { phase: exitCode === 0 ? 'Succeeded' : 'Failed' });
}

const QUESTION: QuestionStatus = { number: 1, prompt: 'Which account?', attempt: 1, askedAt: ago(60) };
const QUEUE = { ...WAITED, updatedAt: ago(60), reason: 'InputRequired' };
const HELD = { ...WAITING, position: undefined, ...UNANSWERED };

function waiting(question: Partial<QuestionStatus> = {}): RunStatus {
  return {
    phase: 'Queued',
    attempt: 1,
    admittedAt: ago(90),
    queue: QUEUE,
    question: { ...QUESTION, ...question },
  };
}

function asking(questions: Partial<QuestionPolicy>) {
  return { questions: { limit: 16, ...questions } };
}

const ANSWER = { answers: { 1: { text: 'acme', by: 'bob' } } };

const cases: Record<string, Case> = {
  'a Run whose container asks goes back to the queue, and waits for the answer': {
    status: RUNNING,
    seen: { pod: ended(ASKED) },
    want: { phase: 'Queued', reason: 'InputRequired' },
    wantWords:
      'kubectl patch run r -n acme-dev --type merge -p \'{"spec":{"answers":{"1":{"text":"..."}}}}\'',
  },
  'also one that was never seen to run': {
    status: ACTIVE,
    seen: { pod: ended(ASKED) },
    want: { phase: 'Queued', reason: 'InputRequired' },
  },
  'a container that failed asks nothing': {
    status: RUNNING,
    seen: { pod: ended(ASKED, 3) },
    want: { phase: 'Failed', reason: 'ContainerFailed', code: 'internal_error' },
  },
  'nor does one that was told to end': {
    spec: { suspend: true },
    status: RUNNING,
    seen: { pod: going(ended(ASKED)) },
    want: { phase: 'Queued', reason: 'Suspended' },
  },
  'one that asks more than it may fails': {
    status: { ...RUNNING, question: { ...QUESTION, number: 2, answeredAt: ago(30) } },
    seen: { pod: ended(ASKED), asking: asking({ limit: 2 }) },
    want: { phase: 'Failed', reason: 'TooManyQuestions', code: 'quota_exceeded' },
    wantSaid: ['more than 2 questions (spec.questions.limit of its Agent)'],
  },
  'or may ask nothing at all': {
    status: RUNNING,
    seen: { pod: ended(ASKED), asking: asking({ limit: 0 }) },
    want: { phase: 'Failed', reason: 'TooManyQuestions', code: 'quota_exceeded' },
  },
  'with a time for the answer, it is looked at again then': {
    status: RUNNING,
    seen: { pod: ended(ASKED), asking: asking({ timeoutSeconds: 60 }) },
    want: { phase: 'Queued', reason: 'InputRequired' },
    wantWords: 'At 2026-11-21T12:01:00Z it fails',
    wantSoon: true,
  },
  'without an answer it goes on waiting': { status: waiting(), seen: { place: HELD } },
  'an answer to another question is none': {
    spec: ANSWER,
    status: waiting({ number: 2 }),
    seen: { place: HELD },
  },
  'one that waited for something else meanwhile says again what it waits for': {
    status: { ...waiting(), queue: { ...QUEUE, reason: 'TenantSuspended' } },
    seen: { place: HELD },
    want: { phase: 'Queued', reason: 'InputRequired' },
  },
  'an answered Run waits for its quota': {
    spec: ANSWER,
    status: waiting(),
    seen: { place: HELD },
    want: { phase: 'Queued', reason: 'Pending' },
    wantWords: 'question 1 was answered by bob',
    wantSoon: true,
  },
  'one that is suspended stays so': {
    spec: { ...ANSWER, suspend: true },
    status: waiting(),
    want: { phase: 'Queued', reason: 'Suspended' },
  },
  'a queue that was seen before the answer keeps nobody waiting for it': {
    spec: ANSWER,
    status: { ...waiting({ answeredAt: ago(1) }), queue: { ...QUEUE, reason: 'Pending' } },
    seen: { place: HELD },
    wantSoon: true,
  },
  'an answered Run is admitted to its next attempt': {
    spec: ANSWER,
    status: waiting({ answeredAt: ago(1), state: 's' }),
    seen: { reservation: { ...RESERVED, attempt: 2 } },
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['ConfigMap', 'Pod'],
  },
  'a reservation of the attempt that asked starts nothing': {
    spec: ANSWER,
    status: waiting(),
    seen: { reservation: RESERVED },
    want: { phase: 'Queued', reason: 'Pending' },
    wantSoon: true,
  },
  'nobody answers in time': {
    status: waiting({ deadline: ago(0) }),
    seen: { place: HELD },
    want: { phase: 'Failed', reason: 'InputTimedOut', code: 'timeout' },
    wantSaid: ['spec.questions.timeoutSeconds'],
  },
  'what was answered in time counts, though it is seen late': {
    spec: ANSWER,
    status: waiting({ deadline: ago(20) }),
    want: { phase: 'Queued', reason: 'Pending' },
    wantSoon: true,
  },
  'a cancelled Run waits for no answer': {
    spec: { cancel: true },
    status: waiting(),
    seen: { place: HELD },
    want: { phase: 'Cancelled', reason: 'Cancelled' },
  },
  'the deadline for starting is over with the first start': {
    spec: { startingDeadlineSeconds: 1 },
    status: waiting(),
    seen: { place: HELD },
  },
};

testPlans(cases);

test('the question, what is to be kept and what was used are in the status; no retry is spent', (t) => {
  const status: RunStatus = { ...RUNNING, retries: { spent: 1, limit: 3 } };
  const plan = planRun(makeRun({}, status), { ...NOTHING_SEEN, pod: ended(ASKED) }, NOW);
  const asked = { number: 1, prompt: 'Which account?', state: '{"step":3}', attempt: 1, askedAt: ago(0) };
  t.deepEqual(plan.status?.question, asked);
  t.like(plan.status, {
    retries: { spent: 1, limit: 3 },
    usage: { attempts: [{ attempt: 1 }], reported: { toolCalls: 2 } },
    result: undefined,
  });
  const condition = plan.status?.conditions?.find(({ type }) => type === 'InputRequired');
  t.like(condition, { status: 'True', reason: 'InputRequired' });
  t.deepEqual(
    plan.events.map(({ type, reason }) => ({ type, reason })),
    [{ type: 'Normal', reason: 'InputRequired' }],
  );
});

test('the next question takes the place of the last one, and of what it wanted kept', (t) => {
  const before = { ...QUESTION, state: 'old', answeredAt: ago(30), answeredBy: 'bob' };
  const pod = ended({ inputRequired: { prompt: 'Sure?' } });
  const run = makeRun(ANSWER, { ...RUNNING, attempt: 2, question: before });
  const { status } = planRun(run, { ...NOTHING_SEEN, pod }, NOW);
  t.deepEqual(status?.question, { number: 2, prompt: 'Sure?', attempt: 2, askedAt: ago(0) });
});

test('who answered, and when, is in the status', (t) => {
  const { status, events } = planRun(makeRun(ANSWER, waiting()), NOTHING_SEEN, NOW);
  t.deepEqual(status?.question, { ...QUESTION, answeredAt: ago(0), answeredBy: 'bob' });
  const condition = status?.conditions?.find(({ type }) => type === 'InputRequired');
  t.like(condition, { status: 'False', reason: 'Answered' });
  t.deepEqual(
    events.map(({ reason }) => reason),
    ['Answered'],
  );
});

test('however long and odd a question is, what is said of it fits, on one line, and takes over no terminal', (t) => {
  const prompt = 'Pay?\n\u001b[2J'.repeat(200);
  const run = makeRun({}, RUNNING);
  const metadata = { ...run.metadata, name: 'n'.repeat(63), namespace: 's'.repeat(63) };
  const pod = { ...ended({ inputRequired: { prompt } }) };
  const seen = { ...NOTHING_SEEN, pod, asking: asking({ timeoutSeconds: 60 }) };
  const { status } = planRun({ ...run, metadata }, seen, NOW);
  const { message = '' } = status?.queue ?? {};
  t.regex(message, /^its container asks \(question 1\): "Pay\? .+ it fails$/);
  t.false(`${message}${status?.question?.prompt}`.includes('\u001b'));
});
