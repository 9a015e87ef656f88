// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ReconcileError } from '../core/errors.ts';
import type { ErrorCode } from '../core/errors.ts';
import { meetsEndOfNamespace, noAnswer, refusal, refusesObject, sanitize } from './api-error.ts';

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
  'a policy that says no': {
    status: 422,
    body: status({
      reason: 'Invalid',
      message: 'jobs.batch "a" is forbidden: ValidatingAdmissionPolicy \'x\' denied',
    }),
    want: { code: 'policy_blocked' },
  },
  'a standard of Pod Security that says no': {
    status: 403,
    body: status({ message: 'pods "a" is forbidden: violates PodSecurity "restricted:latest": privileged' }),
    want: { code: 'policy_blocked' },
  },
  'a webhook that says no': {
    status: 403,
    body: status({ message: 'admission webhook "x.example.com" denied the request: no' }),
    want: { code: 'policy_blocked' },
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

/** Answers to the creation of an object, and whether it will never be had as it is. */
const CREATIONS: Record<string, { status: number; message: string; causes?: object[]; want: boolean }> = {
  'what makes it invalid': {
    status: 422,
    message: 'Job "a" is invalid: spec.template: Required value',
    want: true,
  },
  'a policy with reason Forbidden': {
    status: 403,
    message:
      "jobs.batch \"a\" is forbidden: ValidatingAdmissionPolicy 'x' with binding 'y' denied request: no",
    want: true,
  },
  'a policy engine behind a webhook': {
    status: 403,
    message: 'admission webhook "validation.gatekeeper.sh" denied the request: [x] no',
    want: true,
  },
  'quota that is used up': {
    status: 403,
    message:
      'jobs.batch "a" is forbidden: exceeded quota: q, requested: count/jobs.batch=1, used: 1, limited: 1',
    want: false,
  },
  'quota that was not counted yet': {
    status: 403,
    message: 'pods "a" is forbidden: status unknown for quota: q, resources: pods',
    want: false,
  },
  'quota that cannot count it': {
    status: 403,
    message: 'pods "a" is forbidden: failed quota: q: must specify limits.cpu',
    want: false,
  },
  'a namespace that goes, in words': {
    status: 403,
    message:
      'jobs.batch "a" is forbidden: unable to create new content in namespace n because it is being terminated',
    want: false,
  },
  'a namespace that goes, as a cause': {
    status: 403,
    message: 'no',
    causes: [{ reason: 'NamespaceTerminating', field: 'metadata.namespace' }],
    want: false,
  },
  'a right that we lack': {
    status: 403,
    message:
      'jobs.batch is forbidden: User "system:serviceaccount:n:o" cannot create resource "jobs" in API group "batch"',
    want: false,
  },
  'a policy whose own parts are missing': {
    status: 422,
    message:
      "jobs.batch \"a\" is forbidden: ValidatingAdmissionPolicy 'x' with binding 'y' denied request: failed to configure binding: no params found",
    want: false,
  },
  'a webhook that is away': {
    status: 500,
    message: 'Internal error occurred: failed calling webhook "x"',
    want: false,
  },
  'a conflict': { status: 409, message: 'jobs.batch "a" already exists', want: false },
};

for (const [sentence, { status: code, message, causes, want }] of Object.entries(CREATIONS)) {
  test(`a creation that meets ${sentence} is ${want ? 'refused for good' : 'tried again'}`, (t) => {
    const body = status({ reason: 'Forbidden', message, details: { causes } });
    t.is(refusesObject(refusal({ method: 'POST', path: '/x', status: code, body })), want);
  });
}

function answered(details: object) {
  const body = status({ reason: 'Forbidden', message: 'no', details });
  return refusal({ method: 'POST', path: '/x', status: 403, body });
}

test('that a namespace goes is known by the cause, also from what was made of the answer', (t) => {
  const ends = answered({ causes: [{ reason: 'NamespaceTerminating', field: 'metadata.namespace' }] });
  t.true(meetsEndOfNamespace(ends));
  t.true(meetsEndOfNamespace(new ReconcileError('forbidden', 'x', { cause: ends })));
  t.false(meetsEndOfNamespace(answered({})));
  t.false(meetsEndOfNamespace(new ReconcileError('forbidden', 'x', { cause: answered({}) })));
  t.false(meetsEndOfNamespace(new Error('x')));
});

test('no credential and no query string gets into a message', (t) => {
  const text = sanitize('GET /api/v1/pods?token=abc failed with\nAuthorization: Bearer eyJhbGciOi.x-y_z');
  t.is(text, 'GET /api/v1/pods failed with Authorization: Bearer [redacted]');
  t.true(sanitize('x'.repeat(100_000)).length < 3000);
});

test('nothing that could take over a terminal gets into a message, and no half of a character', (t) => {
  t.is(sanitize('denied: \u001B[2J\u009Bx\0 \r\n it'), 'denied: [2J x it');
  t.true(sanitize(`x${'😀'.repeat(5000)}`).isWellFormed());
});

test('no answer is told apart from no answer in time', (t) => {
  const cause = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
  t.like(noAnswer({ method: 'GET', path: '/x' }, cause, false), {
    code: 'dependency_unavailable',
    status: 0,
  });
  t.like(noAnswer({ method: 'GET', path: '/x' }, cause, true), { code: 'timeout' });
});
