// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { attempts, instant, int, text, uri } from './meta.ts';
import { MAX_USER_LENGTH } from './run-approval.ts';
import type { FixedPart } from './run-fixed.ts';

/** The most questions that a Run can ask. */
export const MAX_QUESTIONS = 16;
/** Longest question, and longest answer. */
export const MAX_WORDS = 4096;

/** What `spec.questions` of an Agent is. */
export const questionPolicy = z
  .object({
    limit: int('Questions that a Run may ask. 0: none.', 0, MAX_QUESTIONS).default(MAX_QUESTIONS),
    timeoutSeconds: int(
      'At most how long a Run waits for an answer, each time. Empty: until somebody answers.',
      1,
      31_536_000,
    ).optional(),
  })
  .describe('Questions that Runs ask people. Empty: up to 16, and each waits until somebody answers.');

const answer = z.object({
  text: text('The answer: a text, or JSON as text. Not for secrets.', MAX_WORDS),
  by: text(
    'User name of who answers: the API server accepts no other, and fills it in from Kubernetes 1.36 on.',
    MAX_USER_LENGTH,
  ).optional(),
});

/** What `spec.answers` of a Run is: by the number of the question, so that a merge patch adds one. */
export const answers = z.record(z.string(), answer).meta({
  description:
    'Answers to questions of the container (status.question), by the number of the question. Each is written once, while that question is asked.',
  maxProperties: MAX_QUESTIONS,
  'x-kubernetes-validations': [
    {
      rule: "self.all(k, k.matches('^([1-9]|1[0-6])$'))",
      message: 'keys are the numbers of questions, from 1 to 16',
    },
  ],
});

/** That an answer stands. */
export const answersRule: FixedPart = {
  holds:
    '!has(oldSelf.answers) || (has(self.answers) && oldSelf.answers.all(k, k in self.answers && self.answers[k] == oldSelf.answers[k]))',
  message: 'answers: an answer cannot be changed or taken back',
};

/** What `status.question` of a Run is. */
export const questionStatus = z
  .object({
    number: int('The first question of a Run has number 1.', 1, MAX_QUESTIONS),
    prompt: text('The question, in the words of the container.', MAX_WORDS),
    schema: text(
      'JSON Schema of the answer, as the container says. It is not checked.',
      MAX_WORDS,
    ).optional(),
    state: text('What the container wants to be given again with the answer.', MAX_WORDS).optional(),
    stateUri: uri('Where it has put what is larger.').optional(),
    attempt: attempts('Number of the attempt that asked.', 1),
    askedAt: instant('When that attempt had ended.'),
    deadline: instant('Until when it waits for an answer. Empty: for ever.').optional(),
    answeredAt: instant('When the answer was seen. Empty: it waits for one.').optional(),
    answeredBy: text('User name of who answered.', MAX_USER_LENGTH).optional(),
  })
  .describe('The question that was asked last.');

/** How a container asks, in its termination message. */
export const inputRequired = z.object({
  prompt: z.string().min(1).max(MAX_WORDS),
  schema: z.unknown().optional(),
  state: z.unknown().optional(),
  stateUri: questionStatus.shape.stateUri,
});

/** What an Agent says of questions. */
export type QuestionPolicy = z.output<typeof questionPolicy>;
/** A question of a Run. */
export type QuestionStatus = z.output<typeof questionStatus>;
