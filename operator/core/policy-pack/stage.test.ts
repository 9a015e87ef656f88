// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import * as fc from 'fast-check';
import { qualified, reportOf, RolloutWorld } from './testing/rollout-world.ts';

const STEPS = [
  { percent: 10, soakSeconds: 30, minSamples: 20 },
  { percent: 100, soakSeconds: 30, minSamples: 0 },
];

/** A world in which v1 decides, and v2 has just been verified. */
function withV2(fields: Partial<RolloutWorld> = {}): RolloutWorld {
  const world = new RolloutWorld();
  world.settle();
  world.wait(60);
  world.release('v2');
  world.told.length = 0;
  Object.assign(world, fields);
  return world;
}

const standingOf = ({ last }: RolloutWorld) => [last?.standing.kind, last?.standing.reason];

test('a first version goes through shadow, and is ready when every replica decides by it', (t) => {
  const world = new RolloutWorld();
  world.settle();
  t.deepEqual(standingOf(world), ['reconciling', 'Shadowing']);
  world.nowMs += 60_000;
  world.pass();
  t.is(world.status.activeRevision, 'v1');
  t.deepEqual(standingOf(world), ['reconciling', 'NotEnforced']);
  world.settle();
  t.deepEqual(standingOf(world), ['ready', 'Enforced']);
  t.deepEqual(world.told, ['Preparing -', 'Shadow -', 'Active v1']);
  t.deepEqual(world.status.replicas, { known: 2, prepared: 2, enforcing: 2 });
});

test('with steps, a candidate decides for more and more, for as long and on as many requests as they say', (t) => {
  const world = withV2({ rollout: { ...new RolloutWorld().rollout, steps: STEPS } });
  world.settle();
  world.wait(60);
  t.is(world.status.stage?.percent, 10);
  world.count('a', { bothAllowed: 10 });
  world.wait(30);
  t.deepEqual(standingOf(world), ['reconciling', 'AwaitingEvidence']);
  t.is(world.status.stage?.samples, 10);
  world.start('a');
  world.settle();
  world.count('b', { bothAllowed: 10 });
  world.settle();
  t.is(world.status.stage?.percent, 10, 'the counts of a replica that began anew are not there twice');
  world.count('a', { bothAllowed: 10 });
  world.settle();
  t.is(world.status.stage?.percent, 100);
  world.wait(30);
  t.deepEqual(world.told, ['Preparing v1', 'Shadow v1', 'Cohort 10 % v1', 'Cohort 100 % v1', 'Active v2']);
  t.is(world.status.previousRevision, 'v1');
  t.deepEqual(
    world.status.history?.slice(0, 2).map(({ revision, outcome }) => `${revision} ${outcome}`),
    ['v2 Active', 'v1 Superseded'],
  );
});

const HARM: Readonly<Record<string, readonly [Parameters<RolloutWorld['count']>[1], string, string]>> = {
  'a crash': [{ errors: 5 }, 'Failing', 'RolledBack'],
  'an endless loop': [{ bothAllowed: 500, timeouts: 3 }, 'TimedOut', 'Quarantined'],
  'slow answers': [{ bothAllowed: 20, slow: 20 }, 'Slow', 'RolledBack'],
  'refusing everything': [{ newlyDenied: 6 }, 'NewlyDenied', 'RolledBack'],
  'refusing a third': [{ newlyDenied: 12, bothAllowed: 28 }, 'NewlyDenied', 'RolledBack'],
  'letting everything pass': [{ newlyAllowed: 6, bothAllowed: 900 }, 'NewlyAllowed', 'RolledBack'],
  'refusing kube-system': [{ bothAllowed: 900, protectedDenied: 1 }, 'ProtectedDenied', 'RolledBack'],
};

for (const [name, [counts, reason, phase]] of Object.entries(HARM)) {
  for (const stage of ['Shadow', 'Cohort 10 %'] as const) {
    test(`in ${stage}, a candidate is undone for ${name}, and is not begun again`, (t) => {
      const world = withV2({ rollout: { ...new RolloutWorld().rollout, steps: STEPS } });
      world.settle();
      if (stage !== 'Shadow') world.wait(60);
      t.is(world.status.stage?.name, stage);
      world.count('b', counts);
      world.pass();
      t.is(world.status.candidateRevision, undefined, 'in one step');
      const { last } = world;
      t.deepEqual(
        last?.events.map(({ type, reason: why }) => [type, why]),
        [['Warning', reason]],
      );
      world.start('b');
      world.wait(86_400);
      t.is(world.status.phase, phase as never);
      t.is(world.status.activeRevision, 'v1');
      t.deepEqual(standingOf(world), ['stalled', reason]);
      t.deepEqual(world.status.rejected, ['v2']);
      world.release('v3');
      world.settle();
      t.is(world.status.candidateRevision, 'v3', 'another version is another chance');
    });
  }
}

test('what exists tells before: a report above the bound waits for who acknowledges that very report', (t) => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const report = reportOf('v2', { against: 'v1', digest, newlyDenied: 30 });
  const world = withV2({ blast: () => report });
  world.wait(600);
  t.deepEqual(standingOf(world), ['stalled', 'AwaitingAcknowledgement']);
  t.regex(world.last?.standing.message ?? '', /30 of 100 objects .* spec\.rollout\.acknowledge: sha256:aaaa/);
  world.rollout = { ...world.rollout, acknowledge: `sha256:${'b'.repeat(64)}` };
  world.settle();
  t.deepEqual(standingOf(world), ['stalled', 'AwaitingAcknowledgement']);
  world.rollout = { ...world.rollout, acknowledge: digest };
  world.settle();
  t.is(world.status.phase, 'Shadow');
  // What was acknowledged is no news when requests show it.
  world.count('a', { bothAllowed: 700, newlyDenied: 300 });
  world.wait(60);
  t.is(world.status.activeRevision, 'v2');
});

test('who lets pass too much of what is refused waits as well', (t) => {
  const report = reportOf('v2', { against: 'v1', newlyAllowed: 2, bothDenied: 8 });
  const world = withV2({ blast: () => report });
  world.settle();
  t.deepEqual(standingOf(world), ['stalled', 'AwaitingAcknowledgement']);
});

test('a report of another pair is none: nothing begins before there is one', (t) => {
  const world = withV2({ blast: () => undefined });
  world.wait(600);
  t.deepEqual(standingOf(world), ['reconciling', 'Reporting']);
  world.blast = () => reportOf('v2');
  world.settle();
  t.deepEqual(standingOf(world), ['reconciling', 'Reporting'], 'against nothing is not against v1');
  world.blast = () => reportOf('v2', { against: 'v1' });
  world.settle();
  t.is(world.status.phase, 'Shadow');
});

test('nobody decides by what a replica has not loaded; after two minutes the candidate is undone, in its words', (t) => {
  const world = withV2();
  const trouble = {
    revision: qualified('v2'),
    reason: 'DigestMismatch',
    message: 'chunk 2 is not what it was',
  };
  world.change('b', { refused: [trouble] });
  world.settle();
  t.is(world.status.stage?.name, 'Preparing');
  t.regex(world.last?.standing.message ?? '', /replica b cannot load v2: chunk 2/);
  world.wait(119);
  t.is(world.status.candidateRevision, 'v2');
  world.wait(1);
  t.deepEqual(standingOf(world), ['stalled', 'LoadFailed']);
});

test('a replica that is gone holds nobody up, one that is new does', (t) => {
  const world = withV2();
  world.change('b', { live: false });
  world.settle();
  t.is(world.status.stage?.name, 'Shadow');
  world.start('c');
  world.nowMs += 60_000;
  world.pass();
  t.is(world.status.activeRevision, 'v1');
  t.regex(world.last?.standing.message ?? '', /not loaded yet by c/);
  world.settle();
  t.is(world.status.activeRevision, 'v2');
  t.deepEqual(world.status.replicas, { known: 2, prepared: 2, enforcing: 2 });
});

test('without replicas nothing is promoted, and the pack is not ready', (t) => {
  const world = new RolloutWorld([]);
  world.wait(6000);
  t.is(world.status.activeRevision, undefined);
  t.deepEqual(standingOf(world), ['reconciling', 'NoReplicas']);
});

test('rollbackTo goes back at once where replicas have kept the revision, and holds it', (t) => {
  const world = withV2();
  world.settle();
  world.wait(60);
  t.is(world.status.activeRevision, 'v2');
  world.rollbackTo = 'v1';
  world.pass();
  t.is(world.status.activeRevision, 'v1', 'one step');
  t.deepEqual(standingOf(world), ['reconciling', 'NotEnforced']);
  world.wait(86_400);
  t.deepEqual([world.status.phase, world.status.activeRevision], ['RolledBack', 'v1']);
  t.deepEqual(standingOf(world), ['ready', 'RolledBack']);
  world.rollbackTo = undefined;
  world.settle();
  t.is(world.status.candidateRevision, 'v2', 'the source counts again, by the ordinary way');
});

test('rollbackTo waits three seconds for who has to load it, and not longer', (t) => {
  const world = withV2();
  world.settle();
  world.wait(60);
  world.release('v3');
  world.settle();
  world.wait(60);
  t.deepEqual([world.status.activeRevision, world.status.previousRevision], ['v3', 'v2']);
  world.change('b', { refused: [{ revision: qualified('v1'), reason: 'Missing' }] });
  world.rollbackTo = 'v1';
  world.settle();
  t.deepEqual([world.status.activeRevision, world.status.candidateRevision], ['v3', 'v1']);
  world.wait(3);
  t.is(world.status.activeRevision, 'v1');
});

test('rollbackTo withdraws what is on its way, and says what there is when it names nothing', (t) => {
  const world = withV2();
  world.settle();
  world.rollbackTo = 'v1';
  world.settle();
  t.deepEqual([world.status.candidateRevision, world.status.rejected], [undefined, undefined]);
  world.rollbackTo = 'v9';
  world.settle();
  t.deepEqual(standingOf(world), ['stalled', 'RevisionNotFound']);
  t.is(
    world.last?.standing.message,
    'spec.rollbackTo: v9 is no PolicyPackRevision of nexusos-system/baseline, and nothing goes back; there are, newest first: v2, v1',
  );
});

test('what became active and is quarantined within the hour goes back; later it stays, and the pack is not ready', (t) => {
  for (const [seconds, active] of [
    [3000, 'v1'],
    [3600, 'v2'],
  ] as const) {
    const world = withV2();
    world.settle();
    world.wait(60);
    world.nowMs += seconds * 1000;
    world.change('a', { quarantined: [{ revision: qualified('v2'), reason: 'Timeout' }] });
    world.settle();
    t.is(world.status.activeRevision, active);
    t.deepEqual(standingOf(world), ['stalled', 'Quarantined']);
  }
});

test('Manual waits in shadow for the revision to be named; who names it decides in place of doubts, not of harm', (t) => {
  const world = withV2();
  world.rollout = { ...world.rollout, promote: 'Manual' };
  world.settle();
  world.wait(600);
  t.deepEqual(standingOf(world), ['stalled', 'AwaitingPromotion']);
  world.rollout = { ...world.rollout, promoteTo: 'v1' };
  world.settle();
  t.deepEqual(standingOf(world), ['stalled', 'AwaitingPromotion']);
  world.count('a', { bothAllowed: 9, newlyDenied: 1 });
  world.rollout = { ...world.rollout, promoteTo: 'v2' };
  world.settle();
  t.is(world.status.activeRevision, 'v2');
});

test('a doubt holds a candidate, and more requests clear it or show the harm', (t) => {
  const world = withV2();
  world.settle();
  world.count('a', { bothAllowed: 9, newlyDenied: 1 });
  world.wait(600);
  t.deepEqual(standingOf(world), ['reconciling', 'AwaitingEvidence']);
  world.count('a', { bothAllowed: 99, newlyDenied: 1 });
  world.settle();
  t.is(world.status.activeRevision, 'v2');
});

test('suspended, nothing goes on and nothing begins, and harm is undone all the same', (t) => {
  const world = withV2();
  world.settle();
  world.suspended = true;
  world.wait(6000);
  t.deepEqual([world.status.candidateRevision, ...standingOf(world)], ['v2', 'stalled', 'Suspended']);
  world.count('a', { timeouts: 3 });
  world.settle();
  t.is(world.status.candidateRevision, undefined);
  world.release('v3');
  world.settle();
  t.deepEqual([world.status.candidateRevision, ...standingOf(world)], [undefined, 'stalled', 'Suspended']);
});

test('a newer source takes the place of what is on its way, and what is being verified holds it', (t) => {
  const world = withV2();
  world.settle();
  world.wanted = undefined;
  world.wait(6000);
  t.deepEqual([world.status.candidateRevision, ...standingOf(world)], ['v2', 'reconciling', 'Verifying']);
  world.release('v3');
  world.settle();
  t.is(world.status.candidateRevision, 'v3');
  t.is(world.status.history?.[0]?.outcome, 'Withdrawn');
  t.is(world.status.rejected, undefined);
});

const replica = fc.constantFrom('a', 'b', 'c');
const step = fc.oneof(
  { weight: 9, arbitrary: fc.record({ does: fc.constant('pass' as const) }) },
  { weight: 4, arbitrary: fc.record({ does: fc.constant('follow' as const), replica }) },
  // What goes as it should, so that candidates come to decide.
  { weight: 9, arbitrary: fc.record({ does: fc.constant('settle' as const) }) },
  {
    weight: 9,
    arbitrary: fc.record({ does: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 100 }) }),
  },
  fc.record({ does: fc.constant('count' as const), replica, ok: fc.nat(50), denied: fc.nat(3) }),
  fc.record({ does: fc.constant('die' as const), replica }),
  fc.record({ does: fc.constant('start' as const), replica }),
  fc.record({ does: fc.constant('release' as const) }),
  fc.record({ does: fc.constant('rollback' as const), to: fc.option(fc.nat(5), { nil: undefined }) }),
);
type Step = typeof step extends fc.Arbitrary<infer One> ? One : never;

const PLAYS: {
  readonly [Does in Step['does']]: (world: RolloutWorld, one: Extract<Step, { does: Does }>) => void;
} = {
  pass: (world) => void world.pass(),
  follow: (world, { replica }) => world.follow(replica),
  settle: (world) => {
    for (const { name, live } of world.replicas.values()) if (live) world.follow(name);
  },
  wait: (world, { seconds }) => {
    world.nowMs += seconds * 1000;
  },
  count: (world, { replica, ok, denied }) => world.count(replica, { bothAllowed: ok, newlyDenied: denied }),
  die: (world, { replica }) => world.change(replica, { live: false }),
  start: (world, { replica }) => world.start(replica),
  release: (world) => world.release(`v${world.revisions.length + 1}`),
  rollback: (world, { to }) => {
    world.rollbackTo = to === undefined ? undefined : world.revisions[to];
  },
};

function play(world: RolloutWorld, one: Step): void {
  PLAYS[one.does](world, one as never);
}

/** Passes alone, without time or replicas, come to an end: who crashes after a write and looks again does no more. */
function comesToAnEnd(t: ExecutionContext, world: RolloutWorld): void {
  const kept = { status: world.status, last: world.last };
  for (let i = 0; i < 5; i += 1) world.pass();
  const before = JSON.stringify(world.status);
  world.pass();
  t.is(JSON.stringify(world.status), before);
  world.status = kept.status;
  world.last = kept.last;
}

function holdsAfterPass(t: ExecutionContext, world: RolloutWorld): void {
  const { candidateRevision: candidate, rejected = [] } = world.status;
  t.false(candidate !== undefined && world.rollbackTo === undefined && rejected.includes(candidate));
  comesToAnEnd(t, world);
}

/** Whether a play made a revision active by the ordinary way; then all that were alive had loaded it, and it was a candidate. */
function goesForward(t: ExecutionContext, world: RolloutWorld, one: Step): boolean {
  const before = world.status;
  const live = [...world.replicas.values()].filter((replica) => replica.live);
  play(world, one);
  const { activeRevision: active } = world.status;
  const isFlip = active !== undefined && active !== before.activeRevision && world.rollbackTo === undefined;
  if (!isFlip) return false;
  t.true(live.length > 0 && live.every(({ prepared }) => prepared.includes(qualified(active))));
  t.is(before.candidateRevision, active);
  return true;
}

test('whatever happens in whatever order: forward only to what all have loaded, nothing undone comes back, and steps repeat to the same', (t) => {
  let flips = 0;
  let undone = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 30, maxLength: 120, size: 'max' }), (steps) => {
      const world = new RolloutWorld(['a', 'b', 'c']);
      world.rollout = { ...world.rollout, steps: STEPS.slice(1) };
      for (const one of steps) {
        if (goesForward(t, world, one)) flips += 1;
        t.true((world.status.history?.length ?? 0) <= 10);
        if (one.does === 'pass') holdsAfterPass(t, world);
      }
      undone += world.status.rejected?.length ?? 0;
    }),
    { numRuns: 500, seed: 5 },
  );
  t.true(flips > 50 && undone > 20, `${flips} ${undone}`);
});
