// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import { ENGINE } from '../engine.ts';
import { type PolicyModule, verifyModule } from '../module.ts';
import { type HandMade, handMade } from '../testing/hand-made.ts';
import { EVALUATION_LIMITS } from '../verdict.ts';
import { WORKER_URL, WorkerHandle } from './worker-handle.ts';

const MIB = 1024 * 1024;
const DEADLINE_MS = 60_000;
/** Takes 40 MiB, and gives up. */
const FAT: HandMade = { evaluate: '(drop (memory.grow (i32.const 640))) unreachable' };

async function moduleOf(changes: HandMade): Promise<PolicyModule> {
  const verified = verifyModule(await handMade(changes));
  if (verified.kind === 'refused') throw new Error(JSON.stringify(verified.faults));
  return verified.module;
}

/** A worker that takes orders. */
async function worker(t: ExecutionContext) {
  const { maxInputBytes, maxResultBytes, maxDepth } = EVALUATION_LIMITS;
  const settings = {
    limits: { maxInputBytes, maxResultBytes, maxDepth },
    recycleAfter: 100,
    recycleBytes: MIB,
    residentBytes: 64 * MIB,
  };
  const { promise: ready, resolve: onReady } = Promise.withResolvers<void>();
  const handle = new WorkerHandle({ settings, url: WORKER_URL }, { onReady, onEnd: () => undefined });
  t.teardown(() => handle.close());
  await ready;
  const ask = async (changes: HandMade) => {
    const { digest: key, metered, layout } = await moduleOf(changes);
    const compiled = new ENGINE.Module(metered);
    const source = { compiled, layout, memoryMiB: 64, data: undefined, owner: 'a' };
    const input = new TextEncoder().encode('{}');
    return handle.run({ key, source, question: { entrypoint: 'p/x', nowNs: 0n, input } }, DEADLINE_MS);
  };
  return { handle, ask };
}

test('who asked is answered before memory is given back, and the worker takes orders after it', async (t) => {
  const { handle, ask } = await worker(t);
  const small = await ask({});
  t.like(small, { kind: 'answer', collected: undefined });
  t.true(handle.isIdle);
  const outcome = await ask(FAT);
  t.like(outcome, { kind: 'failed', reason: 'Trap' });
  t.false(handle.isIdle, 'it is not asked meanwhile');
  await outcome.collected;
  t.true(outcome.collected !== undefined && handle.isIdle);
  t.like(await ask({}), { kind: 'answer', collected: undefined });
});

test('a worker that is ended while it gives memory back is waited for no longer', async (t) => {
  const { handle, ask } = await worker(t);
  const outcome = await ask(FAT);
  t.true(outcome.collected !== undefined);
  await Promise.all([handle.close(), outcome.collected]);
  t.true(handle.isEnded);
});
