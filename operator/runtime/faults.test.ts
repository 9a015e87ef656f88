// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { attachCluster } from '#hack/cluster/attach';
import { collectionPath } from './resource.ts';
import { eventually } from '#hack/tools/eventually';
import type { SeenRequest } from './testing/fault-proxy.ts';
import {
  becomesReady,
  changeWidget,
  createWidget,
  type Rig,
  type RigOptions,
  startRig,
  sumOf,
  writesWhenPoked,
} from './testing/rig.ts';

interface Scenario {
  /** Whether a write may have to be sent more than once. */
  readonly spoilsWrites?: true;
  /** Before the manager starts. */
  readonly prepare?: RigOptions['prepare'];
  readonly timing?: RigOptions['timing'];
  /** What goes wrong, before things change. */
  readonly breakIt?: (rig: Rig) => void;
  /** What happens after things changed; by default the fault ends by itself. */
  readonly meanwhile?: (rig: Rig) => Promise<void> | void;
  /** What must be seen besides convergence, which shows that the fault was met. */
  readonly expect: (rig: Rig) => Promise<boolean> | boolean;
  /** What is waited for after all is healed: that the stores, too, have what the API server has. */
  readonly settle?: (rig: Rig) => Promise<unknown>;
}

const isWrite = (seen: SeenRequest) => seen.method !== 'GET';
const isWatch = (seen: SeenRequest) => seen.isWatch;
const isStreamedList = (seen: SeenRequest) => seen.isWatch && !seen.isResumed;
const endCount = (rig: Rig, why = '') => sumOf(rig.metrics, 'nexusos_watch_ends_total', why);
const ends = (why: string) => async (rig: Rig) => (await endCount(rig, why)) > 0;

const faulted = (times: number) => (rig: Rig) => rig.proxy.faultCount >= times;

/** Cuts the open watches, so that the next thing they do meets the fault. */
function cutWatches(rig: Rig): void {
  rig.proxy.watches.cut();
}

const SCENARIOS: Record<string, Scenario> = {
  // That the API server closes a watch is everyday life.
  'nothing at all': {
    expect: async (rig) => (await endCount(rig)) === (await endCount(rig, 'why="closed"')),
  },
  'all connections are cut': {
    spoilsWrites: true,
    breakIt: (rig) => rig.proxy.cutAll(),
    expect: ends('cut'),
  },
  'watches are cut again and again while things change': {
    breakIt: (rig) => {
      let left = 20;
      rig.proxy.watches.fateOf = (line) => {
        left -= 1;
        if (left > 0 && left % 3 === 0) queueMicrotask(() => cutWatches(rig));
        return { tell: line };
      };
    },
    expect: ends('cut'),
  },
  'watches stall without a word': {
    timing: { idleMs: 1500 },
    breakIt: (rig) => {
      rig.proxy.watches.isStalled = true;
    },
    meanwhile: async (rig) => {
      await eventually('the stall was noticed', () => ends('idle')(rig));
      rig.proxy.heal();
    },
    expect: ends('idle'),
  },
  'the place where a watch was is too old, told by 410 Gone': {
    breakIt: (rig) => {
      // Whoever goes on from where he was is refused for ever: only reading everything anew helps.
      rig.proxy.inject({ kind: 'answer', status: 410 }, (seen) => seen.isResumed, 1e9);
      cutWatches(rig);
    },
    expect: ends('expired'),
  },
  'the place where a watch was is too old, told by an ERROR event': {
    breakIt: (rig) => {
      rig.proxy.inject({ kind: 'answer', status: 500 }, (seen) => seen.isResumed, 1e9);
      const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, code: 410, reason: 'Expired' };
      rig.proxy.watches.forge(watchPath(rig), JSON.stringify({ type: 'ERROR', object: status }));
    },
    expect: ends('expired'),
  },
  'watches are refused with 500 a few times': {
    breakIt: (rig) => {
      rig.proxy.inject({ kind: 'answer', status: 500 }, isWatch, 6);
      cutWatches(rig);
    },
    expect: ends('refused'),
  },
  'every request is answered 500 for a while': {
    spoilsWrites: true,
    breakIt: (rig) => {
      rig.proxy.inject({ kind: 'answer', status: 500 }, () => true, 12);
      cutWatches(rig);
    },
    expect: faulted(12),
  },
  'writes are answered 429 with Retry-After': {
    spoilsWrites: true,
    breakIt: (rig) => {
      const headers = { 'retry-after': '1' };
      rig.proxy.inject({ kind: 'answer', status: 429, headers }, isWrite, 4);
    },
    expect: async (rig) =>
      faulted(4)(rig) && (await sumOf(rig.metrics, 'controller_runtime_reconcile_errors_total')) === 0,
  },
  'a watch line is cut in half': {
    breakIt: (rig) => {
      let left = 2;
      rig.proxy.watches.fateOf = (line) => {
        left -= 1;
        return left >= 0 ? 'truncate' : { tell: line };
      };
    },
    expect: ends('cut'),
  },
  'a watch line is garbage': {
    breakIt: (rig) => {
      rig.proxy.watches.forge(watchPath(rig), '{"type":"MODIFIED","object":{"kind":');
    },
    expect: ends('malformed'),
  },
  'watch events are lost': {
    // When those of a list are among them, an object seems to be missing until the next list.
    spoilsWrites: true,
    timing: { watchMs: 500, resyncMs: 1000 },
    breakIt: (rig) => {
      let left = 3;
      rig.proxy.watches.fateOf = (line) => {
        if (line.includes('"BOOKMARK"')) return { tell: line };
        left -= 1;
        return left >= 0 ? 'drop' : { tell: line };
      };
    },
    expect: (rig) => rig.proxy.watches.spoiledCount >= 3,
    settle: isListedAnew,
  },
  'answers to writes are lost after they took effect': {
    spoilsWrites: true,
    breakIt: (rig) => {
      rig.proxy.inject({ kind: 'cutAfter' }, isWrite, 6);
    },
    expect: faulted(6),
  },
  'every creation is cut after it took effect': {
    spoilsWrites: true,
    breakIt: (rig) => {
      rig.proxy.inject({ kind: 'cutAfter' }, (seen) => seen.method === 'POST', 3);
    },
    expect: faulted(1),
  },
  'writes are cut before they arrive': {
    spoilsWrites: true,
    breakIt: (rig) => {
      rig.proxy.inject({ kind: 'cutBefore' }, isWrite, 6);
    },
    expect: faulted(6),
  },
  'answers end in the middle': {
    spoilsWrites: true,
    breakIt: (rig) => {
      rig.proxy.inject({ kind: 'truncate' }, isWrite, 4);
    },
    expect: faulted(4),
  },
  'everything is slow': {
    spoilsWrites: true,
    breakIt: (rig) => {
      rig.proxy.inject({ kind: 'delay', delayMs: 400 }, () => true, 30);
      cutWatches(rig);
    },
    expect: faulted(10),
  },
  'one watch tells everything late, so that its store is behind our own writes': {
    breakIt: (rig) => {
      rig.proxy.watches.fateOf = (line, path) => {
        if (!path.endsWith('/configmaps')) return { tell: line };
        setTimeout(() => rig.proxy.watches.forge(path, line), 500);
        return 'drop';
      };
    },
    expect: (rig) => rig.proxy.watches.spoiledCount > 0,
  },
  'the API server does not stream lists': {
    timing: { watchMs: 500, resyncMs: 1000 },
    prepare: ({ proxy }) => {
      // The reason that an API server without the feature gives.
      const body = JSON.stringify({ kind: 'Status', code: 422, reason: 'Invalid', metadata: {} });
      proxy.inject({ kind: 'answer', status: 422, body }, isStreamedList, 1e9);
    },
    expect: (rig) =>
      eventually('it is read anew in pages', () =>
        rig.proxy.requests.slice(pagedAt(rig) + 1).some((seen) => isPaged(rig, seen)),
      ),
  },
  'a streamed list stays out once: it is read in pages then, and streamed again at the next resync': {
    timing: { idleMs: 700, watchMs: 1500, resyncMs: 2000 },
    prepare: (rig) => {
      rig.proxy.watches.fateOf = (line) => (pagedAt(rig) < 0 ? 'drop' : { tell: line });
    },
    expect: (rig) =>
      eventually('a list is streamed again', () =>
        rig.proxy.requests.slice(pagedAt(rig)).some((seen) => seen.isWatch && !seen.isResumed),
      ),
  },
};

/** Waits until all that is watched was read twice more: the second time it was begun after this moment. */
async function isListedAnew({ metrics }: Rig): Promise<void> {
  for (const resource of ['widgets', 'configmaps']) {
    const lists = () => sumOf(metrics, 'nexusos_watch_lists_total', `resource="${resource}"`);
    const before = await lists();
    await eventually(`${resource} were read anew`, async () => (await lists()) >= before + 2);
  }
}

/** Which of all requests was the first list of widgets in pages; -1 when none was. */
function pagedAt(rig: Omit<Rig, 'close'>): number {
  return rig.proxy.requests.findIndex((seen) => isPaged(rig, seen));
}

function isPaged({ world }: Omit<Rig, 'close'>, seen: SeenRequest): boolean {
  const path = collectionPath(world.widgets, world.namespace);
  return seen.method === 'GET' && !seen.isWatch && seen.path === path;
}

for (const [sentence, scenario] of Object.entries(SCENARIOS)) {
  test(`converges, and does nothing twice, when ${sentence}`, async (t) => {
    const { kubeconfigPath } = await attachCluster();
    const { prepare, timing } = scenario;
    const rig = await startRig({
      kubeconfigPath,
      ...(prepare !== undefined && { prepare }),
      ...(timing !== undefined && { timing }),
    });
    t.teardown(() => rig.close());
    await createWidget(rig, 'before', { copies: 2, text: 'old' });
    const before = await becomesReady(rig, 'before');

    scenario.breakIt?.(rig);
    await changeWidget(rig, 'before', { copies: 1, text: 'new' });
    await createWidget(rig, 'during', { copies: 2, text: 'x' });
    await scenario.meanwhile?.(rig);

    const after = await becomesReady(rig, 'before');
    await becomesReady(rig, 'during');
    t.is(after.metadata.uid, before.metadata.uid);
    for (const name of ['before-once', 'during-once', 'during-copy-0', 'during-copy-1']) {
      const writes = rig.proxy.requests.filter((seen) => seen.bodyName === name && isWrite(seen));
      t.is(writes.filter((seen) => seen.status === 201).length, 1, `${name} was made once`);
      const answers = writes.map((seen) => seen.status).join(', ');
      if (scenario.spoilsWrites !== true) t.is(writes.length, 1, `${name} was written once: ${answers}`);
    }
    t.true(await scenario.expect(rig), 'the fault was met');
    rig.proxy.heal();
    await scenario.settle?.(rig);
    t.false(await writesWhenPoked(rig, ['before', 'during']), 'a pass over what is well writes nothing');
  });
}

function watchPath({ world }: Rig): string {
  return collectionPath(world.widgets, world.namespace);
}

test('after an outage all watches go on at once, however long each of them would wait by itself', async (t) => {
  const { kubeconfigPath } = await attachCluster();
  const never = { baseMs: 600_000, maxMs: 600_000, jitter: 0 };
  const rig = await startRig({
    kubeconfigPath,
    timing: { backoff: never },
    // Somebody asks all the while: the elector, which has a rhythm of its own.
    leaderElection: ({ namespace }) => ({ namespace, name: 'leader', retryPeriodMs: 300 }),
  });
  t.teardown(() => rig.close());
  await createWidget(rig, 'before', { copies: 1, text: 'x' });
  await becomesReady(rig, 'before');
  const open = rig.proxy.watches.size;
  const away = rig.proxy.inject({ kind: 'cutBefore' }, () => true, 1e9);
  rig.proxy.cutAll();
  await eventually('no watch is open', async () => {
    const cut = await endCount(rig, 'why="cut"');
    return cut >= open && rig.proxy.watches.size === 0;
  });
  const cutMs = performance.now();
  await eventually('it has lasted long enough to be an outage', () => performance.now() - cutMs > 3500);
  away.times = 0;
  await createWidget(rig, 'after', { copies: 1, text: 'x' });
  await becomesReady(rig, 'after');
  // Each within its own second, where one that nobody woke would wait for ten minutes.
  await eventually('all watches are open again', () => rig.proxy.watches.size === open);
  t.pass();
});
