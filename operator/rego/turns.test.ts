// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type Turn, type TurnLimits, Turns } from './turns.ts';

/** Work that takes as long as the test says, by a clock of its own. */
class Bench {
  now = 0;
  readonly begun: string[] = [];
  readonly turns: Turns<Turn>;
  readonly #ends = new Map<string, () => void>();

  constructor(limits: Omit<TurnLimits, 'now'>, atRestFirst = false) {
    const carryOut = async ({ name }: Turn, atRest: () => void): Promise<void> => {
      this.begun.push(name);
      if (atRestFirst) atRest();
      await new Promise<void>((resolve) => this.#ends.set(name, resolve));
    };
    this.turns = new Turns(carryOut, { ...limits, now: () => this.now });
  }

  /** `greedy/1` is the first of greedy's; `/1` is the platform's. */
  put(...names: readonly string[]): void {
    for (const name of names) this.turns.put({ owner: name.split('/')[0] ?? '', name });
  }

  async end(name: string, ms: number): Promise<void> {
    this.now += ms;
    this.#ends.get(name)?.();
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Ends what is under way, `slow` ones after long, until nothing waits. */
  async endAll(): Promise<readonly string[]> {
    for (let i = 0; i < this.begun.length; i += 1) {
      const name = this.begun[i] ?? '';
      await this.end(name, name.startsWith('slow') ? 20_000 : 100);
    }
    return this.begun;
  }
}

const ONE = { atOnce: 1, perOwner: 1 };

const ORDERS: Readonly<
  Record<string, { readonly given: readonly string[]; readonly want: readonly string[] }>
> = {
  'who has been served goes behind who has not': {
    given: ['a/1', 'a/2', 'a/3', 'b/1', 'c/1'],
    want: ['a/1', 'b/1', 'c/1', 'a/2', 'a/3'],
  },
  'the platform goes first, though all came before': {
    given: ['a/1', 'b/1', 'c/1', '/1', '/2'],
    want: ['a/1', '/1', '/2', 'b/1', 'c/1'],
  },
  'many who take long are one by one behind one who does not': {
    given: ['slow1/1', 'slow1/2', 'slow2/1', 'slow2/2', 'b/1', 'b/2', 'b/3', 'b/4'],
    want: ['slow1/1', 'slow2/1', 'b/1', 'b/2', 'b/3', 'b/4', 'slow1/2', 'slow2/2'],
  },
};

for (const [title, { given, want }] of Object.entries(ORDERS)) {
  test(title, async (t) => {
    const bench = new Bench(ONE);
    bench.put(...given);
    t.deepEqual(await bench.endAll(), want);
  });
}

test('what was taken is forgiven after a while', async (t) => {
  const bench = new Bench(ONE);
  bench.put('slow/1');
  await bench.end('slow/1', 20_000);
  bench.put('quick/1');
  await bench.end('quick/1', 1000);
  bench.put('x/1', 'slow/2', 'quick/2');
  bench.now += 3_600_000;
  await bench.end('x/1', 0);
  await bench.end('quick/2', 100);
  bench.put('y/1', 'quick/3', 'slow/3');
  await bench.end('slow/2', 10);
  t.deepEqual(bench.begun, ['slow/1', 'quick/1', 'x/1', 'quick/2', 'slow/2', 'y/1']);
  await bench.end('y/1', 1);
  t.is(bench.begun.at(-1), 'slow/3', 'an hour later its 20 s are less than 100 ms just now');
});

test('so many at once, and so many of one', (t) => {
  const bench = new Bench({ atOnce: 3, perOwner: 2 });
  bench.put('a/1', 'a/2', 'a/3', 'b/1', 'b/2');
  t.deepEqual(bench.begun, ['a/1', 'a/2', 'b/1']);
});

test('of what waits by one name the last counts, and what is dropped does not begin', async (t) => {
  const bench = new Bench(ONE);
  const [first, last] = [
    { owner: 'a', name: 'a/1' },
    { owner: 'a', name: 'a/1' },
  ];
  bench.put('x/1', 'b/1');
  bench.turns.put(first);
  bench.turns.put(last);
  bench.turns.drop(first);
  bench.turns.drop({ owner: 'b', name: 'b/1' });
  t.deepEqual(await bench.endAll(), ['x/1', 'b/1', 'a/1'], 'what is dropped is that which waits, no other');
  bench.put('x/2', 'b/2');
  bench.turns.clear();
  t.deepEqual(await bench.endAll(), ['x/1', 'b/1', 'a/1', 'x/2']);
});

test('what rests keeps its place, and takes no time of others', async (t) => {
  const bench = new Bench(ONE, true);
  bench.put('slow/1', 'b/1');
  await bench.end('slow/1', 20_000);
  bench.put('slow/2');
  await bench.end('b/1', 100);
  bench.put('c/1');
  t.deepEqual(bench.begun, ['slow/1', 'b/1', 'slow/2']);
});
