// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { Places, type PlaceLimits } from './places.ts';

const LIMITS: PlaceLimits = { perHost: 2, perOwner: 2, inAll: 4, waiting: 3 };

/** Who asks whom, by a clock of its own. `owner@host` is a wish. */
class Bench {
  now = 0;
  readonly begun: string[] = [];
  readonly turnedAway: string[] = [];
  readonly leaving = new AbortController();
  readonly #places: Places;
  readonly #inside = new Map<string, (() => void)[]>();

  constructor(limits: Partial<PlaceLimits> = {}) {
    this.#places = new Places({ ...LIMITS, ...limits, now: () => this.now });
  }

  async enter(...wishes: readonly string[]): Promise<void> {
    for (const wish of wishes) void this.#enter(wish);
    await settled();
  }

  async leave(wish: string, ms = 0): Promise<void> {
    this.now += ms;
    this.#inside.get(wish)?.shift()?.();
    await settled();
  }

  async #enter(wish: string): Promise<void> {
    const [owner = '', host = ''] = wish.split('@');
    const given = await this.#places.enter({ owner, host, signal: this.leaving.signal });
    if (given.kind !== 'given') return void this.turnedAway.push(wish);
    this.begun.push(wish);
    this.#inside.set(wish, [...(this.#inside.get(wish) ?? []), given.leave]);
  }
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test('so many to a host, so many of one owner, so many in all', async (t) => {
  const bench = new Bench();
  await bench.enter('a@x', 'b@x', 'c@x', 'a@y', 'a@z', 'd@z', 'e@v');
  t.deepEqual(bench.begun, ['a@x', 'b@x', 'a@y', 'd@z']);
  await bench.leave('b@x');
  t.deepEqual(bench.begun.slice(4), ['c@x'], 'the first that may');
  await bench.leave('a@x');
  t.deepEqual(bench.begun.slice(5), ['a@z']);
});

test('who took the least time is first, however long others wait', async (t) => {
  const bench = new Bench({ inAll: 1 });
  await bench.enter('slow@x', 'slow@y', 'slow@z', 'b@x', 'c@x');
  await bench.leave('slow@x', 4000);
  await bench.leave('b@x', 100);
  await bench.enter('b@x', 'd@x');
  await bench.leave('c@x', 50);
  t.deepEqual(bench.begun, ['slow@x', 'b@x', 'c@x', 'd@x']);
  await bench.leave('d@x', 1);
  await bench.leave('b@x', 1);
  t.deepEqual(bench.begun.slice(4), ['b@x', 'slow@y']);
});

test('whose hosts are slow do not get the last places', async (t) => {
  const bench = new Bench();
  await bench.enter('slow1@a', 'slow2@b', 'slow3@c', 'slow4@d');
  for (const wish of bench.begun) await bench.leave(wish, 6000);
  await bench.enter('slow1@a', 'slow2@b', 'slow3@c', 'slow4@d');
  t.deepEqual(bench.begun.slice(4), ['slow1@a', 'slow2@b', 'slow3@c'], 'three of four');
  await bench.enter('quick@e');
  t.is(bench.begun.at(-1), 'quick@e');
  await bench.leave('quick@e', 10);
  t.is(bench.begun.at(-1), 'quick@e', 'the last place stays free');
  bench.now += 3_600_000;
  await bench.leave('slow1@a');
  t.is(bench.begun.filter((wish) => wish === 'slow4@d').length, 2);
});

test('what waits has a bound for each owner and host, and who leaves waits no more', async (t) => {
  const bench = new Bench({ inAll: 1, waiting: 2 });
  await bench.enter('a@x', 'a@x', 'a@x', 'a@x', 'a@y', 'b@x');
  t.deepEqual(bench.turnedAway, ['a@x']);
  bench.leaving.abort();
  await settled();
  t.is(bench.turnedAway.length, 5);
  await bench.leave('a@x');
  t.deepEqual(bench.begun, ['a@x']);
});

test('whose time was over beforehand is told so at once, and holds nobody up', async (t) => {
  const places = new Places({ ...LIMITS, inAll: 1 });
  const held = await places.enter({ owner: 'a', host: 'x', signal: new AbortController().signal });
  let late: unknown = 'waits';
  void places.enter({ owner: 'b', host: 'x', signal: AbortSignal.abort() }).then((given) => (late = given));
  await settled();
  t.like(late, { kind: 'unreachable' });
  if (held.kind === 'given') held.leave();
  const next = await places.enter({ owner: 'c', host: 'x', signal: new AbortController().signal });
  t.is(next.kind, 'given', 'nobody who is gone was given the place');
});
