// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { PolicyPackStatus } from '#crds/v1alpha1/policy-pack';
import { PolicyHost } from '#operator/policy/host';
import { createMetrics } from '#operator/telemetry/metrics';
import {
  FakeCache,
  hostHere,
  makePack,
  makeRevision,
  makeTenant,
  startWorld,
} from '../testing/pack-world.ts';
import type { PackHost } from './modules.ts';
import { replicaStatus } from './replica-status.ts';
import { SHARE_OF_TENANT, SHARE_OF_USER } from './shadow.ts';

const ALLOWS = 'package p\nwarn contains "old" if false';
const DENIES_WEB = 'package p\ndeny contains "no web" if input.review.name == "web"';
const BREAKS = 'package p\ndeny contains "never" if false\nlimits := {"words": 1}';

async function world(
  oldRego: string | undefined,
  newRego: string,
  more: {
    phase?: PolicyPackStatus['phase'];
    percent?: number;
    host?: PackHost;
    isVouchedFor?: boolean;
  } = {},
) {
  const { phase = 'Shadow', percent = 0, host, isVouchedFor = true } = more;
  const active = oldRego === undefined ? undefined : await makeRevision(oldRego, { version: '1.0.0' });
  const candidate = await makeRevision(newRego, { version: '2.0.0' });
  const cache = new FakeCache();
  const stage = { name: phase, percent, startedAt: '2026-11-20T12:00:00Z', samples: 0 };
  const status = {
    phase,
    stage,
    candidateRevision: candidate.name,
    ...(active && { activeRevision: active.name }),
  };
  cache.put(...makeTenant('acme', 'acme-dev'), makePack(status));
  for (const one of [active, candidate]) if (one !== undefined) cache.put(one.object, ...one.chunks);
  const made = await startWorld({ cache, isVouchedFor, ...(host && { host }) });
  return { ...made, active, candidate };
}

test('in shadow the new revision decides nothing, and is compared on the same requests', async (t) => {
  const { ask, packs, active, candidate } = await world(ALLOWS, DENIES_WEB);
  for (const name of ['web', 'web', 'db']) t.true((await ask({ name })).allowed);
  await packs.shadow.settled();
  t.like(packs.shadow.comparisons()[0], {
    pack: 'nexusos-system/rules',
    revision: candidate.name,
    against: active?.name,
    newlyDenied: 2,
    bothAllowed: 1,
    errors: 0,
    examples: [
      {
        kind: 'Pod',
        namespace: 'acme-dev',
        name: 'web',
        newly: 'Denied',
        message: 'nexusos-system/rules 2.0.0, rule p: no web',
      },
    ],
  });
});

test('in a cohort the new revision decides for members, and both are compared on all', async (t) => {
  const { ask, packs } = await world(ALLOWS, DENIES_WEB, { phase: 'Cohort', percent: 100 });
  t.false((await ask()).allowed);
  await packs.shadow.settled();
  t.like(packs.shadow.comparisons()[0], { newlyDenied: 1 });
});

test('the first revision is compared with no policy', async (t) => {
  const { ask, packs } = await world(undefined, DENIES_WEB);
  t.true((await ask()).allowed);
  await packs.shadow.settled();
  const [comparison] = packs.shadow.comparisons();
  t.like(comparison, { newlyDenied: 1 });
  t.false('against' in (comparison ?? {}));
});

test('a new revision that breaks is an error, and no opinion', async (t) => {
  const { ask, packs } = await world(DENIES_WEB, BREAKS);
  t.false((await ask()).allowed);
  await packs.shadow.settled();
  t.like(packs.shadow.comparisons()[0], { errors: 1, newlyAllowed: 0, bothDenied: 0 });
});

test('under load some are left out, and no answer waits', async (t) => {
  const answered = Promise.withResolvers<void>();
  const slow: PackHost = {
    ...hostHere(),
    evaluate: async (one) => {
      if (one.subject?.startsWith('shadow') === true) await answered.promise;
      return hostHere().evaluate(one);
    },
  };
  const { ask, packs, factory } = await world(ALLOWS, DENIES_WEB, { host: slow });
  const answers = await Promise.all(Array.from({ length: 200 }, () => ask()));
  // Nothing is compared before all are answered.
  answered.resolve();
  t.true(answers.every(({ allowed }) => allowed));
  await packs.shadow.settled();
  const text = await factory.registry.metrics();
  const count = (outcome: string) =>
    Number(new RegExp(`shadow_total{outcome="${outcome}"} (\\d+)`).exec(text)?.[1]);
  t.is(count('compared') + count('sampled_out'), 200);
  t.true(count('sampled_out') > 0 && count('compared') >= 64);
});

test('a comparison tells whose requests it is of, and how many tenants there are', async (t) => {
  const { ask, packs, cache, settled } = await world(ALLOWS, DENIES_WEB);
  cache.put(...makeTenant('other', 'other-dev'), ...makeTenant('idle'));
  await settled();
  await ask();
  await ask({ namespace: 'other-dev', name: 'db' });
  await packs.shadow.settled();
  const [comparison] = packs.shadow.comparisons();
  t.is(comparison?.tenants, 2, 'one has no namespace, so it asks for nothing');
  t.like(comparison, { newlyDenied: 1, bothAllowed: 1 });
  t.deepEqual(
    comparison?.byTenant?.map(({ tenant, newlyDenied }) => [tenant, newlyDenied]),
    [['acme', 1]],
    'those for whom something differs',
  );
});

const as = (username: string) => ({ userInfo: { username, groups: [] } });

test('one tenant, and one user, is compared on so much and no more, and others are not left out for it', async (t) => {
  const { ask, packs, cache, settled, factory } = await world(ALLOWS, DENIES_WEB);
  cache.put(...makeTenant('other', 'other-dev'));
  await settled();
  const asks = async (count: number, request: Parameters<typeof ask>[0] & object) => {
    for (let index = 0; index < count; index += 1) {
      await ask(request);
      if (index % 16 === 15) await packs.shadow.settled();
    }
    await packs.shadow.settled();
  };
  const from = performance.now();
  const newly = () => packs.shadow.comparisons()[0]?.newlyDenied ?? 0;
  const earned = (perSecond: number) => Math.ceil(((performance.now() - from) / 1000) * perSecond);
  await asks(300, as('loud'));
  t.true(newly() >= SHARE_OF_USER.burst && newly() <= SHARE_OF_USER.burst + earned(SHARE_OF_USER.perSecond));
  for (let user = 0; user < 10; user += 1) await asks(30, as(`loud-${user}`));
  t.true(newly() >= SHARE_OF_TENANT.burst);
  t.true(newly() <= SHARE_OF_TENANT.burst + earned(SHARE_OF_TENANT.perSecond), `${newly()}`);
  const before = packs.shadow.comparisons()[0]?.bothAllowed;
  t.is(before, 0);
  await asks(20, { ...as('calm'), namespace: 'other-dev', name: 'db' });
  t.is(packs.shadow.comparisons()[0]?.bothAllowed, 20);
  t.regex(await factory.registry.metrics(), /outcome="sampled_out"} [1-9]\d\d/);
});

for (const isVouchedFor of [true, false]) {
  test(`a denial of our own is ${isVouchedFor ? '' : 'not '}counted as a lock-out where the API server ${isVouchedFor ? 'proves itself' : 'does not'}`, async (t) => {
    const { ask, packs } = await world(ALLOWS, 'package p\ndeny contains "no" if input.review.name != ""', {
      isVouchedFor,
    });
    const own = { userInfo: { username: 'system:serviceaccount:nexusos-system:nexusos', groups: [] } };
    const resource = { group: 'apps', version: 'v1', resource: 'daemonsets' };
    await ask({ ...own, resource, kind: { group: 'apps', version: 'v1', kind: 'DaemonSet' } });
    await packs.shadow.settled();
    const [comparison] = packs.shadow.comparisons();
    t.is(comparison?.newlyDenied, 1);
    t.is(comparison?.protectedDenied, isVouchedFor ? 1 : 0);
  });
}

test('what is compared no more is forgotten', async (t) => {
  const { ask, packs, cache, active, settled } = await world(ALLOWS, DENIES_WEB);
  await ask();
  await packs.shadow.settled();
  t.is(packs.shadow.comparisons().length, 1);
  cache.put(makePack({ phase: 'Active', activeRevision: active!.name }));
  await settled();
  t.is(packs.shadow.comparisons().length, 0);
});

const told = async (phase: 'Shadow' | 'Cohort') => {
  const { packs, active, candidate } = await world(ALLOWS, DENIES_WEB, { phase });
  const { snapshot } = packs.snapshots.current!;
  const { prepared } = packs.modules;
  const facts = { snapshot, prepared, refused: [], quarantined: [], violations: [], comparisons: [] };
  return {
    status: replicaStatus(facts),
    names: [active!.name, candidate.name].map((one) => `nexusos-system/${one}`),
  };
};

test('a replica tells what it has loaded, and what somebody may be judged by', async (t) => {
  const shadow = await told('Shadow');
  t.deepEqual(new Set(shadow.status.prepared), new Set(shadow.names));
  t.deepEqual(shadow.status.enforcing, [shadow.names[0]!]);
  const cohort = await told('Cohort');
  t.deepEqual(new Set(cohort.status.enforcing), new Set(cohort.names));
});

const LOOPS = `package p
deny contains "never" if {
  input.review.name == "loop"
  list := numbers.range(1, 500)
  count([1 | some a in list; some b in list; some c in list; a + b + c == 0]) > 0
}`;

test('with workers: what does not end is stopped, others are answered meanwhile, and the platform is not delayed', async (t) => {
  const host = new PolicyHost({
    platformWorkers: 1,
    tenantWorkers: 2,
    spareWorkers: 1,
    metrics: createMetrics(),
  });
  t.teardown(() => host.close());
  await host.ready();
  // It takes memory as it goes on: time is to be what it runs out of.
  const evaluation = { deadlineMs: 20, memoryMiB: 64 };
  const own = { namespace: 'acme-dev', name: 'own', revision: { evaluation } };
  const [loops, denies] = [await makeRevision(LOOPS, own), await makeRevision(DENIES_WEB)];
  const cache = new FakeCache();
  cache.put(...makeTenant('acme', 'acme-dev'), ...makeTenant('zoo', 'zoo-dev'));
  cache.put(makePack({ activeRevision: loops.name }, own), loops.object, ...loops.chunks);
  cache.put(makePack({ activeRevision: denies.name }), denies.object, ...denies.chunks);
  const { ask } = await startWorld({ cache, host });
  t.true((await ask({ name: 'db' })).allowed);
  const looping = ask({ name: 'loop' });
  const other = await ask({ name: 'web', namespace: 'zoo-dev' });
  t.regex(other.refusals[0]?.message ?? '', /rule p: no web/);
  const answer = await looping;
  t.false(answer.allowed);
  t.regex(
    answer.refusals[0]?.message ?? '',
    /acme-dev\/own 1\.0\.0, rule evaluation: cannot be evaluated \(Timeout/,
  );
  t.true((await ask({ name: 'db' })).allowed, 'its next request is judged again');
});
