// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { ErrorCode } from '../core/errors.ts';
import { noAnswer, refusal, sanitize } from './api-error.ts';

const status = (fields: Record<string, unknown>) =>
  JSON.stringify({ kind: 'Status', metadata: {}, ...fields });

interface Case {
  readonly status: number;
  readonly body?: string;
  readonly path?: string;
  readonly retryAfter?: string;
  readonly want: {
    code: ErrorCode;
    message?: string;
    words?: string;
    retryAfterMs?: number;
    reason?: string;
  };
}

const CASES: Record<string, Case> = {
  'the words of the API server are kept': {
    status: 409,
    body: status({ reason: 'AlreadyExists', message: 'pods "a" already exists' }),
    want: {
      code: 'conflict',
      reason: 'AlreadyExists',
      message: 'PUT /x: pods "a" already exists',
      words: 'pods "a" already exists',
    },
  },
  forbidden: {
    status: 403,
    body: status({ reason: 'Forbidden', message: 'no' }),
    want: { code: 'forbidden' },
  },
  'over quota': {
    status: 403,
    body: status({ reason: 'Forbidden', message: 'pods "a" is forbidden: exceeded quota: small' }),
    want: { code: 'quota_exceeded' },
  },
  invalid: { status: 422, body: status({ reason: 'Invalid' }), want: { code: 'invalid_request' } },
  'not known who we are': { status: 401, want: { code: 'unauthorized' } },
  'too many requests': { status: 429, retryAfter: '2', want: { code: 'rate_limited', retryAfterMs: 2000 } },
  'a wait told in the body': {
    status: 500,
    body: status({ details: { retryAfterSeconds: 3 } }),
    want: { code: 'dependency_unavailable', retryAfterMs: 3000 },
  },
  'a gateway that gave up': { status: 504, want: { code: 'timeout' } },
  'plain text': {
    status: 404,
    body: '404 page not found\n',
    want: { code: 'not_found', message: 'PUT /x: 404 page not found' },
  },
  'a refused Secret is not quoted': {
    status: 422,
    path: '/api/v1/namespaces/n/secrets/s',
    body: status({ reason: 'Invalid', message: 'Invalid value: "hunter2"' }),
    want: {
      code: 'invalid_request',
      message: 'PUT /api/v1/namespaces/n/secrets/s: Invalid',
      words: 'Invalid',
    },
  },
};

for (const [sentence, { status: code, body = '', path = '/x', retryAfter, want }] of Object.entries(CASES)) {
  test(sentence, (t) => {
    t.like(refusal({ method: 'PUT', path, status: code, body, retryAfter }), want);
  });
}

test('no credential and no query string gets into a message', (t) => {
  const text = sanitize('GET /api/v1/pods?token=abc failed with\nAuthorization: Bearer eyJhbGciOi.x-y_z');
  t.is(text, 'GET /api/v1/pods failed with Authorization: Bearer [redacted]');
  t.true(sanitize('x'.repeat(100_000)).length < 3000);
});

test('no answer is told apart from no answer in time', (t) => {
  const cause = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
  t.like(noAnswer({ method: 'GET', path: '/x' }, cause, false), {
    code: 'dependency_unavailable',
    status: 0,
  });
  t.like(noAnswer({ method: 'GET', path: '/x' }, cause, true), { code: 'timeout' });
});
