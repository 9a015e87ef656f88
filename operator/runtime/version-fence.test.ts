// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject } from '../core/object.ts';
import { GroupCount } from './group-count.ts';
import { VersionFence } from './version-fence.ts';

const RUNS = { apiVersion: 'g.dev/v1', kind: 'Run', plural: 'runs', namespaced: true };

function runAt(resourceVersion: string, namespace = 'n'): KubeObject {
  return {
    apiVersion: RUNS.apiVersion,
    kind: RUNS.kind,
    metadata: { name: 'a', namespace, uid: 'u', resourceVersion },
  };
}

const groupOf = ({ metadata }: KubeObject): string => metadata.namespace ?? '';

/** A fence of a pass that saw version 5, where a watch proves that to be the newest or not, and the API server says what is. Four others of its group are being checked as well. */
function fenceWhere({ isProven, live }: { readonly isProven: boolean; readonly live: KubeObject }) {
  let questions = 0;
  const seen: string[] = [];
  const checking = new GroupCount();
  for (let other = 0; other < 4; other += 1) checking.enter('n');
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
      checking,
      groupOf,
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

/** Fences of Runs at version 5 that share one watch, which proves nothing until it is told to, and an API server that is asked for each. */
function crowd() {
  const proof = Promise.withResolvers<boolean>();
  const asked: string[] = [];
  const checking = new GroupCount();
  let failsNext = false;
  const options = {
    client: {
      get: async (_: unknown, { namespace = '' }: { readonly namespace?: string }) => {
        asked.push(namespace);
        if (failsNext) {
          failsNext = false;
          throw new Error('away');
        }
        return runAt('5', namespace);
      },
    },
    cache: {
      isNewest: () => proof.promise,
      observeWrite: () => undefined,
      observeRemoval: () => undefined,
    },
    resource: RUNS,
    checking,
    groupOf,
  };
  return {
    asked,
    prove: () => proof.resolve(true),
    fail: () => (failsNext = true),
    check: (namespace: string) => new VersionFence(options, runAt('5', namespace)).check(),
  };
}

test('the first few of a tenant ask at once, however many of another wait for the watch', async (t) => {
  const { asked, check, prove } = crowd();
  const heavy = Array.from({ length: 50 }, () => check('heavy'));
  t.deepEqual(asked, Array(4).fill('heavy'), 'the first of them ask, and the others wait for the watch');
  await Promise.all(Array.from({ length: 4 }, () => check('light')));
  t.deepEqual(asked.slice(4), Array(4).fill('light'));
  await check('light');
  t.is(asked.length, 9, 'one after the other, each is the only one');
  prove();
  await Promise.all(heavy);
  t.is(asked.length, 9, 'what the watch has proven is not asked');
});

test('more than a few of one tenant are a crowd until they are done', async (t) => {
  const { asked, check, prove } = crowd();
  const first = Array.from({ length: 4 }, () => check('light'));
  const later = Array.from({ length: 4 }, () => check('light'));
  await Promise.all(first);
  // Those that wait are four by now.
  const last = check('light');
  t.is(asked.length, 4);
  prove();
  await Promise.all([...later, last]);
  await check('light');
  t.is(asked.length, 5);
});

test('where more tenants start at once than a few, they are a crowd', async (t) => {
  const { asked, check, prove } = crowd();
  const all = ['a', 'b', 'c', 'd', 'e'].map((name) => check(name));
  t.deepEqual(asked, ['a', 'b', 'c'], 'the others wait for the watch');
  prove();
  await Promise.all(all);
  t.is(asked.length, 3);
  await check('e');
  t.deepEqual(asked.slice(3), ['e'], 'alone again');
});

test('who was told nothing is not counted any more', async (t) => {
  const { asked, check, fail } = crowd();
  fail();
  await t.throwsAsync(check('light'), { message: 'away' });
  await check('light');
  t.deepEqual(asked, ['light', 'light']);
});
