// SPDX-License-Identifier: Apache-2.0
import { readdir } from 'node:fs/promises';
import { constants, getPriority } from 'node:os';
import test from 'ava';
import { NICER_BY } from './give-way.ts';
import { JUDGE_LIMITS, JUDGE_URL } from './judge.ts';
import { JudgeChild } from './judge-child.ts';

/** Weights of the kernel (`sched_prio_to_weight`): of who is as nice as we are, and of who is five steps nicer. */
const WEIGHTS = { 0: 1024, 5: 335 } as const;

test('all threads of the process that judges give way to this one', async (t) => {
  const { promise: ready, resolve, reject } = Promise.withResolvers<void>();
  const judge = new JudgeChild(
    { limits: JUDGE_LIMITS, url: JUDGE_URL },
    {
      onReply: ({ kind }) => (kind === 'ready' ? resolve() : reject(new Error(kind))),
      onEnd: () => reject(new Error('it has ended')),
    },
  );
  t.teardown(() => judge.end());
  // Keeps this process until then: a child that does nothing keeps none.
  const kept = setInterval(() => undefined, 1000);
  t.teardown(() => clearInterval(kept));
  await ready;
  const nice = Math.min(getPriority() + NICER_BY, constants.priority.PRIORITY_LOW);
  const threads = await readdir(`/proc/${judge.pid}/task`);
  t.true(threads.length > 1);
  t.deepEqual(
    threads.map((thread) => getPriority(Number(thread))),
    threads.map(() => nice),
  );
});

test('an image has what it may have of a processor before the patience with it ends, beside one busy thread', (t) => {
  const { processorMs, patienceMs } = JUDGE_LIMITS;
  const share = WEIGHTS[NICER_BY] / (WEIGHTS[NICER_BY] + WEIGHTS[0]);
  t.true(processorMs / share < patienceMs);
});
