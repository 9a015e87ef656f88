// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '#hack/tools/eventually';
import { AGENTS, IMAGE_VERDICTS, NAMESPACES, SECRETS } from '#operator/core/resources';
import type { HeldWatch } from '#operator/runtime/cache';
import { createLog } from '#operator/telemetry/log';
import { KeptFile } from './kept-file.ts';
import { Keeping, type KeepingTiming } from './keeping.ts';
import type { Manifest } from './manifest.ts';
import { uptimeOfMachine } from './uptime.ts';

const CLUSTER = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system', uid: 'uid-1' } };
const FAST = { lookMs: 5, gapMs: 5, renewMs: 1_000_000, share: 0 };

function one(kind: string, text: string, annotations: Readonly<Record<string, string>> = {}) {
  return [{ apiVersion: 'v1', kind, metadata: { name: 'x', annotations }, text }];
}

/** What watches hold, by hand. */
class HandCache {
  changes = 1;
  /** How often it was looked whether there is something to keep. */
  looks = 0;
  isFilled = true;
  toldAtMs = performance.now();
  verdict = 'short';
  agent = 'short';
  notes: Readonly<Record<string, string>> = {};

  get isSynced() {
    this.looks += 1;
    return this.isFilled;
  }

  get() {
    return CLUSTER;
  }

  held(): readonly HeldWatch[] {
    return [
      { watch: 'secret', kind: SECRETS.kind, objects: one('Secret', 'hush') },
      { watch: 'agents', kind: AGENTS.kind, objects: one('Agent', this.agent, this.notes) },
      { watch: 'verdicts', kind: IMAGE_VERDICTS.kind, objects: one('ImageVerdict', this.verdict) },
      { watch: 'namespaces', kind: NAMESPACES.kind, objects: [CLUSTER] },
    ];
  }
}

async function keeps(t: ExecutionContext, timing: Partial<KeepingTiming> = {}, maxBytes = 1000) {
  const folder = await mkdtemp(join(tmpdir(), 'nexusos-keeping-'));
  const cache = new HandCache();
  const file = new KeptFile(folder, maxBytes);
  const kept: Date[] = [];
  const self = { fails: false };
  const keeping = new Keeping({
    cache,
    file,
    self: () =>
      self.fails ? Promise.reject(new Error('no')) : Promise.resolve({ program: 'p', place: 'here' }),
    onKept: (seenAt) => kept.push(seenAt),
    log: createLog({ level: 'silent' }),
    timing: { ...FAST, ...timing },
  });
  t.teardown(async () => {
    await keeping.close();
    await rm(folder, { recursive: true, force: true });
  });
  keeping.start();
  const manifest = async (): Promise<Manifest | undefined> => {
    const read = await file.readManifest();
    return read.kind === 'kept' ? read.manifest : undefined;
  };
  const texts = async () => {
    const read = await manifest();
    const held = read === undefined ? undefined : await file.readBody(read);
    return held?.map(({ watch, objects }) => `${watch} ${objects.map(({ text }) => String(text)).join(' ')}`);
  };
  /** So often it is looked, and nothing is found to do. */
  const looked = async (times: number) => {
    const from = cache.looks;
    await eventually('it has looked', () => cache.looks >= from + times);
  };
  return { cache, folder, kept, manifest, texts, looked, self };
}

test('what watches hold is kept, of the cluster that it is of, and no Secret', async (t) => {
  const { kept, manifest, texts } = await keeps(t);
  await eventually('it is kept', () => kept.length > 0);
  t.deepEqual(await texts(), ['secret ', 'agents short', 'verdicts short', 'namespaces undefined']);
  t.is((await manifest())?.cluster, 'uid-1');
});

test('how long the machine has run by then is kept beside the time', async (t) => {
  const before = uptimeOfMachine();
  const { kept, manifest } = await keeps(t);
  await eventually('it is kept', () => kept.length > 0);
  const { boot, upMs = -1 } = (await manifest()) ?? {};
  const after = uptimeOfMachine();
  t.is(boot, after?.boot);
  // What is held was told of before the test began to look, and the machine counts by the second in places.
  t.true(upMs <= (after?.upMs ?? 0) && upMs >= (before?.upMs ?? 0) - 2000, `${upMs}`);
});

test('where nothing has changed nothing is written', async (t) => {
  const { cache, kept, looked } = await keeps(t);
  await eventually('it is kept', () => kept.length > 0);
  cache.toldAtMs = performance.now();
  await looked(20);
  t.is(kept.length, 1);
  cache.changes += 1;
  await eventually('it is kept again', () => kept.length === 2);
});

test('that all is as it was is written when the API server has said so for a while', async (t) => {
  const { cache, kept, manifest, looked } = await keeps(t, { renewMs: 50 });
  await eventually('it is kept', () => kept.length === 1);
  const before = await manifest();
  // Silence does not count: then nobody vouches for it.
  await looked(20);
  t.is(kept.length, 1);
  cache.toldAtMs = performance.now() + 60;
  await eventually('it is renewed', () => kept.length === 2);
  const after = await manifest();
  t.is(after?.digest, before?.digest);
  t.true(Date.parse(after?.seenAt ?? '') >= Date.parse(before?.seenAt ?? '') + 50);
});

test('before the API server has told everything nothing is kept', async (t) => {
  const { cache, kept, looked } = await keeps(t);
  await eventually('it is kept', () => kept.length === 1);
  cache.isFilled = false;
  cache.changes += 1;
  await looked(20);
  t.is(kept.length, 1);
  cache.isFilled = true;
  await eventually('it is kept', () => kept.length === 2);
});

test('what could not be kept is not said to be as it was, and is kept as soon as it can be', async (t) => {
  const { cache, folder, kept, manifest, looked, self } = await keeps(t, { renewMs: 1 });
  await eventually('it is kept', () => kept.length >= 1);
  self.fails = true;
  cache.verdict = 'other';
  cache.changes += 1;
  await looked(20);
  const before = await manifest();
  const times = kept.length;
  cache.toldAtMs = performance.now() + 60_000;
  await looked(20);
  t.deepEqual(await manifest(), before);
  t.is(kept.length, times);
  t.is((await readdir(folder)).length, 2);
  self.fails = false;
  await eventually('it is kept', async () => (await manifest())?.digest !== before?.digest);
});

test('where it is too much, what is refused where it is not known is left out, and else it stays as it was', async (t) => {
  const { cache, folder, kept, manifest, texts, looked } = await keeps(t);
  await eventually('it is kept', () => kept.length === 1);
  cache.verdict = 'long'.repeat(1000);
  cache.changes += 1;
  await eventually('it is kept without', () => kept.length === 2);
  t.deepEqual(await texts(), ['secret ', 'agents short', 'verdicts ', 'namespaces undefined']);
  cache.agent = cache.verdict;
  cache.changes += 1;
  await eventually('it is kept without both', () => kept.length === 3);
  t.deepEqual(await texts(), ['secret ', 'agents ', 'verdicts ', 'namespaces undefined']);
  const before = await manifest();
  cache.held = () => [{ watch: 'all', kind: 'Tenant', objects: Array.from({ length: 50 }, () => CLUSTER) }];
  cache.changes += 1;
  await looked(20);
  t.is(kept.length, 3);
  t.deepEqual(await manifest(), before);
  t.true((await readdir(folder)).length <= 3);
});

test('what tenants note on Agents is not kept: a few of them would fill it', async (t) => {
  const { cache, kept, texts } = await keeps(t);
  await eventually('it is kept', () => kept.length === 1);
  cache.notes = { note: 'long'.repeat(1000) };
  cache.changes += 1;
  await eventually('it is kept again', () => kept.length === 2);
  t.deepEqual(await texts(), ['secret ', 'agents short', 'verdicts short', 'namespaces undefined']);
});
