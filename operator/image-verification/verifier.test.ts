// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { eventually } from '#hack/tools/eventually';
import type { ImageFindings, ImageQuestion } from '../core/images/verification.ts';
import type { Outcome } from '../core/supply-chain/verdict.ts';
import { JudgingEnded } from './judge.ts';
import { ImageVerification } from './verifier.ts';
import { allUnknown } from './verify.ts';

const NOW = new Date('2026-11-01T00:00:00.000Z');

function question(fields: Partial<ImageQuestion> = {}): ImageQuestion {
  const inputs = { spec: {} as never, roots: {}, keys: {}, waivers: [] };
  return {
    key: 'k',
    verdict: 'a/app',
    namespace: 'a',
    tenant: 'a',
    image: 'registry.example/app:1',
    pullSecrets: [],
    policies: [{ uid: 'u', digest: 'd', inputs }],
    freshMs: 60_000,
    ...fields,
  };
}

const PROBLEM = { kind: 'unknown', reason: 'RegistryThrottled', message: 'later' } as const;

function known(checkedAt: Date): ImageFindings {
  return { digest: 'sha256:1', verdicts: new Map(), checkedAt };
}

/** A verifier whose registry answers when the test says so. */
class Bench {
  readonly begun: ImageQuestion[] = [];
  readonly told: string[] = [];
  readonly errors: unknown[] = [];
  now = NOW;
  readonly #answers: ((findings: ImageFindings) => void)[] = [];
  readonly verifier: ImageVerification;

  constructor(atOnce = 4, verify?: (question: ImageQuestion) => Promise<ImageFindings>) {
    this.verifier = new ImageVerification({
      verify: async (one) => {
        this.begun.push(one);
        return verify?.(one) ?? new Promise((resolve) => this.#answers.push(resolve));
      },
      onError: (error) => this.errors.push(error),
      now: () => this.now,
      atOnce,
    });
    this.verifier.onDone((verdict) => this.told.push(verdict));
  }

  async answer(findings: ImageFindings): Promise<void> {
    const before = this.told.length;
    const answer = await eventually('somebody waits', () => this.#answers.shift());
    answer(findings);
    await eventually('it is told', () => this.told.length > before || this.#answers.length > 0);
  }
}

test('an image is looked at once, however often it is asked about', async (t) => {
  const bench = new Bench();
  t.deepEqual(bench.verifier.ask(question()), { kind: 'pending' });
  t.deepEqual(bench.verifier.ask(question()), { kind: 'pending' });
  await bench.answer(known(NOW));
  t.is(bench.begun.length, 1);
  t.deepEqual(bench.told, ['a/app']);
  t.like(bench.verifier.ask(question()), { kind: 'known', againMs: 60_000 });
  t.is(bench.begun.length, 1, 'and what is fresh is not asked again');
});

test('what is not fresh any more goes on being told while it is looked at anew', async (t) => {
  const bench = new Bench();
  bench.verifier.ask(question());
  await bench.answer(known(NOW));
  bench.now = new Date(NOW.getTime() + 60_000);
  t.like(
    bench.verifier.ask(question()),
    { kind: 'known', againMs: undefined },
    'who asks is told of the end',
  );
  t.is(bench.begun.length, 2);
});

test('the answer to something else is none: who asks otherwise meanwhile has it done anew', async (t) => {
  const bench = new Bench();
  bench.verifier.ask(question());
  t.deepEqual(bench.verifier.ask(question({ key: 'other' })), { kind: 'pending' });
  await bench.answer(known(NOW));
  await bench.answer(known(NOW));
  t.deepEqual(
    bench.begun.map(({ key }) => key),
    ['k', 'other'],
  );
  t.is(bench.verifier.ask(question({ key: 'other' })).kind, 'known');
});

test('what could not be told is asked later and later, and not before the registry said', async (t) => {
  const bench = new Bench();
  const waits: number[] = [];
  for (const retryAfterMs of [0, 0, 0, 90_000]) {
    bench.verifier.ask(question());
    await bench.answer(allUnknown(question(), { ...PROBLEM, retryAfterMs }, bench.now));
    const answer = bench.verifier.ask(question());
    const { againMs = Number.NaN } = answer.kind === 'known' ? answer : {};
    waits.push(againMs);
    bench.now = new Date(bench.now.getTime() + againMs);
  }
  t.deepEqual(waits, [2000, 4000, 8000, 90_000]);
});

test('who finds no place in the line of its tenant comes again by the clock, and the others when they are told', async (t) => {
  const bench = new Bench(1);
  for (const verdict of ['a/early', 'a/late']) {
    bench.verifier.ask(question({ verdict }));
    await bench.answer(allUnknown(question(), PROBLEM, bench.now));
  }
  bench.now = new Date(NOW.getTime() + 2000);
  for (let index = 0; index < 999; index += 1) bench.verifier.ask(question({ verdict: `a/${index}` }));
  await eventually('one is under way', () => bench.begun.length === 3);
  bench.verifier.ask(question({ verdict: 'a/999' }));
  t.like(bench.verifier.ask(question({ verdict: 'a/early' })), { kind: 'known', againMs: undefined });
  t.like(bench.verifier.ask(question({ verdict: 'a/late' })), { kind: 'known', againMs: 60_000 });
  t.deepEqual(bench.verifier.ask(question({ verdict: 'a/new' })), { kind: 'pending', againMs: 60_000 });
  t.deepEqual(bench.verifier.ask(question({ verdict: 'a/urgent', isUrgent: true })), { kind: 'pending' });
});

test('what fails for no fault of an image is not known, and is told of', async (t) => {
  const bench = new Bench(4, () => Promise.reject(new Error('no API server')));
  bench.verifier.ask(question());
  await eventually('it is told', () => bench.told.length === 1);
  const answer = bench.verifier.ask(question());
  t.is(answer.kind === 'known' ? answer.findings.verdicts.get('u')?.outcome : answer.kind, 'Unknown');
  t.is(bench.errors.length, 1);
});

test('judging that had to be ended is not what a registry did not answer', async (t) => {
  const bench = new Bench(4, () => Promise.reject(new JudgingEnded('more than 512 MiB')));
  bench.verifier.ask(question());
  await eventually('it is told', () => bench.told.length === 1);
  const answer = bench.verifier.ask(question());
  t.like(answer.kind === 'known' ? answer.findings.verdicts.get('u') : answer, {
    outcome: 'Unknown',
    reason: 'JudgingEnded',
  });
  t.is(bench.errors.length, 1);
});

test('what fails after nobody asks any more is not remembered', async (t) => {
  const begun = Promise.withResolvers<ImageFindings>();
  const bench = new Bench(1, () => begun.promise);
  bench.verifier.ask(question());
  await eventually('it is begun', () => bench.begun.length === 1);
  bench.verifier.forget('a/app');
  begun.reject(new Error('no API server'));
  await eventually('it has failed', () => bench.errors.length === 1);
  t.deepEqual(bench.verifier.ask(question()), { kind: 'pending' });
});

test('a tenant with many images does not hold up another', async (t) => {
  const bench = new Bench(1);
  for (let index = 0; index < 20; index += 1) bench.verifier.ask(question({ verdict: `a/${index}` }));
  bench.verifier.ask(question({ verdict: 'b/app', tenant: 'b', namespace: 'b' }));
  for (let index = 0; index < 3; index += 1) await bench.answer(known(NOW));
  t.true(bench.begun.slice(0, 3).some(({ tenant }) => tenant === 'b'));
});

for (const { name, again } of [
  { name: 'asked about last', again: false },
  { name: 'that was waiting to be looked at again', again: true },
]) {
  test(`an image of which nothing counts goes before those that are looked at again: ${name}`, async (t) => {
    const bench = new Bench(1);
    for (let index = 0; index < 5; index += 1) bench.verifier.ask(question({ verdict: `a/${index}` }));
    if (again) bench.verifier.ask(question({ verdict: 'a/new' }));
    bench.verifier.ask(question({ verdict: 'a/new', isUrgent: true }));
    bench.verifier.ask(question({ verdict: 'a/next', isUrgent: true }));
    for (let index = 0; index < 4; index += 1) await bench.answer(known(NOW));
    t.deepEqual(
      bench.begun.slice(0, 4).map(({ verdict }) => verdict),
      ['a/0', 'a/new', 'a/next', 'a/1'],
    );
  });
}

test('what nobody asks about any more is not begun, and not remembered', async (t) => {
  const bench = new Bench(1);
  bench.verifier.ask(question({ verdict: 'a/1' }));
  bench.verifier.ask(question({ verdict: 'a/2' }));
  bench.verifier.forget('a/2');
  bench.verifier.forget('a/1');
  await bench.answer(known(NOW));
  t.deepEqual(bench.verifier.ask(question({ verdict: 'a/1' })), { kind: 'pending' });
  t.false(bench.begun.some(({ verdict }) => verdict === 'a/2'));
});

function heldUntil(checkedAt: Date, ...ends: readonly (number | undefined)[]): ImageFindings {
  const { verdicts } = allUnknown(
    question({ policies: ends.map((_, index) => ({ ...question().policies[0]!, uid: `u${index}` })) }),
    PROBLEM,
    checkedAt,
  );
  const held = [...verdicts].map(([uid, one], index) => {
    const end = ends[index];
    const validUntil = end === undefined ? undefined : new Date(NOW.getTime() + end).toISOString();
    return [
      uid,
      { ...one, outcome: 'Verified' as const, ...(validUntil !== undefined && { validUntil }) },
    ] as const;
  });
  return { digest: 'sha256:1', verdicts: new Map(held), checkedAt };
}

for (const { name, ends, freshMs } of [
  { name: 'none of it is over by then', ends: [undefined, 90_000], freshMs: 60_000 },
  { name: 'a waiver runs out before', ends: [undefined, 90_000, 5000], freshMs: 5000 },
  {
    name: 'one was over when it was looked at, which is asked about as any other',
    ends: [0, -5],
    freshMs: 60_000,
  },
]) {
  test(`what was found is believed for ${freshMs} ms where ${name}`, async (t) => {
    const bench = new Bench();
    bench.verifier.ask(question());
    await bench.answer(heldUntil(NOW, ...ends));
    t.like(bench.verifier.ask(question()), { kind: 'known', againMs: freshMs });
    bench.now = new Date(NOW.getTime() + freshMs - 1);
    t.like(bench.verifier.ask(question()), { kind: 'known', againMs: 1 });
    t.is(bench.begun.length, 1);
    bench.now = new Date(NOW.getTime() + freshMs);
    bench.verifier.ask(question());
    await eventually('it is looked at anew', () => bench.begun.length === 2);
    await bench.answer(known(bench.now));
    await bench.verifier.close();
  });
}

function told(checkedAt: Date, ...outcomes: readonly Outcome[]): ImageFindings {
  const held = [...heldUntil(checkedAt, ...outcomes.map(() => undefined)).verdicts];
  const verdicts = held.map(
    ([uid, one], index) => [uid, { ...one, outcome: outcomes[index] ?? 'Refused' }] as const,
  );
  return { digest: 'sha256:1', verdicts: new Map(verdicts), checkedAt };
}

test('what is refused is looked at again soon, then later and later, and no later than anything else', async (t) => {
  const bench = new Bench();
  const asked = question({ freshMs: 600_000 });
  const looks: readonly (readonly [readonly Outcome[], number])[] = [
    [['Refused'], 30_000],
    [['Verified', 'Refused'], 60_000],
    [['Refused'], 120_000],
    // Nothing new is known of it.
    [['Refused', 'Unknown'], 2000],
    [['Refused'], 240_000],
    [['Refused'], 480_000],
    [['Refused'], 600_000],
    [['Refused'], 600_000],
    [['Verified', 'Verified'], 600_000],
    [['Refused'], 30_000],
  ];
  for (const [index, [outcomes, againMs]] of looks.entries()) {
    bench.verifier.ask(asked);
    await eventually('it is looked at', () => bench.begun.length === index + 1);
    await bench.answer(told(bench.now, ...outcomes));
    t.like(bench.verifier.ask(asked), { kind: 'known', againMs }, `look ${index}`);
    bench.now = new Date(bench.now.getTime() + againMs - 1);
    t.like(bench.verifier.ask(asked), { kind: 'known', againMs: 1 });
    t.is(bench.begun.length, index + 1, 'not before');
    bench.now = new Date(bench.now.getTime() + 1);
  }
  const other = question({ freshMs: 600_000, key: 'other' });
  bench.verifier.ask(other);
  await eventually('it is looked at', () => bench.begun.length === looks.length + 1);
  await bench.answer(told(bench.now, 'Refused'));
  t.like(
    bench.verifier.ask(other),
    { kind: 'known', againMs: 30_000 },
    'of what is asked otherwise nothing is known',
  );
  await bench.verifier.close();
});

test('what was refused again since it was looked at is looked at soon, and once', async (t) => {
  const bench = new Bench();
  const at = (ms: number) => new Date(NOW.getTime() + ms);
  const tried = (ms: number) => question({ freshMs: 600_000, triedAt: at(ms) });
  bench.verifier.ask(tried(-1));
  await bench.answer(told(NOW, 'Refused'));
  t.like(bench.verifier.ask(tried(-1)), { kind: 'known', againMs: 30_000 }, 'that is told by the look since');
  bench.now = at(5000);
  t.like(bench.verifier.ask(tried(4000)), { kind: 'known', againMs: 10_000 });
  bench.now = at(15_000);
  bench.verifier.ask(tried(4000));
  await eventually('it is looked at anew', () => bench.begun.length === 2);
  await bench.answer(told(at(15_000), 'Refused'));
  t.like(bench.verifier.ask(tried(4000)), { kind: 'known', againMs: 60_000 });
  bench.now = at(20_000);
  bench.verifier.ask(question({ freshMs: 600_000, triedAt: at(20_000), key: 'other' }));
  await bench.answer(told(at(20_000), 'Verified'));
  const other = question({ freshMs: 600_000, triedAt: at(21_000), key: 'other' });
  t.like(
    bench.verifier.ask(other),
    { kind: 'known', againMs: 600_000 },
    'what is verified was refused by nobody',
  );
  await bench.verifier.close();
});
