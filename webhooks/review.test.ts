// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ALLOWED, type Answer, merged, readReview, refused, uidOf, writeReview } from './review.ts';

const REQUEST = {
  uid: '5f2a9c01-d3aa-4b1e-9a44-0123456789ab',
  kind: { group: '', version: 'v1', kind: 'Pod' },
  resource: { group: '', version: 'v1', resource: 'pods' },
  name: 'a',
  namespace: 'acme-dev',
  operation: 'CREATE',
  userInfo: { username: 'jane', groups: ['dev'] },
  object: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } },
  oldObject: null,
  dryRun: true,
};

function bodyOf(request: unknown, apiVersion = 'admission.k8s.io/v1'): Buffer {
  return Buffer.from(JSON.stringify({ kind: 'AdmissionReview', apiVersion, request }));
}

interface Response {
  readonly response: {
    readonly uid: string;
    readonly allowed: boolean;
    readonly warnings?: readonly string[];
    readonly patch?: string;
    readonly patchType?: string;
    readonly status?: {
      readonly code: number;
      readonly reason: string;
      readonly message: string;
      readonly details: { readonly causes: readonly object[]; readonly retryAfterSeconds?: number };
    };
  };
}

function written(answer: Answer): Response['response'] {
  return (writeReview('u', answer) as Response).response;
}

test('a review is read as it was written', (t) => {
  const read = readReview(bodyOf(REQUEST));
  t.is(read.kind, 'review');
  t.deepEqual(read.kind === 'review' && read.request, REQUEST as never);
});

test('what a review leaves out is empty', (t) => {
  const { name: _, namespace: __, dryRun: ___, ...rest } = REQUEST;
  const read = readReview(bodyOf({ ...rest, userInfo: {}, object: { kind: 'Pod', metadata: {} } }));
  t.like(read.kind === 'review' && read.request, {
    name: '',
    namespace: '',
    dryRun: false,
    userInfo: { username: '', groups: [] },
    object: { kind: 'Pod', metadata: { name: '' } },
    oldObject: null,
  });
});

const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;

const MALFORMED: Readonly<Record<string, { readonly body: Buffer; readonly want: RegExp }>> = {
  'no JSON': { body: Buffer.from('{"request":'), want: /not JSON/ },
  'nothing at all': { body: Buffer.alloc(0), want: /not JSON/ },
  'another version': { body: bodyOf(REQUEST, 'admission.k8s.io/v1beta1'), want: /admission\.k8s\.io\/v1/ },
  'no request': { body: bodyOf(undefined), want: /not an AdmissionReview/ },
  'a request that is a list': { body: bodyOf([]), want: /not an AdmissionReview/ },
  'no uid': { body: bodyOf({ ...REQUEST, uid: 7 }), want: /not whole/ },
  'another operation': { body: bodyOf({ ...REQUEST, operation: 'WATCH' }), want: /not whole/ },
  'nobody who asks': { body: bodyOf({ ...REQUEST, userInfo: 'jane' }), want: /not whole/ },
  'too deep an object': { body: Buffer.from(deep(513)), want: /512 levels/ },
};

for (const [title, { body, want }] of Object.entries(MALFORMED)) {
  test(`malformed: ${title}`, (t) => {
    const read = readReview(body);
    t.is(read.kind, 'malformed');
    t.regex(read.kind === 'malformed' ? read.message : '', want);
  });
}

test('brackets in texts are no levels', (t) => {
  const name = `${'[{'.repeat(2000)}\\"`;
  t.is(readReview(bodyOf({ ...REQUEST, name })).kind, 'review');
});

test('the uid is found in the beginning alone', (t) => {
  t.is(uidOf(bodyOf(REQUEST)), REQUEST.uid);
  t.is(uidOf(Buffer.from(`{"x":"${'y'.repeat(2000)}","uid":"abc"}`)), undefined);
});

test('a refusal says all that is wrong, with a code that clients know', (t) => {
  const { allowed, status } = written(
    refused(
      { code: 'quota_exceeded', message: 'spec.gpu: found 9; allowed is 4', field: 'spec.gpu' },
      { code: 'policy_blocked', message: 'no' },
    ),
  );
  t.false(allowed);
  t.like(status, {
    code: 403,
    reason: 'Forbidden',
    message: 'quota_exceeded: spec.gpu: found 9; allowed is 4; policy_blocked: no',
  });
  t.deepEqual(status?.details.causes[0], {
    reason: 'quota_exceeded',
    message: 'spec.gpu: found 9; allowed is 4',
    field: 'spec.gpu',
  });
});

test('of very many refusals the first are told, and the rest counted', (t) => {
  const many = Array.from(
    { length: 40 },
    (_, i) => ({ code: 'policy_blocked', message: `rule ${i}` }) as const,
  );
  const { status } = written(refused(...many));
  t.regex(status?.message ?? '', /policy_blocked: rule 15; and 24 more$/);
  t.is(status?.details.causes.length, 16);
});

test('long refusals are cut at a limit, never within a character', (t) => {
  const long = { code: 'policy_blocked', message: 'ü'.repeat(4000) } as const;
  const { status } = written(refused(long, long));
  t.true(Buffer.byteLength(status?.message ?? '') <= 4096);
  t.regex(status?.message ?? '', /ü…; and 1 more$/);
  t.notRegex(status?.message ?? '', /\uFFFD/);
});

test('who is told to come again is told when', (t) => {
  const { status } = written(refused({ code: 'rate_limited', message: 'later' }));
  t.like(status, { code: 429, reason: 'TooManyRequests', details: { retryAfterSeconds: 1 } });
});

test('warnings keep to the limits of the API server, and none is told twice', (t) => {
  const warnings = [
    'once',
    'once',
    'in\ntwo lines',
    ...Array.from({ length: 40 }, (_, i) => `${i}${'w'.repeat(300)}`),
  ];
  const told = written({ ...ALLOWED, warnings }).warnings ?? [];
  t.deepEqual(told.slice(0, 2), ['once', 'in two lines']);
  t.true(told.every((one) => Buffer.byteLength(one) <= 256));
  t.true(told.join('').length <= 4096);
});

test('a patch goes with what is allowed only', (t) => {
  const patch = [{ op: 'add', path: '/a', value: 1 }] as const;
  const { patch: text, patchType } = written({ ...ALLOWED, patch });
  t.is(patchType, 'JSONPatch');
  t.deepEqual(JSON.parse(Buffer.from(text ?? '', 'base64').toString()), patch);
  t.is(written({ ...ALLOWED, allowed: false, patch }).patch, undefined);
});

test('two answers as one allow what both allow', (t) => {
  const no = refused({ code: 'conflict', message: 'x' });
  t.false(merged(ALLOWED, no).allowed);
  t.false(merged(no, ALLOWED).allowed);
  t.true(merged(ALLOWED, { ...ALLOWED, warnings: ['w'] }).allowed);
  t.deepEqual(merged(no, no).refusals.length, 2);
});
