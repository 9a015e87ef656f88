// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { TimeLimit } from './time-limit.ts';

test('what takes too long is aborted', async (t) => {
  const limit = new TimeLimit(20);
  t.false(limit.signal.aborted);
  // The limit keeps no process, and this test is one.
  const alive = setInterval(() => undefined, 5);
  await once(limit.signal, 'abort');
  clearInterval(alive);
  t.is((limit.signal.reason as DOMException).name, 'TimeoutError');
});

test('what has ended is aborted by nothing', async (t) => {
  const outer = new AbortController();
  const limit = new TimeLimit(5, outer.signal);
  limit.end();
  outer.abort();
  await delay(30);
  t.false(limit.signal.aborted);
});

test('what is over for the whole is over for its part', (t) => {
  const outer = new AbortController();
  const limit = new TimeLimit(60_000, outer.signal);
  const reason = new Error('gone');
  outer.abort(reason);
  t.true(limit.signal.aborted);
  t.is(limit.signal.reason, reason);
  limit.end();
  const late = new TimeLimit(60_000, outer.signal);
  t.true(late.signal.aborted);
  late.end();
});
