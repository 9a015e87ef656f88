// SPDX-License-Identifier: Apache-2.0
import { setTimeout } from 'node:timers/promises';
import { MessagePort } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { ENGINE } from '../engine.ts';
import { type PolicyModule, verifyModule } from '../module.ts';
import { type HandMade, handMade } from '../testing/hand-made.ts';
import { EVALUATION_LIMITS } from '../verdict.ts';
import { WORKER_URL, WorkerHandle } from './worker-handle.ts';

const MIB = 1024 * 1024;
const DEADLINE_MS = 60_000;
/** Takes 40 MiB, and gives up. That it keeps; with 64 MiB for all, another module that may have as much makes it give them back. */
const FAT: HandMade = { evaluate: '(drop (memory.grow (i32.const 640))) unreachable' };

const { maxInputBytes, maxResultBytes, maxDepth } = EVALUATION_LIMITS;
const SETTINGS = {
  limits: { maxInputBytes, maxResultBytes, maxDepth },
  recycleAfter: 100,
  recycleBytes: MIB,
  residentBytes: 64 * MIB,
};

async function moduleOf(changes: HandMade): Promise<PolicyModule> {
  const verified = verifyModule(await handMade(changes));
  if (verified.kind === 'refused') throw new Error(JSON.stringify(verified.faults));
  return verified.module;
}

/** A worker that takes orders. */
async function worker(t: ExecutionContext, threadClock?: () => number) {
  const { promise: ready, resolve: onReady } = Promise.withResolvers<void>();
  const handle = new WorkerHandle(
    { settings: SETTINGS, url: WORKER_URL, threadClock },
    { onReady, onEnd: () => undefined },
  );
  t.teardown(() => handle.close());
  await ready;
  const ask = async (
    changes: HandMade,
    { deadlineMs = DEADLINE_MS, ...times }: { deadlineMs?: number; loadDeadlineMs?: number } = {},
  ) => {
    const { digest: key, metered, layout } = await moduleOf(changes);
    const compiled = new ENGINE.Module(metered);
    const source = { compiled, layout, memoryMiB: 64, data: undefined, owner: 'a' };
    const question = { entrypoint: 'p/x', nowNs: 0n, input: new TextEncoder().encode('{}') };
    return handle.run({ key, source, question, ...times }, deadlineMs, DEADLINE_MS);
  };
  /** A module that it is told once, and what asks about it. */
  const known = async (name?: string) => {
    const { digest, metered, layout } = await moduleOf({});
    const key = name ?? digest;
    const source = {
      compiled: new ENGINE.Module(metered),
      layout,
      memoryMiB: 64,
      data: undefined,
      owner: 'a',
    };
    const askKnown = (text = '{}') => {
      const question = { entrypoint: 'p/x', nowNs: 0n, input: new TextEncoder().encode(text) };
      return handle.run({ key, source: handle.knows(key) ? undefined : source, question }, DEADLINE_MS);
    };
    return { key, ask: askKnown };
  };
  return { handle, ask, known };
}

test('a worker has loaded what it was told when it has answered, until it forgets it', async (t) => {
  const { handle, ask, known } = await worker(t);
  const { key, ask: askKnown } = await known();
  const asked = askKnown();
  t.true(handle.knows(key));
  t.false(handle.hasLoaded(key));
  await asked;
  t.true(handle.hasLoaded(key));
  const again = askKnown();
  handle.forget(key);
  await again;
  t.false(handle.hasLoaded(key), 'which it was told meanwhile');
  const { digest } = await moduleOf(SLOW_TO_LOAD);
  await ask(SLOW_TO_LOAD, { deadlineMs: 2 });
  t.true(handle.knows(digest));
  t.false(handle.hasLoaded(digest), 'it did not come so far');
  await ask(SLOW_TO_LOAD, { deadlineMs: 2, loadDeadlineMs: DEADLINE_MS });
  t.true(handle.hasLoaded(digest));
});

test('who asked is answered before memory is given back, and the worker takes orders after it', async (t) => {
  const { handle, ask } = await worker(t);
  const small = await ask({});
  t.like(small, { kind: 'answer', collected: undefined });
  t.true(handle.isIdle);
  t.like(await ask(FAT), { kind: 'failed', reason: 'Trap', collected: undefined });
  t.true(handle.isIdle);
  const outcome = await ask({});
  t.like(outcome, { kind: 'answer' });
  t.false(handle.isIdle, 'it is not asked meanwhile');
  const tookMs = await outcome.collected;
  t.true(handle.isIdle);
  t.true(tookMs !== undefined && tookMs > 0, 'what that has cost is known, the first time as well');
  t.like(await ask({}), { kind: 'answer', collected: undefined });
});

test.serial(
  'of many questions about one module, the first alone is a message, and few are told of by one',
  async (t) => {
    const key = 'asked often';
    const { ask } = await (await worker(t)).known(key);
    let [messages, looks] = [0, 0];
    const usual = Object.getOwnPropertyDescriptor(MessagePort.prototype, 'postMessage') ?? {};
    const value = function (this: MessagePort, ...sent: readonly [Partial<Record<string, unknown>>]): void {
      if (sent[0]['key'] === key) messages += 1;
      if (sent[0]['kind'] === 'look') looks += 1;
      Reflect.apply(usual.value as () => void, this, sent);
    };
    Object.defineProperty(MessagePort.prototype, 'postMessage', { ...usual, value });
    t.teardown(() => Object.defineProperty(MessagePort.prototype, 'postMessage', usual));
    for (let round = 0; round < 100; round += 1) t.like(await ask(), { kind: 'answer' });
    t.is(messages, 1);
    // Once a second it goes back to its event loop.
    t.true(looks < 50, `${looks}`);
  },
);

test('what is forgotten while a question about it lies there is forgotten after that', async (t) => {
  const { handle, known } = await worker(t);
  const { key, ask } = await known();
  for (let round = 0; round < 60; round += 1) {
    const isKnown = handle.knows(key);
    const asked = ask();
    if (round % 3 === 2) handle.forget(key);
    t.like(await asked, { kind: 'answer' }, `round ${round}`);
    t.is(isKnown, round % 3 !== 0);
  }
});

/** Counts for some tens of milliseconds where it is loaded, asking for its time, and answers at once. */
const SLOW_TO_LOAD: HandMade = {
  malloc: `(local i32)
    (loop (br_if 0 (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (i32.const 50000000))))
    (i32.const 4096)`,
};

test('what is loaded in time of its own is not stopped by the deadline of a question', async (t) => {
  const { ask } = await worker(t);
  t.like(await ask(SLOW_TO_LOAD, { deadlineMs: 2 }), {
    kind: 'failed',
    reason: 'Timeout',
    message: 'it was stopped after 2 ms or more, of which it had a processor for 0 at least',
  });
  const loaded = await ask(SLOW_TO_LOAD, { deadlineMs: 2, loadDeadlineMs: DEADLINE_MS });
  t.is(loaded.kind, 'answer');
  const { micros, loadMicros = 0 } = loaded;
  t.true(loadMicros > 2000 && loadMicros <= micros, `${loadMicros} of ${micros}`);
});

test('what never ends once it is loaded is stopped by the deadline of the question', async (t) => {
  const { handle } = await worker(t);
  const { bytes, layout, digest } = await moduleOf({ evaluate: '(loop (br 0)) unreachable' });
  // Without meters: it asks nobody for time.
  const source = { compiled: new ENGINE.Module(bytes), layout, memoryMiB: 64, data: undefined, owner: 'a' };
  const question = { entrypoint: 'p/x', nowNs: 0n, input: new TextEncoder().encode('{}') };
  const order = { key: digest, source, question, loadDeadlineMs: 20 * DEADLINE_MS };
  t.like(await handle.run(order, 20, DEADLINE_MS), {
    kind: 'stopped',
    message: 'it was stopped after 20 ms or more, of which it had a processor for 8 at least',
  });
});

test('what was loaded with much patience is waited for no longer than any other question', async (t) => {
  // To this clock no thread ever gets a processor, so that patience alone ends it.
  const { handle } = await worker(t, () => 0);
  const { bytes, layout, digest } = await moduleOf({ evaluate: '(loop (br 0)) unreachable' });
  const source = { compiled: new ENGINE.Module(bytes), layout, memoryMiB: 64, data: undefined, owner: 'a' };
  const question = { entrypoint: 'p/x', nowNs: 0n, input: new TextEncoder().encode('{}') };
  // A load of ten minutes has the most patience there is, four seconds.
  const outcome = await handle.run({ key: digest, source, question, loadDeadlineMs: 600_000 }, 20, 100);
  t.like(outcome, { kind: 'stopped', reason: 'Overloaded' });
  const [, withinMs] = /within (\d+) ms/.exec(outcome.kind === 'stopped' ? outcome.message : '') ?? [];
  t.true(Number(withinMs) < 4000, `it was waited for ${withinMs} ms, where 250 are its own`);
});

test('a question that has no room beside others is asked all the same', async (t) => {
  const { ask } = await (await worker(t)).known();
  for (const bytes of [2, 500_000, 2, 500_000]) {
    t.like(await ask(`[${' '.repeat(bytes - 2)}]`), { kind: 'answer' });
  }
});

test('who has not been asked for a while is asked like any other, and ended wherever it waits', async (t) => {
  const { handle, known } = await worker(t);
  const { ask } = await known();
  // After a second it waits in its event loop, and before that outside of it.
  for (const waitMs of [0, 1300, 0, 50]) {
    await setTimeout(waitMs);
    t.like(await ask(), { kind: 'answer' });
  }
  await handle.close();
  t.true(handle.isEnded);
});

test('a worker that is ended while it gives memory back is waited for no longer', async (t) => {
  const { handle, ask } = await worker(t);
  await ask(FAT);
  const outcome = await ask({});
  t.true(outcome.collected !== undefined);
  await Promise.all([handle.close(), outcome.collected]);
  t.true(handle.isEnded);
});

/** A program that answers every order, and then gives memory back for ever. */
const STUCK = new URL(
  `data:text/javascript,${encodeURIComponent(`
    import { workerData } from 'node:worker_threads';
    const answer = { kind: 'answer', micros: 0, loadMicros: 0, processorMs: 1, collects: true };
    workerData.port.on('message', ({ id }) => {
      workerData.port.postMessage({ ...answer, id });
      for (;;);
    });
    workerData.port.postMessage({ ...answer, id: 0, collects: false, thread: undefined });
  `)}`,
);

test('a worker that never ends to give memory back is ended', async (t) => {
  const ready = Promise.withResolvers<void>();
  const { promise: end, resolve: onEnd } = Promise.withResolvers<string>();
  const program = { settings: SETTINGS, url: STUCK, collectPatienceMs: 1 };
  const handle = new WorkerHandle(program, { onReady: ready.resolve, onEnd });
  t.teardown(() => handle.close());
  await ready.promise;
  const outcome = await handle.run({ key: 'a', source: undefined, question: undefined }, DEADLINE_MS);
  t.is(outcome.kind, 'answer');
  await outcome.collected;
  t.is(await end, 'stuck');
  t.true(handle.isEnded);
});
