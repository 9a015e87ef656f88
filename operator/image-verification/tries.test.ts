// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { PolicyInputs } from '../core/images/inputs.ts';
import { type JudgeOrder, JudgingEnded } from './judge.ts';
import { Tries } from './tries.ts';

function asking(from: string): PolicyInputs {
  const spec = { authorities: [], require: { signatures: { from: [from], threshold: 1 } } };
  return { spec, roots: {}, keys: {}, waivers: [] } as unknown as PolicyInputs;
}

const POLICIES = [asking('builder'), asking('tester')];

function order(fields: Partial<JudgeOrder> = {}, attached = 'sha256:b'): JudgeOrder {
  const bytes = Buffer.from('{}');
  const evidence = [{ form: 'bundle', origin: attached, bytes, annotations: {} } as const];
  const gathered = new Map([['sha256:a', { subject: bytes, evidence }]]);
  return { digest: 'sha256:a', gathered, policies: POLICIES, now: new Date(0), ...fields };
}

const ENDED = new JudgingEnded('it took too much');
const AGAIN = 'it took too much; it is tried again';
const LATER =
  'it took too much, 2 times; it is tried again after 60 minutes, or when something else is attached to it';

function twoTries(clock: { ms: number }) {
  return new Tries({ most: 2, now: () => clock.ms });
}

test('an image is tried some times, and then not for a while', (t) => {
  const clock = { ms: 0 };
  const tries = twoTries(clock);
  tries.check(order());
  t.is(tries.ended(order(), ENDED).message, AGAIN);
  tries.check(order());
  const last = tries.ended(order(), ENDED);
  t.like(last, { message: LATER, retryAfterMs: 3_600_000 });
  clock.ms = 3_599_999;
  t.throws(() => tries.check(order()), { name: 'JudgingEnded', message: LATER });
  clock.ms = 3_600_000;
  tries.check(order());
  // Once more is enough then, and it is told in the same words: nothing is written anew.
  t.like(tries.ended(order(), ENDED), { message: LATER, retryAfterMs: 3_600_000 });
  clock.ms += 1_800_000;
  const error = t.throws(() => tries.check(order()), { instanceOf: JudgingEnded });
  t.is(error.retryAfterMs, 1_800_000);
});

test('what passed once has all its tries again', (t) => {
  const tries = twoTries({ ms: 0 });
  tries.ended(order(), ENDED);
  tries.passed(order());
  t.is(tries.ended(order(), ENDED).message, AGAIN);
});

for (const [name, other] of Object.entries({
  'another document is attached': order({}, 'sha256:c'),
  'another image': order({ digest: 'sha256:d' }),
  'another policy': order({ policies: [asking('builder'), asking('reader')] }),
  'a policy more': order({ policies: [...POLICIES, ...POLICIES] }),
})) {
  test(`it is tried where it is ${name}`, (t) => {
    const tries = twoTries({ ms: 0 });
    tries.ended(order(), ENDED);
    tries.ended(order(), ENDED);
    t.throws(() => tries.check(order()), { instanceOf: JudgingEnded });
    t.notThrows(() => tries.check(other));
    t.is(tries.ended(other, ENDED).message, AGAIN);
  });
}

test('it is left alone where policies are other objects that say the same', (t) => {
  const tries = twoTries({ ms: 0 });
  t.is(tries.ended(order({ policies: structuredClone(POLICIES) }), ENDED).message, AGAIN);
  // They are listed in no promised order.
  t.is(tries.ended(order({ policies: structuredClone(POLICIES).toReversed() }), ENDED).message, LATER);
  t.throws(() => tries.check(order({ policies: structuredClone(POLICIES) })), { message: LATER });
});

const TOO_OFTEN =
  'it took too much; the image has ended 10 processes within 60 minutes, with this and that attached to it; it is tried again when that is over';

test('an image that has something else attached each time is not tried without end either', (t) => {
  const clock = { ms: 0 };
  const tries = twoTries(clock);
  for (let time = 1; time < 10; time += 1) {
    clock.ms = time * 60_000;
    const other = order({}, `sha256:${time}`);
    tries.check(other, 'acme');
    t.is(tries.ended(other, ENDED, 'acme').message, AGAIN);
    // What can be judged without a document shows nothing of it.
    tries.passed(order({}, 'sha256:harmless'));
  }
  clock.ms = 600_000;
  const last = tries.ended(order({}, 'sha256:x'), ENDED, 'acme');
  t.like(last, { message: TOO_OFTEN, retryAfterMs: 3_060_000 });
  const next = order({ policies: [asking('reader')] }, 'sha256:y');
  t.throws(() => tries.check(next, 'acme'), { name: 'JudgingEnded', message: TOO_OFTEN });
  t.notThrows(() => tries.check(next, 'globex'), 'what a registry tells others is not its doing');
  t.notThrows(() => tries.check(order({ digest: 'sha256:z' }), 'acme'));
  clock.ms = 3_660_000;
  t.notThrows(() => tries.check(next, 'acme'));
  // Nine of the last hour are left.
  t.is(tries.ended(next, ENDED, 'acme').message, TOO_OFTEN);
});

test('nothing is remembered of images that ended one long ago', (t) => {
  const clock = { ms: 0 };
  const tries = twoTries(clock);
  for (const digest of ['1', '2', '3']) tries.ended(order({ digest }), ENDED);
  t.is(tries.size, 3);
  clock.ms = 7_199_999;
  tries.ended(order({ digest: '3' }), ENDED);
  t.is(tries.size, 3, 'as long as they may come again right after their rest');
  clock.ms = 7_200_000;
  tries.ended(order({ digest: '4' }), ENDED);
  t.is(tries.size, 2);
  t.throws(() => tries.check(order({ digest: '3' })), { message: LATER });
});

test('no more images are remembered than there may be', (t) => {
  const tries = new Tries({ most: 1, remembered: 3 });
  const orders = ['1', '2', '3', '4'].map((digest) => order({ digest }));
  for (const one of orders) tries.ended(one, ENDED);
  const kept = orders.map((one) => {
    try {
      tries.check(one);
      return false;
    } catch {
      return true;
    }
  });
  t.deepEqual(kept, [false, true, true, true]);
});
