// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ReconcileError, RefusedError } from '../core/errors.ts';
import { ApiError } from './api-error.ts';
import { Refusals } from './refusals.ts';

function refOf(namespace: string, name: string) {
  return { apiVersion: 'v1', kind: 'ConfigMap', namespace, name };
}

function answer(status: number): ApiError {
  return new ApiError({ status, code: 'forbidden', reason: 'Forbidden', message: 'no' });
}

test('what is refused holds up what follows in its namespace, and nothing elsewhere', async (t) => {
  const done: string[] = [];
  const refusals = new Refusals();
  const attempt = (ref: ReturnType<typeof refOf>, error?: Error) =>
    refusals.attempt(ref, async () => {
      if (error !== undefined) throw error;
      done.push(`${ref.namespace}/${ref.name}`);
    });
  await attempt(refOf('a', 'first'));
  await attempt(refOf('a', 'second'), answer(403));
  await attempt(refOf('a', 'third'));
  await attempt(refOf('b', 'first'));
  await attempt(refOf('b', 'second'), answer(422));
  t.deepEqual(done, ['a/first', 'b/first']);
  const error = t.throws(() => refusals.throwFirst(), { instanceOf: ReconcileError });
  t.is(error?.message, 'ConfigMap a/second: no');
});

test('that one namespace goes does not hide what is refused in another', async (t) => {
  const causes = [{ reason: 'NamespaceTerminating' }];
  const ends = new ApiError({
    status: 403,
    code: 'forbidden',
    reason: 'Forbidden',
    message: 'goes',
    details: { causes },
  });
  const thrownAfter = async (...errors: readonly ApiError[]) => {
    const refusals = new Refusals();
    for (const [index, error] of errors.entries()) {
      await refusals.attempt(refOf(`n${index}`, 'x'), () => Promise.reject(error));
    }
    return t.throws(() => refusals.throwFirst())?.message;
  };
  t.is(await thrownAfter(ends, answer(403), ends, answer(422)), 'ConfigMap n1/x: no');
  t.is(await thrownAfter(answer(403), ends), 'ConfigMap n0/x: no');
  t.is(await thrownAfter(ends), 'ConfigMap n0/x: goes');
});

test('a namespace that is refused holds up what is in it', async (t) => {
  const refusals = new Refusals();
  await refusals.attempt({ apiVersion: 'v1', kind: 'Namespace', name: 'a' }, () =>
    Promise.reject(answer(403)),
  );
  await refusals.attempt(refOf('a', 'x'), async () => t.fail('the namespace is not as it should be'));
  t.throws(() => refusals.throwFirst(), { message: 'Namespace a: no' });
});

for (const status of [0, 401, 409, 429, 500, 503]) {
  test(`an answer of ${status} speaks of no object, and ends the plan at once`, async (t) => {
    const error = answer(status);
    const thrown = await t.throwsAsync(new Refusals().attempt(refOf('a', 'x'), () => Promise.reject(error)));
    t.is<unknown, unknown>(thrown, error);
  });
}

test('a creation that is refused for good stays what it is, for who decides on it', async (t) => {
  const refusals = new Refusals();
  const error = new RefusedError('invalid_request', 'no');
  await refusals.attempt(refOf('a', 'x'), () => Promise.reject(error));
  t.is<unknown, unknown>(
    t.throws(() => refusals.throwFirst()),
    error,
  );
});

test('without a refusal nothing is thrown', (t) => t.notThrows(() => new Refusals().throwFirst()));
