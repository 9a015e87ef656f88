// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject } from '../core/object.ts';
import { createLog } from '../telemetry/log.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import type { Cache } from './cache.ts';
import type { Client } from './client.ts';
import { type AnyController, type Key, keyString } from './controller.ts';
import { Reconcilers } from './reconcilers.ts';

const RUNS = { apiVersion: 'g.dev/v1', kind: 'Run', plural: 'runs', namespaced: true };

/** Each pass makes one object, so each has to be sure that it was decided on the newest version. */
function controllerOf(name: string): AnyController {
  return {
    name,
    resource: RUNS,
    watches: [],
    rbac: [],
    group: ({ metadata }) => metadata.namespace,
    observe: () => Promise.resolve(undefined),
    plan: ({ metadata }) => ({
      status: undefined,
      apply: [],
      create: [{ apiVersion: 'v1', kind: 'Pod', metadata }],
      remove: [],
      events: [],
      result: { kind: 'done' },
    }),
  };
}

function runOf({ namespace, name }: Key): KubeObject {
  const place = { name, ...(namespace !== undefined && { namespace }) };
  return { apiVersion: 'g.dev/v1', kind: 'Run', metadata: { ...place, uid: name, resourceVersion: '5' } };
}

/** A watch that proves everything at once, and an API server that answers nobody who asks until it is told to. */
function worldOf() {
  const asked: string[] = [];
  const made: string[] = [];
  const answers = Promise.withResolvers<void>();
  const fake = {
    withFence: () => fake,
    get: async (_: unknown, key: Key) => {
      asked.push(keyString(key));
      await answers.promise;
      return runOf(key);
    },
    resourceOf: () => Promise.resolve({ ...RUNS, kind: 'Pod', plural: 'pods' }),
    create: (_: unknown, object: KubeObject) => {
      made.push(object.metadata.name);
      return Promise.resolve(object);
    },
  };
  const cache = {
    get: ({ kind }: { readonly kind: string }, key: Key) => (kind === 'Run' ? runOf(key) : undefined),
    isNewest: () => Promise.resolve(true),
    observeWrite: () => undefined,
  };
  const reconcilers = new Reconcilers({
    client: fake as unknown as Client,
    cache: cache as unknown as Cache,
    recorder: { record: () => undefined } as never,
    metrics: createMetrics(),
    log: createLog({ level: 'silent' }),
  });
  return { reconcilers, asked, made, answer: () => answers.resolve() };
}

const HOLDS = { check: () => undefined } as never;

test('those who are checked in several shards are one crowd', async (t) => {
  const { reconcilers, asked, made, answer } = worldOf();
  const controller = controllerOf('run');
  const [one, other] = [reconcilers.of(controller, HOLDS), reconcilers.of(controller, HOLDS)];
  // So many of one tenant ask for themselves.
  const first = ['a', 'b', 'c', 'd'].map((name, index) =>
    (index % 2 === 0 ? one : other).reconcile({ namespace: 'n', name }),
  );
  await other.reconcile({ namespace: 'n', name: 'e' });
  t.deepEqual(
    asked,
    ['n/a', 'n/b', 'n/c', 'n/d'],
    'the watch proves it for the fifth, though its shard has two others',
  );
  t.deepEqual(made, ['e']);
  answer();
  await Promise.all(first);
  t.deepEqual(made.toSorted(), ['a', 'b', 'c', 'd', 'e']);
});

test('those of another controller are none of it', async (t) => {
  const { reconcilers, asked, answer } = worldOf();
  const first = reconcilers.of(controllerOf('run'), undefined).reconcile({ namespace: 'n', name: 'a' });
  const second = reconcilers.of(controllerOf('agent'), undefined).reconcile({ namespace: 'n', name: 'b' });
  answer();
  await Promise.all([first, second]);
  t.deepEqual(asked.toSorted(), ['n/a', 'n/b']);
});
