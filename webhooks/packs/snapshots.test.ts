// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { FakeCache, makePack, makeRevision, makeTenant, startWorld } from '../testing/pack-world.ts';

test('what is renewed is judged by in the very turn in which it was asked for', async (t) => {
  const revision = await makeRevision('package p\ndeny contains "no"');
  const cache = new FakeCache();
  cache.put(
    ...makeTenant('acme', 'acme-dev'),
    makePack({ activeRevision: revision.name }),
    revision.object,
    ...revision.chunks,
  );
  const { packs } = await startWorld({ cache });
  const before = packs.snapshots.current;
  cache.put(...makeTenant('later', 'later-dev'));
  t.is(packs.snapshots.current, before);
  packs.snapshots.renew();
  t.true(packs.snapshots.current?.snapshot.namespaces.has('later-dev'));
  t.false(before?.snapshot.namespaces.has('later-dev'));
  t.false(packs.snapshots.isDue);
  await packs.close();
});

test('before it has begun nothing is built, and after its end neither', async (t) => {
  const { packs } = await startWorld({ cache: new FakeCache() });
  const last = packs.snapshots.current;
  await packs.close();
  packs.snapshots.renew();
  t.is(packs.snapshots.current, last);
});
