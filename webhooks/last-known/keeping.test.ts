// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '#hack/tools/eventually';
import { IMAGE_VERDICTS, NAMESPACES, SECRETS } from '#operator/core/resources';
import type { HeldWatch } from '#operator/runtime/cache';
import { createLog } from '#operator/telemetry/log';
import { KeptFile } from './kept-file.ts';
import { Keeping, type KeepingTiming } from './keeping.ts';
import type { Manifest } from './manifest.ts';

const CLUSTER = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system', uid: 'uid-1' } };
const FAST = { lookMs: 5, gapMs: 5, renewMs: 1_000_000 };

/** What watches hold, by hand. */
class HandCache {
  changes = 1;
  isSynced = true;
  toldAtMs = performance.now();
  verdict = 'short';

  get() {
    return CLUSTER;
  }

  held(): readonly HeldWatch[] {
    const one = (kind: string, text: string) => [{ apiVersion: 'v1', kind, metadata: { name: 'x' }, text }];
    return [
      { watch: 'secret', kind: SECRETS.kind, objects: one('Secret', 'hush') },
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
  const keeping = new Keeping({
    cache,
    file,
    self: () => Promise.resolve({ program: 'p', place: 'here' }),
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
    return held?.map(
      ({ watch, objects }) => `${watch} ${objects.map((one) => String(one['text'])).join(' ')}`,
    );
  };
  return { cache, folder, kept, manifest, texts };
}

test('what watches hold is kept, of the cluster that it is of, and no Secret', async (t) => {
  const { kept, manifest, texts } = await keeps(t);
  await eventually('it is kept', () => kept.length > 0);
  t.deepEqual(await texts(), ['secret ', 'verdicts short', 'namespaces undefined']);
  t.is((await manifest())?.cluster, 'uid-1');
});

test('where nothing has changed nothing is written', async (t) => {
  const { cache, kept } = await keeps(t);
  await eventually('it is kept', () => kept.length > 0);
  cache.toldAtMs = performance.now();
  await new Promise((done) => setTimeout(done, 100));
  t.is(kept.length, 1);
  cache.changes += 1;
  await eventually('it is kept again', () => kept.length === 2);
});

test('that all is as it was is written when the API server has said so for a while', async (t) => {
  const { cache, kept, manifest } = await keeps(t, { renewMs: 50 });
  await eventually('it is kept', () => kept.length === 1);
  const before = await manifest();
  // Silence does not count: then nobody vouches for it.
  await new Promise((done) => setTimeout(done, 100));
  t.is(kept.length, 1);
  cache.toldAtMs = performance.now() + 60;
  await eventually('it is renewed', () => kept.length === 2);
  const after = await manifest();
  t.is(after?.digest, before?.digest);
  t.true(Date.parse(after?.seenAt ?? '') >= Date.parse(before?.seenAt ?? '') + 50);
});

test('before the API server has told everything nothing is kept', async (t) => {
  const { cache, kept } = await keeps(t);
  await eventually('it is kept', () => kept.length === 1);
  cache.isSynced = false;
  cache.changes += 1;
  await new Promise((done) => setTimeout(done, 100));
  t.is(kept.length, 1);
  cache.isSynced = true;
  await eventually('it is kept', () => kept.length === 2);
});

test('where it is too much, all verdicts on images are left out, and then nothing is kept', async (t) => {
  const { cache, folder, kept, texts } = await keeps(t);
  await eventually('it is kept', () => kept.length === 1);
  cache.verdict = 'long'.repeat(1000);
  cache.changes += 1;
  await eventually('it is kept without', () => kept.length === 2);
  t.deepEqual(await texts(), ['secret ', 'verdicts ', 'namespaces undefined']);
  cache.held = () => [{ watch: 'all', kind: 'Tenant', objects: Array.from({ length: 50 }, () => CLUSTER) }];
  cache.changes += 1;
  await eventually('nothing is kept', async () => (await readdir(folder)).length === 0);
  t.is(kept.length, 2);
});
