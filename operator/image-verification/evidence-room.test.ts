// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { EvidenceRoom, LARGE_AT_ONCE, MAX_BYTES, SMALL_BYTES } from './evidence-room.ts';

const PATIENT = new AbortController().signal;

/** Whether it is done by now, with all that can be done without anybody else. */
async function isDone(promise: Promise<unknown>): Promise<boolean> {
  const later = Symbol('later');
  const turn = new Promise((resolve) => setImmediate(() => resolve(later)));
  return (await Promise.race([promise, turn])) !== later;
}

test('a little of each image is held without asking', async (t) => {
  const room = new EvidenceRoom();
  for (let number = 0; number < 100; number += 1) {
    t.is(await room.enter(`tenant-${number}`, PATIENT).take(SMALL_BYTES), undefined);
  }
});

test('much is held of few images at a time, and of one of each tenant', async (t) => {
  const room = new EvidenceRoom();
  const first = room.enter('a', PATIENT);
  t.is(await first.take(SMALL_BYTES + 1), undefined);
  const again = room.enter('a', PATIENT).take(SMALL_BYTES + 1);
  t.false(await isDone(again), 'a has one already');
  for (let number = 1; number < LARGE_AT_ONCE; number += 1) {
    t.is(await room.enter(`tenant-${number}`, PATIENT).take(SMALL_BYTES + 1), undefined);
  }
  const other = room.enter('b', PATIENT).take(SMALL_BYTES + 1);
  t.false(await isDone(other), 'all places are taken');
  t.is(await room.enter('c', PATIENT).take(SMALL_BYTES), undefined, 'what is small does not wait');
  first.leave();
  t.true((await isDone(other)) || (await isDone(again)));
});

test('it counts what an image holds in all, and takes no more than may be', async (t) => {
  const image = new EvidenceRoom().enter('a', PATIENT);
  t.is(await image.take(MAX_BYTES - 10), undefined);
  t.is(await image.take(10), undefined);
  t.like(await image.take(1), { kind: 'unknown', reason: 'TooMuchAttached' });
  image.leave();
  t.is(await image.take(1), undefined, 'who has left holds nothing');
});

test('who waits no longer is told so, and takes no place', async (t) => {
  const room = new EvidenceRoom();
  const holders = Array.from({ length: LARGE_AT_ONCE }, (_, number) => room.enter(`h-${number}`, PATIENT));
  for (const one of holders) await one.take(SMALL_BYTES + 1);
  const end = new AbortController();
  const late = room.enter('late', end.signal).take(SMALL_BYTES + 1);
  end.abort();
  t.like(await late, { kind: 'unknown', reason: 'EvidenceIncomplete' });
  for (const one of holders) one.leave();
  for (let number = 0; number < LARGE_AT_ONCE; number += 1) {
    t.is(await room.enter(`n-${number}`, PATIENT).take(SMALL_BYTES + 1), undefined);
  }
});

test('who comes when there is no time any more is told so at once', async (t) => {
  const room = new EvidenceRoom();
  for (let number = 0; number < LARGE_AT_ONCE; number += 1) {
    await room.enter(`h-${number}`, PATIENT).take(SMALL_BYTES + 1);
  }
  const late = room.enter('late', AbortSignal.abort()).take(SMALL_BYTES + 1);
  t.true(await isDone(late));
  t.like(await late, { kind: 'unknown', reason: 'EvidenceIncomplete' });
});
