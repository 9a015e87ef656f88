// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ENGINE } from '../engine.ts';
import { type PolicyModule, verifyModule } from '../module.ts';
import { type HandMade, handMade } from '../testing/hand-made.ts';
import { ENDLESS } from '../metering/clock.ts';
import { EVALUATION_LIMITS } from '../verdict.ts';
import { Instances } from './instances.ts';

const MIB = 1024 * 1024;
const QUESTION = { entrypoint: 'p/x', input: new TextEncoder().encode('{}'), nowNs: 0n };

/** A module whose instances take so many MiB from the beginning. */
async function moduleOf(mib: number): Promise<PolicyModule> {
  const bytes = await handMade({ memory: `(import "env" "memory" (memory ${mib * 16}))` });
  const verified = verifyModule(bytes);
  if (verified.kind === 'refused') throw new Error(verified.faults[0]?.message);
  return verified.module;
}

/** A worker's instances of 2 MiB each, which may have 10 MiB together; `asks` tells whether one had to be made for it. */
async function world() {
  const { metered, layout } = await moduleOf(2);
  let made = 0;
  const compiled = await ENGINE.compile(metered);
  const settings = { limits: EVALUATION_LIMITS, recycleAfter: 1000, recycleBytes: MIB };
  const instances = new Instances({ ...settings, residentBytes: 10 * MIB }, ENDLESS);
  const knows = (key: string, memoryMiB = 2) =>
    instances.add(key, {
      compiled,
      get layout() {
        made += 1;
        return layout;
      },
      memoryMiB,
      data: undefined,
      owner: key.slice(0, 1),
    });
  const asks = (key: string): boolean => {
    const before = made;
    instances.ask(key, QUESTION);
    return made > before;
  };
  return { instances, knows, asks };
}

test('the instance used longest ago of whoever has most makes room', async (t) => {
  const { knows, asks } = await world();
  for (const key of ['a1', 'a2', 'a3', 'b1', 'b2', 'c1']) knows(key);
  for (const key of ['a1', 'a2', 'a3', 'b1', 'b2']) t.true(asks(key));
  for (const key of ['a1', 'a2', 'a3', 'b1', 'b2']) t.false(asks(key));
  t.true(asks('c1'));
  for (const key of ['b1', 'b2', 'a2', 'a3', 'c1']) t.false(asks(key), key);
  t.true(asks('a1'));
});

test('what one may take as it is asked, others do not have then', async (t) => {
  const { knows, asks } = await world();
  for (const key of ['a1', 'a2', 'b1', 'b2']) knows(key);
  knows('c1', 8);
  for (const key of ['a1', 'a2', 'b1', 'b2']) asks(key);
  t.true(asks('c1'));
  const left = ['a1', 'a2', 'b1', 'b2'].filter((key) => !asks(key));
  t.is(left.length, 1);
});

test('what was let go is worth collecting when it is much, and once', async (t) => {
  const { instances, knows, asks } = await world();
  t.false(instances.hasMuchToCollect());
  for (let round = 0; round < 16; round += 1) {
    const key = `a${round}`;
    knows(key);
    asks(key);
    instances.forget(key);
  }
  t.true(instances.hasMuchToCollect());
  t.false(instances.hasMuchToCollect());
});

/** Instances of one worker that may have 64 MiB, and what makes them of a module. */
async function greedy(changes: HandMade) {
  const bytes = await handMade({ memory: '(import "env" "memory" (memory 1))', ...changes });
  const verified = verifyModule(bytes);
  if (verified.kind === 'refused') throw new Error(verified.faults[0]?.message);
  const { metered, layout } = verified.module;
  const settings = { limits: EVALUATION_LIMITS, recycleAfter: 1000, recycleBytes: MIB };
  const instances = new Instances({ ...settings, residentBytes: 64 * MIB }, ENDLESS);
  const compiled = await ENGINE.compile(metered);
  instances.add('a', { compiled, layout, memoryMiB: 64, data: undefined, owner: 'a' });
  return instances;
}

const GROWS = '(drop (memory.grow (i32.const 640))) unreachable';

test('what took much and failed while it begins is collected', async (t) => {
  const instances = await greedy({ more: `(func $begin ${GROWS}) (start $begin)` });
  t.throws(() => instances.ask('a', QUESTION));
  t.true(instances.hasMuchToCollect());
});

test('what took much and failed leaves its memory to the next of its module, until that is forgotten', async (t) => {
  const instances = await greedy({ evaluate: GROWS });
  for (let round = 0; round < 3; round += 1) {
    t.throws(() => instances.ask('a', QUESTION));
    t.false(instances.hasMuchToCollect(), `round ${round}`);
  }
  instances.forget('a');
  t.true(instances.hasMuchToCollect());
});

/** Answers where it finds what it has written; else it writes, takes 40 MiB, and gives up. */
const FAILS_ONCE = `
  (if (i32.eqz (i32.load (i32.const 60000))) (then
    (i32.store (i32.const 60000) (i32.const 1))
    (drop (memory.grow (i32.const 640)))
    unreachable))
  (i32.const 2048)`;

test('memory that is used again holds nothing of what failed', async (t) => {
  const instances = await greedy({ evaluate: FAILS_ONCE });
  for (let round = 0; round < 3; round += 1)
    t.throws(() => instances.ask('a', QUESTION), { message: /unreachable/ });
});

/** Gives up where the input begins with a space, for which it takes 40 MiB; else it answers. */
const FAILS_FOR_SPACES = `
  (if (i32.eq (i32.load8_u (local.get 3)) (i32.const 32)) (then (drop (memory.grow (i32.const 640))) unreachable))
  (i32.const 2048)`;

test('what failed and answers again has its memory given back', async (t) => {
  const instances = await greedy({ evaluate: FAILS_FOR_SPACES });
  t.deepEqual(instances.ask('a', QUESTION), { json: '[{"result":true}]' });
  t.throws(() => instances.ask('a', { ...QUESTION, input: new TextEncoder().encode(' {}') }));
  t.false(instances.hasMuchToCollect());
  t.deepEqual(instances.ask('a', QUESTION), { json: '[{"result":true}]' });
  t.true(instances.hasMuchToCollect(), 'it needs no more than others');
});
