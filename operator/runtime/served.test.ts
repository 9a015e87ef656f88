// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { eventually } from '#hack/tools/eventually';
import { ApiError } from './api-error.ts';
import type { Client } from './client.ts';
import { servedVersion, type Wanted, watchServed } from './served.ts';

const WANTED: Wanted = { group: 'example.com', versions: ['v2', 'v1'], resources: ['as', 'bs'] };

/** An API server that says what `versions` says at the moment, and fails where that is a status. */
function clientOf(versions: Record<string, readonly string[] | number>): Client {
  const raw: Client['raw'] = async ({ path }) => {
    const found = versions[path.split('/').at(-1) ?? ''] ?? 404;
    if (typeof found === 'number')
      throw new ApiError({ status: found, code: 'not_found', reason: 'x', message: 'no' });
    return { resources: found.map((name) => ({ name })) };
  };
  return { raw } as Client;
}

const CASES: Readonly<
  Record<
    string,
    { readonly served: Record<string, readonly string[] | number>; readonly want: string | undefined }
  >
> = {
  'nothing is served': { served: {}, want: undefined },
  'the version that is liked best': {
    served: { v1: ['as', 'bs'], v2: ['as', 'bs', 'bs/status'] },
    want: 'v2',
  },
  'an older one': { served: { v1: ['as', 'bs'] }, want: 'v1' },
  'an older one, where the newer one lacks a kind': { served: { v1: ['as', 'bs'], v2: ['as'] }, want: 'v1' },
  'no version has all kinds': { served: { v1: ['as'], v2: ['bs'] }, want: undefined },
};
for (const [name, { served, want }] of Object.entries(CASES)) {
  test(name, async (t) => t.is(await servedVersion(clientOf(served), WANTED), want));
}

test('who cannot say is not taken for a no', async (t) => {
  await t.throwsAsync(servedVersion(clientOf({ v2: 503 }), WANTED), { instanceOf: ApiError });
});

test('it is told once when the kinds come, and what cannot be asked is no change', async (t) => {
  const served: Record<string, readonly string[] | number> = { v2: 503 };
  const told: (string | undefined)[] = [];
  const onChange = (found: string | undefined) => void told.push(found);
  watchServed(clientOf(served), { wanted: WANTED, found: undefined, everyMs: 5, onChange });
  const other = watchServed(clientOf(served), {
    wanted: WANTED,
    found: 'v1',
    everyMs: 5,
    onChange: () => t.fail(),
  });
  // Neither of the two is told of an API server that is away, however often it was asked.
  const asked = { count: 0 };
  const counting = {
    raw: async () => Promise.reject(new Error(`away ${(asked.count += 1)}`)),
  } as unknown as Client;
  const third = watchServed(counting, { wanted: WANTED, found: 'v1', everyMs: 5, onChange: () => t.fail() });
  await eventually('it was asked a few times', () => asked.count > 5);
  other();
  third();
  t.deepEqual(told, []);
  served['v2'] = ['as', 'bs'];
  await eventually('it is told', () => told.length > 0);
  t.deepEqual(told, ['v2']);
});
