// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { PackRequest } from '../core/policy-pack/verification.ts';
import { packRequest } from './testing/verifying.ts';
import { Verifier } from './verifier.ts';
import type { Outcome } from './verify-pack.ts';

const REFUSED: Outcome = { kind: 'fault', fault: { reason: 'NoRules', message: 'none', passing: false } };
const PASSING: Outcome = {
  kind: 'fault',
  fault: { reason: 'SourceUnavailable', message: '503', passing: true },
};
const BASE = packRequest({ source: { inline: { modules: { 'a.rego': 'package a' } } } });

function request(pack: string, key = pack): PackRequest {
  const [tenant = ''] = pack.split('/');
  return { ...BASE, pack, key, place: { kind: 'tenant', tenant } };
}

/** What is verified when the test says so. */
class Jobs {
  readonly begun: string[] = [];
  readonly #ends: ((outcome: Outcome | Error) => void)[] = [];

  readonly verify = (of: PackRequest): Promise<Outcome> => {
    this.begun.push(of.key);
    return new Promise((resolve, reject) => {
      this.#ends.push((outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome)));
    });
  };

  async end(outcome: Outcome | Error = REFUSED): Promise<void> {
    this.#ends.shift()?.(outcome);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function verifierOf(jobs: Jobs, retryMs?: number, now?: () => number) {
  const told: string[] = [];
  const errors: unknown[] = [];
  const verifier = new Verifier({
    fetchSource: () => Promise.reject(new Error('nothing is fetched here')),
    verify: jobs.verify,
    onError: (error) => errors.push(error),
    ...(retryMs !== undefined && { retryMs }),
    ...(now !== undefined && { now }),
  });
  verifier.onDone((pack) => told.push(pack));
  return { verifier, told, errors };
}

test('a pack is verified once, and who asked is told', async (t) => {
  const jobs = new Jobs();
  const { verifier, told } = verifierOf(jobs);
  t.deepEqual(verifier.ask(request('a/x')), { kind: 'pending' });
  t.deepEqual(verifier.ask(request('a/x')), { kind: 'pending' });
  await jobs.end();
  t.deepEqual(told, ['a/x']);
  t.deepEqual(verifier.ask(request('a/x')), REFUSED);
  t.deepEqual(jobs.begun, ['a/x']);
});

test('one at a time, and in turn between tenants', async (t) => {
  const jobs = new Jobs();
  const { verifier } = verifierOf(jobs);
  for (const pack of ['greedy/1', 'greedy/2', 'greedy/3', 'b/1', 'c/1']) verifier.ask(request(pack));
  t.deepEqual(jobs.begun, ['greedy/1']);
  for (let i = 0; i < 5; i += 1) await jobs.end();
  t.deepEqual(jobs.begun, ['greedy/1', 'b/1', 'c/1', 'greedy/2', 'greedy/3']);
});

test('of a pack that changes while it waits, only the last is verified', async (t) => {
  const jobs = new Jobs();
  const { verifier } = verifierOf(jobs);
  verifier.ask(request('z/other'));
  for (let i = 0; i < 100; i += 1) verifier.ask(request('a/x', `a/x ${i}`));
  await jobs.end();
  await jobs.end();
  t.deepEqual(jobs.begun, ['z/other', 'a/x 99']);
});

test('what is the same is not verified for another again', async (t) => {
  const jobs = new Jobs();
  const { verifier, told } = verifierOf(jobs);
  verifier.ask(request('a/x', 'same'));
  verifier.ask(request('b/y', 'same'));
  await jobs.end();
  t.deepEqual(jobs.begun, ['same']);
  t.deepEqual(told, ['a/x', 'b/y']);
});

test('what may pass is told until it is known better, and found out again after a while', async (t) => {
  const jobs = new Jobs();
  const { verifier } = verifierOf(jobs, 0);
  verifier.ask(request('a/x'));
  await jobs.end(PASSING);
  t.deepEqual(verifier.ask(request('a/x')), PASSING);
  t.is(jobs.begun.length, 2);
  await jobs.end(REFUSED);
  t.deepEqual(verifier.ask(request('a/x')), REFUSED);
  t.is(jobs.begun.length, 2);
});

test('what fails for no fault of the pack is told in words that give nothing away, and tried again', async (t) => {
  const jobs = new Jobs();
  const { verifier, errors, told } = verifierOf(jobs);
  verifier.ask(request('a/x'));
  await jobs.end(Object.assign(new Error('ENOSPC: /tmp/secret/path'), { code: 'ENOSPC' }));
  const outcome = verifier.ask(request('a/x'));
  t.like(outcome, { kind: 'fault', fault: { reason: 'VerificationFailed', passing: true } });
  t.notRegex(JSON.stringify(outcome), /secret/);
  t.is(errors.length, 1);
  t.deepEqual(told, ['a/x']);
  verifier.ask(request('a/y'));
  await jobs.end(
    Object.assign(new Error('spawn /x/opa ENOENT'), { code: 'ENOENT', syscall: 'spawn /x/opa' }),
  );
  t.like(verifier.ask(request('a/y')), {
    kind: 'fault',
    fault: { reason: 'CompilerMissing', passing: true },
  });
});

test('stopped, it begins nothing and tells nobody', async (t) => {
  const jobs = new Jobs();
  const { verifier, told } = verifierOf(jobs);
  verifier.ask(request('a/x'));
  verifier.ask(request('b/y'));
  verifier.stop();
  await jobs.end();
  verifier.ask(request('c/z'));
  t.deepEqual(jobs.begun, ['a/x']);
  t.deepEqual(told, []);
});

const MISMATCH: Outcome = {
  kind: 'fault',
  fault: { reason: 'DigestMismatch', message: 'another file', passing: false },
};

test('a file that is another one is asked for again, later and later, and who asks is told when', async (t) => {
  const jobs = new Jobs();
  let now = 0;
  const { verifier } = verifierOf(jobs, 100, () => now);
  verifier.ask(request('a/x'));
  await jobs.end(MISMATCH);
  const againMs = () => {
    const told = verifier.ask(request('a/x'));
    return told.kind === 'fault' ? told.fault.againMs : undefined;
  };
  t.is(againMs(), 200);
  now = 150;
  t.is(againMs(), 50);
  t.like(verifier.ask(request('a/x')), {
    kind: 'fault',
    fault: { reason: 'DigestMismatch', passing: false },
  });
  t.is(jobs.begun.length, 1);
  now = 200;
  againMs();
  t.is(jobs.begun.length, 2);
  await jobs.end(MISMATCH);
  t.is(againMs(), 400, 'twice as long each time');
  now = 600;
  againMs();
  t.is(jobs.begun.length, 3);
  await jobs.end(REFUSED);
  t.is(againMs(), undefined, 'what is its own fault is not');
});

test('who is told and asks at once does not have two verified at a time; one that fails stops nobody', async (t) => {
  const jobs = new Jobs();
  const { verifier, errors } = verifierOf(jobs);
  verifier.onDone((pack) => {
    verifier.ask(request('c/x'));
    verifier.ask(request('d/x'));
    if (pack === 'a/x') throw new Error('a listener fails');
  });
  verifier.ask(request('a/x'));
  verifier.ask(request('b/x'));
  await jobs.end();
  t.deepEqual(jobs.begun, ['a/x', 'b/x']);
  t.is(errors.length, 1);
  await jobs.end();
  await jobs.end();
  await jobs.end();
  t.deepEqual(jobs.begun, ['a/x', 'b/x', 'c/x', 'd/x']);
});
