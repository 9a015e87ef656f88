// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject } from '../core/object.ts';
import { VersionFence } from './version-fence.ts';

const RUNS = { apiVersion: 'g.dev/v1', kind: 'Run', plural: 'runs', namespaced: true };

function runAt(resourceVersion: string): KubeObject {
  return {
    apiVersion: RUNS.apiVersion,
    kind: RUNS.kind,
    metadata: { name: 'a', namespace: 'n', uid: 'u', resourceVersion },
  };
}

/** A fence of a pass that saw version 5, where a watch proves that to be the newest or not, and the API server says what is. */
function fenceWhere({ isProven, live }: { readonly isProven: boolean; readonly live: KubeObject }) {
  let questions = 0;
  const seen: string[] = [];
  const fence = new VersionFence(
    {
      client: {
        get: () => {
          questions += 1;
          return Promise.resolve(live);
        },
      },
      cache: {
        isNewest: () => Promise.resolve(isProven),
        observeWrite: ({ metadata }) => seen.push(metadata.resourceVersion ?? ''),
        observeRemoval: () => undefined,
      },
      resource: RUNS,
    },
    runAt('5'),
  );
  return { fence, seen, questions: () => questions };
}

test('what a watch proves is not asked', async (t) => {
  const { fence, questions } = fenceWhere({ isProven: true, live: runAt('5') });
  await fence.check();
  t.is(questions(), 0);
});

test('what it does not prove is asked once', async (t) => {
  const { fence, questions } = fenceWhere({ isProven: false, live: runAt('5') });
  await fence.check();
  await fence.check();
  t.is(questions(), 1);
});

test('what has moved on is refused, and learned of', async (t) => {
  const { fence, seen } = fenceWhere({ isProven: false, live: runAt('6') });
  await t.throwsAsync(fence.check(), { message: /is not at version 5 any more/ });
  t.deepEqual(seen, ['6']);
});
