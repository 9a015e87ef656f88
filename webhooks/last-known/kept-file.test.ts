// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HeldWatch } from '#operator/runtime/cache';
import { KeptFile } from './kept-file.ts';
import { manifestOf } from './manifest.ts';

const SEEN = { cluster: 'uid', seenAt: '2026-11-23T12:00:00.000Z' };

async function folderOf(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nexusos-kept-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function held(count: number, text = 'a\nb'): HeldWatch[] {
  const object = (i: number) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: `n${i}` }, text });
  return [
    { watch: 'namespaces', kind: 'Namespace', objects: Array.from({ length: count }, (_, i) => object(i)) },
    { watch: 'tenants', kind: 'Tenant', objects: [] },
  ];
}

async function keep(file: KeptFile, what: readonly HeldWatch[]) {
  const body = await file.writeBody(what);
  if (body === undefined) throw new Error('too large');
  const manifest = manifestOf({ program: 'p', place: 'here' }, { ...SEEN, ...body });
  await file.writeManifest(manifest);
  return manifest;
}

for (const count of [0, 1, 32, 33, 500]) {
  test(`${count} objects are read as they were written, by their owner alone`, async (t) => {
    const folder = await folderOf(t);
    const file = new KeptFile(join(folder, 'state'));
    const manifest = await keep(file, held(count));
    const other = new KeptFile(join(folder, 'state'));
    t.deepEqual(await other.readManifest(), { kind: 'kept', manifest });
    t.deepEqual(await other.readBody(manifest), held(count));
    for (const name of await readdir(join(folder, 'state')))
      t.is((await stat(join(folder, 'state', name))).mode & 0o777, 0o600, name);
  });
}

test('what is written next takes the place of what was there, which is removed', async (t) => {
  const folder = await folderOf(t);
  const file = new KeptFile(folder);
  const before = await keep(file, held(1));
  const after = await keep(file, held(2));
  t.is(await file.readBody(before), undefined);
  t.deepEqual(await file.readBody(after), held(2));
  t.deepEqual((await readdir(folder)).toSorted(), [after.body, 'last-known.json'].toSorted());
});

test('until it is named, what was written next does not count', async (t) => {
  const file = new KeptFile(await folderOf(t));
  const before = await keep(file, held(1));
  await file.writeBody(held(2));
  t.deepEqual(await file.readManifest(), { kind: 'kept', manifest: before });
  t.deepEqual(await file.readBody(before), held(1));
});

test('what was never named is removed with the next that is written', async (t) => {
  const folder = await folderOf(t);
  const file = new KeptFile(folder);
  const named = await keep(file, held(1));
  for (const count of [2, 3, 4]) await file.writeBody(held(count));
  t.is((await readdir(folder)).length, 3);
  t.deepEqual(await file.readBody(named), held(1));
});

test('what is not what it was is not read', async (t) => {
  const folder = await folderOf(t);
  const file = new KeptFile(folder);
  const manifest = await keep(file, held(3));
  const path = join(folder, manifest.body);
  const whole = await readFile(path, 'utf8');
  for (const torn of [whole.slice(0, -20), whole.replace('n1', 'n9'), '']) {
    await writeFile(path, torn);
    t.is(await file.readBody(manifest), undefined);
  }
  await writeFile(path, whole);
  t.deepEqual(await file.readBody(manifest), held(3));
  t.is(await file.readBody({ ...manifest, body: `../${manifest.body}` }), undefined);

  const named = join(folder, 'last-known.json');
  const said = await readFile(named, 'utf8');
  for (const torn of [said.slice(0, -5), said.replace('12:00', '13:00'), '']) {
    await writeFile(named, torn);
    t.deepEqual(await file.readManifest(), { kind: 'nothing', why: 'what was kept is torn' });
  }
  await file.forget();
  t.deepEqual(await file.readManifest(), { kind: 'nothing', why: 'nothing was kept' });
  t.deepEqual(await readdir(folder), []);
});

test('what is larger than is kept is neither written nor read', async (t) => {
  const folder = await folderOf(t);
  const small = new KeptFile(folder, 2000);
  t.is(await small.writeBody(held(100)), undefined);
  t.deepEqual(await readdir(folder), []);
  const manifest = await keep(new KeptFile(folder), held(100));
  t.is(await small.readBody(manifest), undefined);
});
