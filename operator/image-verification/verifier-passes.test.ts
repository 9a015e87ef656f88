// SPDX-License-Identifier: Apache-2.0
import { setImmediate as nextTurn } from 'node:timers/promises';
import test from 'ava';
import type { ImageQuestion } from '../core/images/verification.ts';
import { ImageVerification } from './verifier.ts';
import { allUnknown } from './verify.ts';

const PROBLEM = { kind: 'unknown', reason: 'RegistryUnreachable', message: 'not there' } as const;
/** As long as one that waits is not looked at by the clock more often than that (controllers/image-verdict.ts). */
const LEAST_MS = 1000;

function question(verdict: string): ImageQuestion {
  const inputs = { spec: {} as never, roots: {}, keys: {}, waivers: [] };
  return {
    key: verdict,
    verdict,
    namespace: 'a',
    tenant: verdict,
    image: 'registry.example/app:1',
    pullSecrets: [],
    policies: [{ uid: 'u', digest: 'd', inputs }],
    freshMs: 600_000,
  };
}

type Look = (question: ImageQuestion, startedAt: Date) => ReturnType<typeof allUnknown>;

/** Verdicts that a controller goes through when it is told, and when their time has come, while each look takes a second of its own. */
class Rig {
  readonly #verifier: ImageVerification;
  readonly #wakes = new Map<string, number>();
  readonly #ends: (() => void)[] = [];
  #nowMs = Date.parse('2026-11-01T00:00:00.000Z');
  passes = 0;
  looks = 0;

  constructor(look: Look, lookMs = 1000) {
    this.#verifier = new ImageVerification({
      verify: async (one) => {
        this.looks += 1;
        const [startedAt, endsAt] = [new Date(this.#nowMs), this.#nowMs + lookMs];
        while (this.#nowMs < endsAt) await new Promise<void>((resolve) => this.#ends.push(resolve));
        return look(one, startedAt);
      },
      now: () => new Date(this.#nowMs),
      atOnce: 1,
    });
    this.#verifier.onDone((verdict) => this.pass(verdict));
  }

  pass(verdict: string): void {
    this.passes += 1;
    this.#wakes.delete(verdict);
    const answer = this.#verifier.ask(question(verdict));
    if (answer.againMs === undefined) return;
    this.#wakes.set(verdict, this.#nowMs + Math.max(answer.againMs, LEAST_MS));
  }

  async runFor(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second += 1) {
      // What follows from the end of a look, and the begin of the next, is a few turns of the loop, and nothing of the clock.
      for (let turn = 0; turn < 5; turn += 1) await nextTurn();
      this.#nowMs += 1000;
      // What is passed is put at the end, for a later time.
      for (const [verdict, at] of this.#wakes) if (at <= this.#nowMs) this.pass(verdict);
      for (const end of this.#ends.splice(0)) end();
    }
  }
}

test('while nobody can judge, a verdict is gone through as it is looked at, and not by the clock', async (t) => {
  const rig = new Rig(() => {
    throw new Error('the process that judges could not be started');
  });
  for (let index = 0; index < 160; index += 1) rig.pass(`a/${index}`);
  await rig.runFor(1500);
  t.log(`${rig.passes} passes, ${rig.looks} looks`);
  t.true(rig.looks > 3 * 160, 'it is tried again and again');
  // At first; then once when it is told, and once when its time has come.
  t.true(rig.passes <= 160 + 2 * rig.looks, `${rig.passes} passes`);
});

test('what takes long and cannot be told waits from its end on', async (t) => {
  const begun: number[] = [];
  const look: Look = (one, startedAt) => {
    begun.push(startedAt.getTime() / 1000);
    return allUnknown(one, PROBLEM, startedAt);
  };
  const rig = new Rig(look, 30_000);
  rig.pass('a/app');
  await rig.runFor(150);
  const gaps = begun.slice(1).map((second, index) => second - (begun[index] ?? 0));
  t.deepEqual(gaps.slice(0, 3), [32, 34, 38]);
});
