// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { MAX_DECIDED_REVISIONS } from '#crds/v1alpha1/policy-pack';
import { qualified, RolloutWorld } from './testing/rollout-world.ts';

/** A pack whose first version decides, and whose second is on its way. */
function withV2(): RolloutWorld {
  const world = new RolloutWorld();
  world.settle();
  world.wait(60);
  world.release('v2');
  return world;
}

test('that a revision has decided is not forgotten, for as long as it is there', (t) => {
  const world = withV2();
  world.settle();
  world.wait(60);
  world.release('v3');
  world.settle();
  world.wait(60);
  for (let i = 0; i < 8; i += 1) {
    world.rollbackTo = i % 2 === 0 ? 'v2' : 'v3';
    world.settle();
  }
  t.is(world.status.history?.length, 10);
  t.deepEqual(world.status.decided, ['v3', 'v2', 'v1']);
  const times = world.status.history?.map(({ at }) => at) ?? [];
  t.deepEqual(times, times.toSorted().toReversed(), 'newest first');
  world.revisions = ['v2', 'v3'];
  world.rollbackTo = 'v2';
  world.settle();
  t.deepEqual(world.status.decided, ['v2', 'v3'], 'of what is gone nobody asks');
});

test('all that are kept may have decided, and each is a way back', (t) => {
  const world = withV2();
  const last = MAX_DECIDED_REVISIONS + 1;
  for (let version = 3; version <= last; version += 1) {
    world.settle();
    world.wait(60);
    world.release(`v${version}`);
  }
  world.settle();
  world.wait(60);
  t.is(world.status.activeRevision, `v${last}`);
  const named = Array.from({ length: MAX_DECIDED_REVISIONS }, (_, index) => `v${last - index}`);
  t.deepEqual(world.status.decided, named, 'the last ones');
  // Of what it was made of nobody knows anything any more.
  world.strangers = new Map(world.revisions.map((one) => [one, `sha256:${'9'.repeat(64)}`]));
  world.rollbackTo = 'v2';
  world.settle();
  t.is(world.status.activeRevision, 'v2');
  world.rollbackTo = 'v1';
  world.settle();
  t.is(world.status.activeRevision, 'v2', 'more than that are never kept');
  t.is(world.last?.standing.reason, 'NeverActive');
});

test('what a history from before says of it holds as well', (t) => {
  const world = withV2();
  world.settle();
  world.wait(60);
  const { decided, ...before } = world.status;
  t.deepEqual(decided, ['v2', 'v1']);
  world.status = before;
  world.release('v3');
  world.settle();
  world.wait(60);
  t.deepEqual(world.status.decided, ['v3', 'v2', 'v1']);
});

type Entry = NonNullable<RolloutWorld['status']['history']>[number];

function entryOf(revision: string, outcome: Entry['outcome']): Entry {
  return { revision, outcome, reason: outcome, message: 'so it was', at: '2027-03-01T12:00:00Z' };
}

/** Of v3, whose status is from before it was written down who has decided, and whose history is full; v4 is on its way. */
function withFullHistory(): RolloutWorld {
  const world = withV2();
  world.settle();
  world.wait(60);
  world.release('v3');
  world.settle();
  world.wait(60);
  world.release('v4');
  world.settle();
  const { decided: _, ...before } = world.status;
  const others = Array.from({ length: 7 }, (_one, index) => entryOf(`other-${index}`, 'Withdrawn'));
  const first = [entryOf('v2', 'Active'), entryOf('v1', 'Active')];
  world.status = { ...before, history: [entryOf('v3', 'Active'), ...others, ...first] };
  return world;
}

function quarantine(world: RolloutWorld, revision: string): void {
  world.change('a', { quarantined: [{ revision: qualified(revision), reason: 'TimedOut' }] });
}

const ENTRIES: Record<string, readonly [(world: RolloutWorld) => void, Entry['outcome']]> = {
  'another is wanted': [(world) => world.release('v5'), 'Withdrawn'],
  'somebody holds the pack where it is': [(world) => Object.assign(world, { rollbackTo: 'v3' }), 'Withdrawn'],
  'what is on its way is undone': [(world) => quarantine(world, 'v4'), 'Quarantined'],
  'what decides is undone': [(world) => quarantine(world, 'v3'), 'Quarantined'],
};

for (const [title, [happens, outcome]] of Object.entries(ENTRIES)) {
  test(`what a full history from before says of it outlives that ${title}`, (t) => {
    const world = withFullHistory();
    happens(world);
    world.pass();
    t.is(world.status.history?.[0]?.outcome, outcome);
    t.false(world.status.history?.some(({ revision }) => revision === 'v1'));
    t.deepEqual(world.status.decided, ['v3', 'v2', 'v1']);
    // Of what it was made of nobody knows anything any more.
    world.strangers = new Map([['v1', `sha256:${'9'.repeat(64)}`]]);
    world.rollbackTo = 'v1';
    world.settle();
    t.is(world.status.activeRevision, 'v1');
  });
}

test('of a status from before nothing is written where nothing happens', (t) => {
  const world = withV2();
  world.settle();
  world.wait(60);
  const { decided: _, ...before } = world.status;
  world.status = before;
  for (const rollbackTo of [undefined, 'v2']) {
    world.rollbackTo = rollbackTo;
    world.settle();
    t.is(world.status.decided, undefined);
    t.deepEqual(world.status.history, before.history);
  }
});

test('since when a revision decides is told, whatever becomes of others meanwhile', (t) => {
  const world = withV2();
  world.settle();
  world.wait(60);
  t.is(world.status.activeRevision, 'v2');
  for (let version = 3; version < 20; version += 1) {
    world.release(`v${version}`);
    world.settle();
    world.wait(1);
  }
  t.is(world.status.history?.filter(({ outcome }) => outcome === 'Withdrawn').length, 9);
  t.like(world.status.history?.at(-1), { revision: 'v2', outcome: 'Active' });
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
