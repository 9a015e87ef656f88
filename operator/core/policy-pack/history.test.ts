// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { RolloutWorld } from './testing/rollout-world.ts';

/** A pack whose first version decides, and whose second is on its way. */
function withV2(): RolloutWorld {
  const world = new RolloutWorld();
  world.settle();
  world.wait(60);
  world.release('v2');
  return world;
}

test('that a revision has decided outlasts what became of others since, for as long as it is there', (t) => {
  const world = withV2();
  world.settle();
  world.wait(60);
  world.release('v3');
  world.settle();
  world.wait(60);
  const decided = () => world.status.history?.filter(({ outcome }) => outcome === 'Active');
  for (let i = 0; i < 8; i += 1) {
    world.rollbackTo = i % 2 === 0 ? 'v2' : 'v3';
    world.settle();
  }
  t.is(world.status.history?.length, 10);
  t.deepEqual([...new Set(decided()?.map(({ revision }) => revision))], ['v3', 'v2', 'v1']);
  const times = world.status.history?.map(({ at }) => at) ?? [];
  t.deepEqual(times, times.toSorted().toReversed(), 'newest first');
  world.revisions = ['v2', 'v3'];
  for (let i = 0; i < 8; i += 1) {
    world.rollbackTo = i % 2 === 0 ? 'v2' : 'v3';
    world.settle();
  }
  t.false(
    decided()?.some(({ revision }) => revision === 'v1'),
    'of what is gone nobody asks',
  );
});

test('however many have decided, what became of the last one is told', (t) => {
  const world = withV2();
  for (let version = 3; version < 16; version += 1) {
    world.settle();
    world.wait(60);
    world.release(`v${version}`);
  }
  world.settle();
  world.rollbackTo = 'v3';
  world.settle();
  world.wait(3);
  t.is(world.status.activeRevision, 'v3');
  const [first, second, third] = world.status.history ?? [];
  t.deepEqual([first?.outcome, second?.outcome, third?.outcome], ['Active', 'RolledBack', 'Withdrawn']);
});
