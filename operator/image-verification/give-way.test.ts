// SPDX-License-Identifier: Apache-2.0
import { readdirSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { constants, getPriority } from 'node:os';
import test from 'ava';
import { giveWay, NICER_BY } from './give-way.ts';
import { JUDGE_LIMITS, JUDGE_URL, overtimeOf } from './judge.ts';
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

/** Of the only processor, beside so many threads that want all of it: two of the operator, and two of `opa` that compile for it. */
for (const busy of [1, 2, 3, 4]) {
  test(`an image has what it may have of a processor before it is ended by the clock, beside ${busy} busy`, (t) => {
    const { processorMs } = JUDGE_LIMITS;
    const share = WEIGHTS[NICER_BY] / (WEIGHTS[NICER_BY] + busy * WEIGHTS[0]);
    // As often as it is looked at.
    for (let passedMs = 250; passedMs * share < processorMs; passedMs += 250) {
      t.is(overtimeOf({ hadMs: passedMs * share, passedMs }, JUDGE_LIMITS), undefined);
    }
    t.is(
      overtimeOf({ hadMs: processorMs, passedMs: processorMs / share }, JUDGE_LIMITS),
      'judging took more than 20 s of a processor',
    );
  });
}

test('what waits for nothing is ended when the patience with it is over, and all is at the end', (t) => {
  const { processorMs, patienceMs, longestMs } = JUDGE_LIMITS;
  const said = 'judging came to no end within 120 s';
  const start = { hadMs: 500 };
  t.is(overtimeOf({ ...start, passedMs: patienceMs - 1 }, JUDGE_LIMITS), undefined);
  t.is(overtimeOf({ ...start, passedMs: patienceMs }, JUDGE_LIMITS), said);
  t.is(overtimeOf({ hadMs: processorMs - 1, passedMs: patienceMs }, JUDGE_LIMITS), undefined);
  t.is(overtimeOf({ hadMs: processorMs - 1, passedMs: longestMs }, JUDGE_LIMITS), said);
});

test('a thread that ends meanwhile keeps none of the others from giving way', (t) => {
  const asked: number[] = [];
  const threads = readdirSync(`/proc/${process.pid}/task`).map(Number);
  t.true(threads.length > 2);
  giveWay(process.pid, NICER_BY, (thread) => {
    asked.push(thread);
    if (thread === threads[1]) throw Object.assign(new Error('no such process'), { code: 'ESRCH' });
  });
  t.deepEqual(asked.slice(0, 1), [process.pid]);
  t.deepEqual(
    threads.filter((thread) => !asked.includes(thread)),
    [],
  );
});
