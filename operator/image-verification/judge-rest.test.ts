// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import test from 'ava';
import { eventually } from '#hack/tools/eventually';
import type { Evidence } from '../supply-chain/evidence.ts';
import { JUDGE_LIMITS, JUDGE_URL, type JudgeOrder, JudgeProcess } from './judge.ts';
import { inputsBy } from './testing/policy-inputs.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const LONG_MS = 3_600_000;
/** Longer than any of these tests may take. */
const DEADLINE_MS = 50_000;

/** An image with an attestation of so many things, which nobody has signed. */
function order(things: number): JudgeOrder {
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    predicateType: 'x',
    predicate: Array.from({ length: things }, (_, number) => ({ number, name: `thing ${number}` })),
  };
  const payload = Buffer.from(JSON.stringify(statement)).toString('base64');
  const envelope = { payloadType: 'application/vnd.in-toto+json', payload, signatures: [{ sig: 'AAAA' }] };
  const bytes = Buffer.from(JSON.stringify(envelope));
  const evidence: readonly Evidence[] = [{ form: 'attestation', origin: DIGEST, bytes, annotations: {} }];
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  return {
    digest: DIGEST,
    gathered: new Map([[DIGEST, { subject: Buffer.from('{"schemaVersion":2}'), evidence }]]),
    policies: [inputsBy(pem)],
    now: new Date('2026-11-01T00:00:00.000Z'),
  };
}

async function residentKibibytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
}

test('a process that has nothing to do gives back what images took, and judges the next one', async (t) => {
  t.timeout(120_000);
  const judge = new JudgeProcess(JUDGE_LIMITS, JUDGE_URL, { idleMs: 300, lifeMs: LONG_MS });
  t.teardown(() => judge.close());
  let before = 0;
  for (let image = 0; image < 6; image += 1) {
    await judge.judge(order(50_000));
    // It may rest at any time after that.
    before = Math.max(before, await residentKibibytes(judge.pid ?? 0));
  }
  const { pid = 0 } = judge;
  const hasRested = async (): Promise<boolean> => (await residentKibibytes(pid)) < 0.8 * before;
  await eventually('it has given back a fifth of its memory', hasRested, DEADLINE_MS);
  t.is((await judge.judge(order(1))).verdicts[0]?.outcome, 'Refused');
  t.is(judge.pid, pid, 'it is the same process');
});

test('a process that has judged for long makes room for another, whoever waits already', async (t) => {
  t.timeout(120_000);
  const judge = new JudgeProcess(JUDGE_LIMITS, JUDGE_URL, { idleMs: LONG_MS, lifeMs: 20 });
  t.teardown(() => judge.close());
  for (const _ of [1, 2]) {
    const judged = await judge.judge(order(1));
    t.is(judged.verdicts[0]?.outcome, 'Refused');
    t.is(judge.pid, undefined);
  }
});

test('a process that rests is gone when its time is over', async (t) => {
  t.timeout(120_000);
  const judge = new JudgeProcess(JUDGE_LIMITS, JUDGE_URL, { idleMs: 10, lifeMs: 4000 });
  t.teardown(() => judge.close());
  const { verdicts } = await judge.judge(order(1));
  t.is(verdicts.length, 1);
  await eventually('it is gone', () => judge.pid === undefined, DEADLINE_MS);
});
