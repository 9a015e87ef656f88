// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type Letter, Mailbox } from './mailbox.ts';

/** Both ends, in one thread. */
function ends() {
  const asks = new Mailbox();
  return { asks, answers: new Mailbox(asks.memory) };
}

function letter(changes: Partial<Letter> = {}, input = '{"review":{"name":"ä"}}'): Letter {
  return {
    // More than 32 bits have.
    id: 2 ** 40,
    key: 'sha256:0a  16',
    deadlineMs: 59.5,
    question: { entrypoint: 'regeln/größe', nowNs: 1_795_000_000_000_000_001n, input: Buffer.from(input) },
    ...changes,
  };
}

function read({ question, ...rest }: Letter) {
  return { ...rest, question: { ...question, input: Buffer.from(question.input).toString() } };
}

test('what is left is taken as it was, once', (t) => {
  const { asks, answers } = ends();
  t.is(answers.take(), undefined);
  for (const one of [letter(), letter({ key: 'b', id: 7 }, ''), letter({}, '[]')]) {
    t.true(asks.put(one));
    const taken = answers.take();
    t.deepEqual(taken && read(taken), read(one));
    t.is(answers.take(), undefined);
  }
});

test('what has no room is not left, names included', (t) => {
  const { asks, answers } = ends();
  const most = asks.memory.byteLength;
  t.false(asks.put(letter({}, 'x'.repeat(most))));
  t.false(asks.put(letter({ key: 'ä'.repeat(most / 3) })));
  t.is(answers.take(), undefined);
  const large = letter({}, 'x'.repeat(most - 512));
  t.true(asks.put(large));
  t.deepEqual(answers.take()?.question.input.length, most - 512);
});

test('who waits outside of its loop is heard of, and who rings while it goes back has it stay', (t) => {
  const { asks, answers } = ends();
  t.false(asks.ring(), 'it is in its loop, and has to be sent a message');
  t.true(answers.wait(0), 'it was rung before');
  t.false(answers.wait(0));
  t.true(asks.ring(), 'it waits, or looks again before it goes');
  t.false(answers.leave());
  t.true(answers.wait(0));
  t.false(answers.wait(-5), 'whose time is over does not wait');
  t.true(answers.leave());
  t.false(asks.ring());
});

test.serial('who rings when the time to wait is over already has it stay', (t) => {
  const { asks, answers } = ends();
  const { wait } = Atomics;
  t.teardown(() => {
    Atomics.wait = wait;
  });
  Atomics.wait = () => {
    asks.put(letter());
    t.true(asks.ring(), 'it is believed to wait');
    return 'timed-out';
  };
  t.false(answers.wait(5));
  t.false(answers.leave());
  t.truthy(answers.take());
});
