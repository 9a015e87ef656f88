// SPDX-License-Identifier: Apache-2.0
import { setImmediate as nextTurn } from 'node:timers/promises';
import test from 'ava';
import { eventually } from '#hack/tools/eventually';
import { IN_A_TURN } from '../runtime/spread-over-turns.ts';
import { ImageLines, type LineLimits, type Waiting } from './image-lines.ts';

interface Image extends Waiting {
  readonly name: string;
  readonly takesMs: number;
}

/** Lines by a clock of the test's: images take the time that they are said to, and no other. */
class Played {
  readonly begun: string[] = [];
  readonly ended = new Map<string, number>();
  readonly #running = new Map<Image, { readonly endsAt: number; readonly end: () => void }>();
  readonly lines: ImageLines<Image>;
  nowMs = 0;

  constructor(limits: Partial<LineLimits> = {}) {
    this.lines = new ImageLines<Image>((image) => this.#carryOut(image), {
      atOnce: 16,
      perTenant: 4,
      waitingPerTenant: 1000,
      now: () => this.nowMs,
      // Turns of the loop are no part of what is played.
      nextTurn: (what) => what(),
      ...limits,
    });
  }

  add(tenant: string, count: number, { takesMs = 100, isUrgent = false } = {}): readonly Image[] {
    const images = Array.from({ length: count }, (_, number) => {
      return { tenant, isUrgent, takesMs, name: `${tenant}/${number}` };
    });
    for (const image of images) this.lines.add(image);
    return images;
  }

  get running(): readonly Image[] {
    return [...this.#running.keys()];
  }

  /** Lets time pass until the next one ends; false where none is under way. */
  async step(): Promise<boolean> {
    const [next] = [...this.#running].toSorted(([, a], [, b]) => a.endsAt - b.endsAt);
    if (next === undefined) return false;
    const [image, { endsAt, end }] = next;
    this.nowMs = endsAt;
    this.#running.delete(image);
    this.ended.set(image.name, endsAt);
    end();
    // What follows from that is done in turns of the loop that nobody else is asked in.
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    return true;
  }

  async all(): Promise<void> {
    while (await this.step());
  }

  #carryOut(image: Image): Promise<void> {
    this.begun.push(image.name);
    return new Promise((end) => {
      this.#running.set(image, { endsAt: this.nowMs + image.takesMs, end });
    });
  }
}

test('so many at a time, and so many of one tenant', async (t) => {
  const played = new Played({ atOnce: 6 });
  played.add('a', 10);
  t.is(played.running.length, 4);
  played.add('b', 10);
  t.is(played.running.length, 6);
  await played.all();
  t.is(played.begun.length, 20);
});

test('a thousand images of one tenant do not hold up the few of another', async (t) => {
  const played = new Played();
  for (const tenant of ['a', 'b', 'c', 'd']) played.add(tenant, 1000);
  for (let count = 0; count < 400; count += 1) await played.step();
  const cameAt = played.nowMs;
  played.add('light', 3);
  while (played.ended.get('light/2') === undefined) await played.step();
  t.true(played.nowMs - cameAt <= 200, `${played.nowMs - cameAt} ms: what is under way, and its own`);
});

test('tenants whose registries hold their answers wait for themselves, however many there are', async (t) => {
  const played = new Played();
  const slow = Array.from({ length: 50 }, (_, number) => `slow-${number}`);
  for (const tenant of slow) played.add(tenant, 50, { takesMs: 60_000 });
  // Until it is known of all that take places how long they take.
  while (played.nowMs < 600_000) await played.step();
  t.true(played.running.length <= 12, 'the last places are for others');
  const cameAt = played.nowMs;
  played.add('quick', 40);
  while (played.ended.get('quick/39') === undefined) await played.step();
  t.true(
    played.nowMs - cameAt <= 1000,
    `${played.nowMs - cameAt} ms for 40 images of 100 ms, four at a time`,
  );
});

test('what is urgent goes before what else of its tenant waits, and before nobody else', async (t) => {
  const played = new Played({ atOnce: 1 });
  played.add('a', 3);
  played.add('b', 2);
  played.lines.add({ tenant: 'a', name: 'a/new', isUrgent: true, takesMs: 100 });
  await played.all();
  t.deepEqual(played.begun, ['a/0', 'b/0', 'a/new', 'b/1', 'a/1', 'a/2']);
});

test('what is dropped is not begun', async (t) => {
  const played = new Played({ atOnce: 1 });
  const [, second] = played.add('a', 3);
  if (second !== undefined) played.lines.drop(second);
  await played.all();
  t.deepEqual(played.begun, ['a/0', 'a/2']);
});

test('who finds no room is told when there is some', async (t) => {
  const played = new Played({ atOnce: 1, waitingPerTenant: 2 });
  played.add('a', 3);
  const told: string[] = [];
  const image = { tenant: 'a', name: 'a/late', isUrgent: false, takesMs: 100 };
  t.false(played.lines.add(image, { key: 'late', onRoom: (key) => told.push(key) }));
  t.true(played.lines.add({ ...image, tenant: 'b', name: 'b/0' }), 'others have room of their own');
  t.false(played.lines.add({ ...image, name: 'a/later' }, { key: 'later', onRoom: (key) => told.push(key) }));
  await played.step();
  await played.step();
  t.deepEqual(played.begun, ['a/0', 'b/0', 'a/1']);
  await eventually('the first is told while others still wait', () => told.length > 0);
  t.deepEqual(told, ['late']);
  t.true(played.lines.add(image), 'there is a place for it');
  t.false(played.lines.add({ ...image, name: 'a/last' }));
  await played.all();
  await eventually('the other one is told', () => told.length > 1);
  t.deepEqual(told, ['late', 'later']);
});

test('what is urgent has places of its own', (t) => {
  const played = new Played({ atOnce: 1, waitingPerTenant: 2 });
  played.add('a', 3);
  const image = { tenant: 'a', name: 'a/new', isUrgent: true, takesMs: 100 };
  t.true(played.lines.add(image));
  t.true(played.lines.add({ ...image, name: 'a/newer' }));
  t.false(played.lines.add({ ...image, name: 'a/newest' }), 'as many again');
});

test('who closes it waits for what is under way, and begins nothing', async (t) => {
  const played = new Played({ atOnce: 1 });
  played.add('a', 3);
  const closed = played.lines.close();
  await played.all();
  await closed;
  t.deepEqual(played.begun, ['a/0']);
});

/** What is done in each turn of the loop, until nothing is. */
async function byTurns(count: () => number): Promise<readonly number[]> {
  const counts: number[] = [];
  for (let before = 0, idle = 0; idle < 3; ) {
    await nextTurn();
    const now = count();
    if (now > before) counts.push(now - before);
    idle = now > before ? 0 : idle + 1;
    before = now;
  }
  return counts;
}

test('images are begun one in a turn of the loop, however many places there are', async (t) => {
  let begun = 0;
  const carryOut = () => {
    begun += 1;
    return new Promise<void>(() => undefined);
  };
  const lines = new ImageLines<Waiting>(carryOut, { atOnce: 16, perTenant: 4, waitingPerTenant: 1000 });
  for (const tenant of ['a', 'b', 'c', 'd']) {
    for (let count = 0; count < 10; count += 1) lines.add({ tenant, isUrgent: false });
  }
  t.is(begun, 1);
  const counts = await byTurns(() => begun - 1);
  t.is(begun, 16);
  t.true(Math.max(...counts) <= 2, `turns that came together: ${counts.join()}`);
});

test('of thousands that found no room, some are told in a turn of the loop', async (t) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const lines = new ImageLines<Waiting>(() => promise, { atOnce: 1, perTenant: 1, waitingPerTenant: 1 });
  const told = new Set<string>();
  const image = { tenant: 'a', isUrgent: false };
  lines.add(image);
  lines.add(image);
  for (let count = 0; count < 1000; count += 1) {
    lines.add(image, { key: `late-${count}`, onRoom: (key) => told.add(key) });
  }
  resolve();
  const counts = await byTurns(() => told.size);
  t.is(told.size, 1000);
  t.true(Math.max(...counts) <= 2 * IN_A_TURN, counts.join());
});
