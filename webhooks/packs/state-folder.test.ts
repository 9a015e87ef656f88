// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PolicyPackRevisionSpec } from '#crds/v1alpha1/policy-pack-revision';
import { eventually } from '#hack/tools/eventually';
import { createLog } from '#operator/telemetry/log';
import { FakeCache, makePack, makeRevision, makeTenant, startWorld } from '../testing/pack-world.ts';
import { StateFolder } from './state-folder.ts';

const DENIES = 'package p\ndeny contains "no"';
const WARNS = 'package p\nwarn contains "new"';

async function folderOf(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nexusos-state-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function judgedOnce(t: ExecutionContext, stateFolder: string) {
  const revision = await makeRevision(DENIES);
  const cache = new FakeCache();
  cache.put(
    ...makeTenant('acme', 'acme-dev'),
    makePack({ activeRevision: revision.name }),
    revision.object,
    ...revision.chunks,
  );
  const { ask, packs } = await startWorld({ cache, stateFolder });
  t.false((await ask()).allowed);
  await eventually('it is kept', async () => (await readdir(stateFolder)).includes('enforced.json'));
  await packs.close();
  return { revision };
}

test('after a restart it decides as before though the parts of the module are gone', async (t) => {
  const stateFolder = await folderOf(t);
  const { revision } = await judgedOnce(t, stateFolder);
  const cache = new FakeCache();
  cache.put(...makeTenant('acme', 'acme-dev'), makePack({ activeRevision: revision.name }), revision.object);
  const { ask, packs } = await startWorld({ cache, stateFolder });
  t.is((await ask()).refusals[0]?.message, 'nexusos-system/rules 1.0.0, rule p: no; ask #policy');
  t.true(packs.decider.ready());
});

test('a new revision that is not whole leaves the one before in force, over a restart', async (t) => {
  const stateFolder = await folderOf(t);
  const { revision } = await judgedOnce(t, stateFolder);
  const next = await makeRevision(WARNS, { version: '2.0.0' });
  const cache = new FakeCache();
  // The old revision, too, is gone from the cluster.
  cache.put(...makeTenant('acme', 'acme-dev'), makePack({ activeRevision: next.name }), next.object);
  const { ask, packs } = await startWorld({ cache, stateFolder });
  t.regex((await ask()).refusals[0]?.message ?? '', /rules 1\.0\.0, rule p: no/);
  const behind = packs.snapshots.current?.snapshot.behind;
  t.deepEqual(behind, [
    { pack: 'nexusos-system/rules', wants: `nexusos-system/${next.name}`, why: 'NotLoaded' },
  ]);
  t.not(revision.name, next.name);
});

test('what is not what it was is not used', async (t) => {
  const stateFolder = await folderOf(t);
  const { revision } = await judgedOnce(t, stateFolder);
  const { module } = revision.object['spec'] as PolicyPackRevisionSpec;
  const path = join(stateFolder, module.digest.slice('sha256:'.length));
  const bytes = await readFile(path);
  bytes[100] = (bytes[100] ?? 0) ^ 1;
  await writeFile(path, bytes);
  const cache = new FakeCache();
  cache.put(...makeTenant('acme', 'acme-dev'), makePack({ activeRevision: revision.name }), revision.object);
  const { ask } = await startWorld({ cache, stateFolder });
  t.regex((await ask()).refusals[0]?.message ?? '', /NotLoaded/);
});

test('a list of what was decided by that somebody changed counts for nothing', async (t) => {
  const stateFolder = await folderOf(t);
  await judgedOnce(t, stateFolder);
  const state = new StateFolder(stateFolder, createLog({ level: 'silent' }));
  t.is((await state.readEnforced()).length, 1);
  const path = join(stateFolder, 'enforced.json');
  await writeFile(path, (await readFile(path, 'utf8')).replace('1.0.0', '6.6.6'));
  t.deepEqual(await state.readEnforced(), []);
});

test('modules that nothing is decided by are not kept for ever', async (t) => {
  const stateFolder = await folderOf(t);
  const state = new StateFolder(stateFolder, createLog({ level: 'silent' }));
  const digest = `sha256:${'a'.repeat(64)}`;
  await state.save(digest, new Uint8Array(10));
  t.is((await readdir(stateFolder)).length, 1);
  await state.saveEnforced([], new Set());
  t.deepEqual(await readdir(stateFolder), ['enforced.json']);
});

test('a folder that cannot be written, and none at all, stop nothing', async (t) => {
  for (const folder of [join(await folderOf(t), 'file\u0000'), undefined]) {
    const state = new StateFolder(folder, createLog({ level: 'silent' }));
    await state.save(`sha256:${'a'.repeat(64)}`, new Uint8Array(10));
    t.deepEqual(await state.readEnforced(), []);
    t.is(await state.read(`sha256:${'a'.repeat(64)}`), undefined);
  }
  const state = new StateFolder(await folderOf(t), createLog({ level: 'silent' }));
  t.is(await state.read('sha256:../../../etc/passwd'), undefined);
});
