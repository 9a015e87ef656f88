// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { Answer } from './answer.ts';
import { mayRepeat, type Purpose, type RetryPolicy, retryAfterMs, waitMs } from './repeat.ts';

const POLICY: RetryPolicy = {
  limit: 5,
  backoffSeconds: 1,
  maxBackoffSeconds: 60,
  statuses: [429, 502, 503, 504],
  lostAnswer: 'Fail',
};
const answered = (status: number, retryAfter?: string): Answer => ({
  kind: 'answered',
  status,
  body: '',
  ...(retryAfter !== undefined && { retryAfter }),
});
const LOST: Answer = { kind: 'lost', why: 'reset' };

const cases: Record<string, { answer: Answer; read: boolean; message: boolean; resend: boolean }> = {
  'no connection': {
    answer: { kind: 'unsent', why: 'refused', passes: true },
    read: true,
    message: true,
    resend: true,
  },
  'no trust': {
    answer: { kind: 'unsent', why: 'certificate', passes: false },
    read: false,
    message: false,
    resend: false,
  },
  'a lost answer': { answer: LOST, read: true, message: false, resend: true },
  'too large an answer': {
    answer: { kind: 'unread', why: 'large' },
    read: false,
    message: false,
    resend: false,
  },
  '200': { answer: answered(200), read: false, message: false, resend: false },
  '400': { answer: answered(400), read: false, message: false, resend: false },
  '401': { answer: answered(401), read: false, message: false, resend: false },
  '404': { answer: answered(404), read: false, message: false, resend: false },
  '429': { answer: answered(429), read: true, message: true, resend: true },
  '500, which is not among those that are repeated': {
    answer: answered(500),
    read: false,
    message: false,
    resend: false,
  },
  '502': { answer: answered(502), read: true, message: false, resend: true },
  '503': { answer: answered(503), read: true, message: false, resend: true },
  '503 that says when': { answer: answered(503, '1'), read: true, message: true, resend: true },
  '504': { answer: answered(504), read: true, message: false, resend: true },
};

for (const [name, { answer, ...want }] of Object.entries(cases)) {
  test(`repeated after ${name}`, (t) => {
    const may = (purpose: Purpose, policy = POLICY) => mayRepeat(answer, purpose, policy);
    const resend = may('message', { ...POLICY, lostAnswer: 'Resend' });
    t.deepEqual({ read: may('read'), message: may('message'), resend }, want);
  });
}

test('waits double, up to the longest, and are as long as the endpoint asks for', (t) => {
  const wait = (failed: number, answer: Answer = LOST, random = 0) =>
    waitMs({ failed, policy: POLICY, answer, random, nowMs: 0 });
  t.deepEqual(
    [1, 2, 3, 6, 7, 20].map((failed) => wait(failed)),
    [1000, 2000, 4000, 32_000, 60_000, 60_000],
  );
  t.is(wait(1, LOST, 1), 750);
  t.is(wait(1, answered(429, '90')), 90_000);
  t.is(wait(7, answered(429, '1')), 60_000);
});

for (const [text, want] of [
  [undefined, 0],
  ['', 0],
  ['7', 7000],
  ['-7', 0],
  ['1e9', 0],
  ['Thu, 01 Jan 1970 00:00:20 GMT', 15_000],
  ['Thu, 01 Jan 1970 00:00:01 GMT', 0],
  ['tomorrow', 0],
] as const) {
  test(`Retry-After: ${text}`, (t) => {
    t.is(retryAfterMs(text, 5000), want);
  });
}
