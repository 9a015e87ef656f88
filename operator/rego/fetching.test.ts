// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import test from 'ava';
import type { PackPlace } from '../core/policy-pack/pack.ts';
import type { PackRequest } from '../core/policy-pack/verification.ts';
import { packRequest } from './testing/verifying.ts';
import { Verifier } from './verifier.ts';
import type { Fetched, Outcome } from './verify-pack.ts';

const FAULT: Outcome = { kind: 'fault', fault: { reason: 'NoRules', message: 'none', passing: false } };
const FILE = Buffer.from('a bundle');
const DIGEST = `sha256:${createHash('sha256').update(FILE).digest('hex')}`;
const BASE = packRequest({ source: { inline: { modules: { 'a.rego': 'package a' } } } });

/** A pack of a tenant, or of the platform, that is fetched from `url`; without, it is in the manifest. */
function request(pack: string, url?: string, version = ''): PackRequest {
  const [tenant = ''] = pack.split('/');
  const place: PackPlace = tenant === 'platform' ? { kind: 'platform' } : { kind: 'tenant', tenant };
  const key = `${pack} ${version}`;
  if (url === undefined) return { ...BASE, pack, key, place };
  return { ...BASE, pack, key, place, content: { kind: 'bundle', url, digest: DIGEST } };
}

/** Fetches that end when the test says so, and verifications that do as well. */
class Stage {
  readonly fetching = new Map<string, (fetched: Fetched) => void>();
  readonly verifying = new Map<string, () => void>();
  readonly begun: string[] = [];
  readonly ended: string[] = [];
  readonly told: string[] = [];
  readonly verified: string[] = [];
  readonly verifier: Verifier;

  constructor() {
    this.verifier = new Verifier({
      fetchSource: ({ key }, signal) => {
        this.begun.push(key);
        signal.addEventListener('abort', () => this.ended.push(key));
        return new Promise((resolve) => this.fetching.set(key, resolve));
      },
      verify: ({ key }, source) => {
        this.verified.push(`${key}${Buffer.from(source ?? []).toString()}`);
        return new Promise((resolve) => this.verifying.set(key, () => resolve(FAULT)));
      },
    });
    this.verifier.onDone((pack) => this.told.push(pack));
  }

  async come(pack: string, text = ' of it'): Promise<void> {
    this.fetching.get(`${pack} `)?.({ kind: 'ok', bytes: Buffer.from(text) });
    await settled();
  }

  async end(pack: string): Promise<void> {
    this.verifying.get(`${pack} `)?.();
    await settled();
  }
}

async function settled(): Promise<void> {
  for (let i = 0; i < 3; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

const URL = 'https://packs.example/a.tar.gz';

test('what is verified is what was fetched, and what has nothing to fetch does not wait for it', async (t) => {
  const stage = new Stage();
  stage.verifier.ask(request('a/1', URL));
  stage.verifier.ask(request('b/1'));
  await stage.end('b/1');
  t.deepEqual(stage.told, ['b/1']);
  await stage.come('a/1');
  await stage.end('a/1');
  t.deepEqual(stage.verified, ['b/1 ', 'a/1  of it']);
  t.deepEqual(stage.told, ['b/1', 'a/1']);
});

test('tenants fetch one at a time each, sixteen together; the platform has places of its own', (t) => {
  const stage = new Stage();
  for (let i = 0; i < 30; i += 1)
    for (const pack of [1, 2]) stage.verifier.ask(request(`t${i}/${pack}`, URL));
  t.deepEqual(
    stage.begun,
    Array.from({ length: 16 }, (_, i) => `t${i}/1 `),
  );
  for (let i = 0; i < 10; i += 1) stage.verifier.ask(request(`platform/${i}`, URL));
  t.deepEqual(
    stage.begun.slice(16),
    Array.from({ length: 4 }, (_, i) => `platform/${i} `),
  );
});

test('what is here and waits takes a place: no more is fetched than may lie about', async (t) => {
  const stage = new Stage();
  for (let i = 0; i < 40; i += 1) stage.verifier.ask(request(`t${i}/1`, URL));
  for (let i = 0; i < 40; i += 1) await stage.come(`t${i}/1`);
  // One is being verified, sixteen wait.
  t.is(stage.begun.length, 17);
  await stage.end('t0/1');
  t.is(stage.begun.length, 18);
});

test('of a pack that changes while it is fetched, only the last is, and what was begun is told to end', async (t) => {
  const stage = new Stage();
  for (let i = 0; i < 100; i += 1) stage.verifier.ask(request('a/1', URL, `${i}`));
  t.deepEqual(stage.ended, ['a/1 0'], 'what nobody wants any more is told to end');
  t.deepEqual(stage.begun, ['a/1 0'], 'a place is taken until it has');
  stage.fetching.get('a/1 0')?.({ kind: 'ok', bytes: Buffer.from('old') });
  await settled();
  t.deepEqual(stage.begun, ['a/1 0', 'a/1 99']);
  stage.fetching.get('a/1 99')?.({ kind: 'ok', bytes: Buffer.from(' new') });
  await settled();
  t.deepEqual(stage.verified, ['a/1 99 new']);
});

test('what was fetched and waits is dropped when its pack changes', async (t) => {
  const stage = new Stage();
  stage.verifier.ask(request('b/1'));
  stage.verifier.ask(request('a/1', URL));
  await stage.come('a/1');
  stage.verifier.ask(request('a/1', undefined, 'inline'));
  await stage.end('b/1');
  t.deepEqual(stage.verified, ['b/1 ', 'a/1 inline']);
});

test('what cannot be fetched is told without waiting for what is verified', async (t) => {
  const stage = new Stage();
  stage.verifier.ask(request('b/1'));
  stage.verifier.ask(request('a/1', URL));
  stage.fetching.get('a/1 ')?.({
    kind: 'fault',
    fault: { reason: 'SourceRefused', message: 'private', passing: false },
  });
  await settled();
  t.deepEqual(stage.told, ['a/1']);
  t.like(stage.verifier.ask(request('a/1', URL)), { kind: 'fault', fault: { reason: 'SourceRefused' } });
});

test('stopped, what is being fetched ends', async (t) => {
  const stage = new Stage();
  stage.verifier.ask(request('a/1', URL));
  stage.verifier.ask(request('a/2', URL));
  stage.verifier.stop();
  t.deepEqual(stage.ended, ['a/1 ']);
  await stage.come('a/1');
  t.deepEqual([stage.begun, stage.verified, stage.told], [['a/1 '], [], []]);
});
