// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject } from '#operator/core/object';
import {
  FakeCache,
  hostHere,
  makePack,
  makeRequest,
  makeRevision,
  makeTenant,
  type PackParts,
  PLATFORM,
  startWorld,
} from '../testing/pack-world.ts';
import { keyOf } from './cluster.ts';
import type { PackHost } from './modules.ts';

const NO_HOST = `package pods
deny contains {"msg": "no host network", "field": "spec.hostNetwork"} if input.review.object.spec.hostNetwork`;
const NO_WEB = `package own
deny contains sprintf("not %s", [input.review.name]) if input.review.name == "web"`;
const OWN: PackParts = { namespace: 'acme-dev', name: 'own' };

/** A cache with tenants acme and zoo. */
function makeCache(...objects: readonly KubeObject[]): FakeCache {
  const cache = new FakeCache();
  cache.put(...makeTenant('acme', 'acme-dev', 'acme-prod'), ...makeTenant('zoo', 'zoo-dev'), ...objects);
  return cache;
}

async function activePack(rego: string, parts: PackParts = {}): Promise<readonly KubeObject[]> {
  const { name, object, chunks } = await makeRevision(rego, parts);
  return [makePack({ activeRevision: name, phase: 'Active', ...parts.status }, parts), object, ...chunks];
}

test('a pack refuses, in words that say who, what, where and whom to ask', async (t) => {
  const { ask } = await startWorld({ cache: makeCache(...(await activePack(NO_HOST))) });
  const { allowed, refusals, auditAnnotations } = await ask();
  t.false(allowed);
  t.deepEqual(refusals, [
    {
      code: 'policy_blocked',
      message: 'nexusos-system/rules 1.0.0, rule pods: no host network (at spec.hostNetwork); ask #policy',
      field: 'spec.hostNetwork',
    },
  ]);
  t.regex(auditAnnotations['snapshot'] ?? '', /^sha256:/);
  t.regex(auditAnnotations['revisions'] ?? '', /^nexusos-system\/rules-[0-9a-f]{12}$/);
  t.true((await ask({ object: { ...makeRequest().object!, spec: {} } })).allowed);
});

test('without packs nothing is refused, and nobody waits for anything', async (t) => {
  const { ask, packs } = await startWorld({ cache: makeCache() });
  t.true((await ask()).allowed);
  t.true((await ask({ namespace: 'nobody-knows' })).allowed);
  t.true(packs.decider.ready());
});

test('enforcement: a warning, and what is only noted', async (t) => {
  const warns = await activePack(NO_HOST, { revision: { enforcement: 'Warn' } });
  const world = await startWorld({ cache: makeCache(...warns) });
  const warned = await world.ask();
  t.true(warned.allowed);
  t.deepEqual(warned.warnings, [
    'nexusos-system/rules 1.0.0, rule pods: no host network (at spec.hostNetwork)',
  ]);
  world.cache.put(...(await activePack(NO_HOST, { revision: { enforcement: 'DryRun' } })));
  await world.settled();
  const noted = await world.ask();
  t.true(noted.allowed);
  t.deepEqual(noted.warnings, []);
  t.is(noted.auditAnnotations['dry-run'], 'nexusos-system/rules:pods');
});

test("a tenant's pack restricts its own tenant, in all its namespaces, and nobody else", async (t) => {
  const { ask } = await startWorld({ cache: makeCache(...(await activePack(NO_WEB, OWN))) });
  t.false((await ask()).allowed);
  t.false((await ask({ namespace: 'acme-prod' })).allowed);
  t.true((await ask({ namespace: 'zoo-dev' })).allowed);
  t.is((await ask()).refusals[0]?.message, 'acme-dev/own 1.0.0, rule own: not web; ask #policy');
});

test("a tenant's pack that allows undoes nothing", async (t) => {
  const loose = 'package abac\nallow := true\nwarn contains "seen"';
  const cache = makeCache(...(await activePack(NO_HOST)), ...(await activePack(loose, OWN)));
  const { allowed, warnings } = await (await startWorld({ cache })).ask();
  t.false(allowed);
  t.deepEqual(warnings, ['acme-dev/own 1.0.0, rule abac: seen']);
});

test('access that no rule of the platform allows is refused', async (t) => {
  const abac = 'package abac\nallow if input.review.userInfo.username == "root"';
  const { ask } = await startWorld({ cache: makeCache(...(await activePack(abac))) });
  t.regex((await ask()).refusals[0]?.message ?? '', /rule abac: nothing in its rules on access allows this/);
  t.true((await ask({ userInfo: { username: 'root', groups: [] } })).allowed);
});

function exemption(expiresAt: string): KubeObject {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'PolicyExemption',
    metadata: { name: 'legacy', namespace: PLATFORM, annotations: { 'nexusos.dev/created-by': 'ann' } },
    spec: {
      packRef: { namespace: PLATFORM, name: 'rules' },
      rules: ['pods'],
      subjects: { namespaces: ['acme-dev'] },
      reason: 'old',
      ticket: 'OPS-7',
      expiresAt,
      approval: { decision: 'Approved', by: 'bob' },
    },
  };
}

test('an exemption lifts what it names, says so, and lapses', async (t) => {
  const soon = new Date(Date.now() + 60_000).toISOString();
  const world = await startWorld({ cache: makeCache(...(await activePack(NO_HOST)), exemption(soon)) });
  const lifted = await world.ask();
  t.true(lifted.allowed);
  t.regex(lifted.warnings[0] ?? '', /^exempt until .* by legacy \(OPS-7\): nexusos-system\/rules/);
  t.false((await world.ask({ namespace: 'zoo-dev' })).allowed);
  world.cache.put(exemption(new Date(Date.now() - 1).toISOString()));
  await world.settled();
  t.false((await world.ask()).allowed);
  const elsewhere = exemption(soon);
  world.cache.put({ ...elsewhere, metadata: { ...elsewhere.metadata, namespace: 'acme-dev' } });
  await world.settled();
  t.false((await world.ask()).allowed, 'one of a tenant counts for nothing');
});

const fills = (path: string, value: string) =>
  `package defaults\nmutate contains {"path": "${path}", "value": "${value}"}`;

test('defaults are filled in, by the platform and by tenants', async (t) => {
  const cache = makeCache(
    ...(await activePack(fills('/metadata/labels/team', 'core'))),
    ...(await activePack(fills('/metadata/annotations/owner', 'ann'), OWN)),
  );
  const { ask } = await startWorld({ cache });
  const { allowed, patch } = await ask({}, { mutating: true });
  t.true(allowed);
  t.deepEqual(patch, [
    { op: 'add', path: '/metadata/annotations', value: {} },
    { op: 'add', path: '/metadata/annotations/owner', value: 'ann' },
    { op: 'add', path: '/metadata/labels/team', value: 'core' },
  ]);
  t.is((await ask()).patch, undefined, 'not when it is judged');
});

test('what is to be redacted is taken out, and what is still there is refused', async (t) => {
  const dlp = `package dlp
dlp contains {"detector": "key", "action": "redact", "path": "/metadata/annotations/note"} if startswith(input.review.object.metadata.annotations.note, "sk-")`;
  const { ask } = await startWorld({
    cache: makeCache(...(await activePack(dlp, { revision: { hasMutate: true } }))),
  });
  const metadata = { name: 'web', namespace: 'acme-dev', annotations: { note: 'sk-1' } };
  const object = { ...makeRequest().object!, metadata };
  const { patch } = await ask({ object }, { mutating: true });
  t.deepEqual(patch, [{ op: 'replace', path: '/metadata/annotations/note', value: '[redacted by policy]' }]);
  const { refusals } = await ask({ object });
  t.is(refusals[0]?.code, 'policy_redacted');
});

test('a pack that breaks refuses where it denies, and warns where it warns', async (t) => {
  const broken = 'package pods\ndeny contains 1 / input.review.object.spec.zero\nlimits := {"words": 1}';
  const world = await startWorld({ cache: makeCache(...(await activePack(broken))) });
  t.regex((await world.ask()).refusals[0]?.message ?? '', /rule evaluation: cannot be evaluated/);
  world.cache.put(...(await activePack(broken, { revision: { enforcement: 'Warn' } })));
  await world.settled();
  const { allowed, warnings } = await world.ask();
  t.true(allowed);
  t.regex(warnings[0] ?? '', /cannot be evaluated/);
});

test('a new version decides for all that is asked after it is active, and each request is judged by one', async (t) => {
  const versions = await Promise.all(
    ['1.0.0', '2.0.0'].map((version) => makeRevision(`package v\ndeny contains "${version}"`, { version })),
  );
  const [one, two] = versions;
  const pack = (active: string) => makePack({ activeRevision: active, candidateRevision: two!.name });
  const objects = versions.flatMap(({ object, chunks }) => [object, ...chunks]);
  const host = hostHere();
  const world = await startWorld({ cache: makeCache(pack(one!.name), ...objects), host });
  const asked = Array.from({ length: 40 }, async (_, index) => {
    await new Promise((resolve) => setTimeout(resolve, index * 2));
    if (index === 20) world.cache.put(pack(two!.name));
    return world.ask();
  });
  const answers = await Promise.all(asked);
  await world.settled();
  for (const { refusals, auditAnnotations } of answers) {
    const version = /rules ([12])\.0\.0, rule v: ([12])\.0\.0/.exec(refusals[0]?.message ?? '');
    t.is(version?.[1], version?.[2]);
    t.is(auditAnnotations['revisions'], keyOf(version?.[1] === '1' ? one!.object : two!.object));
    t.is(refusals.length, 1);
  }
  t.regex((await world.ask()).refusals[0]?.message ?? '', /2\.0\.0/);
});

test('a namespace that is not known yet is waited for, and not let through', async (t) => {
  const world = await startWorld({ cache: makeCache(...(await activePack(NO_HOST))) });
  const asked = world.ask({ namespace: 'acme-new' });
  setTimeout(() => world.cache.put(...makeTenant('acme', 'acme-new')), 50);
  t.is((await asked).refusals[0]?.code, 'policy_blocked');
  const never = await world.ask({ namespace: 'never' }, { deadlineAt: performance.now() + 100 });
  t.is(never.refusals[0]?.code, 'dependency_unavailable');
  t.regex(never.refusals[0]?.message ?? '', /namespace never is not known yet/);
});

test('what cannot be loaded is told, and what decided before goes on', async (t) => {
  const [one, two] = await Promise.all([
    makeRevision(NO_HOST),
    makeRevision(`${NO_HOST}\nwarn contains "new"`),
  ]);
  const world = await startWorld({
    cache: makeCache(makePack({ activeRevision: one.name }), one.object, ...one.chunks),
  });
  t.true(world.packs.decider.ready());
  world.cache.put(makePack({ activeRevision: two.name }), two.object, ...two.chunks.slice(1));
  await world.settled();
  const { allowed, warnings } = await world.ask();
  t.false(allowed);
  t.deepEqual(warnings, []);
  t.deepEqual(
    world.packs.modules.faults.map(({ revision, reason }) => [revision, reason]),
    [[`${PLATFORM}/${two.name}`, 'ChunkMissing']],
  );
  await new Promise((resolve) => setTimeout(resolve, 1100));
  world.cache.put(...two.chunks);
  await world.settled();
  t.is((await world.ask()).warnings.length, 1, 'once it is whole, it decides');
});

test('a pack that cannot be loaded at all is not passed over', async (t) => {
  const { object, name } = await makeRevision(NO_HOST);
  const { ask, packs } = await startWorld({ cache: makeCache(makePack({ activeRevision: name }), object) });
  t.regex((await ask()).refusals[0]?.message ?? '', /NotLoaded/);
  t.false(packs.decider.ready());
  const unseen = await startWorld({ cache: makeCache(makePack({ activeRevision: 'rules-unseen' })) });
  t.regex((await unseen.ask()).refusals[0]?.message ?? '', /NotLoaded/);
});

test('a revision of another pack is none of this one', async (t) => {
  const other = await makeRevision('package a\nwarn contains "x"', { name: 'other' });
  const cache = makeCache(makePack({ activeRevision: other.name }), other.object, ...other.chunks);
  t.regex((await (await startWorld({ cache })).ask()).refusals[0]?.message ?? '', /NotLoaded/);
});

const constraint = (name: string, spec: object) => ({ kind: 'K8sNo', metadata: { name }, spec });

test('constraints of Gatekeeper are asked about what they match', async (t) => {
  const rego = `package gatekeeper
violation contains {"msg": sprintf("%s says no", [c.name]), "rule": sprintf("%s/%s", [c.kind, c.name]), "enforcementAction": c.enforcementAction} if some c in input.constraints`;
  const constraints = [
    constraint('pods', { match: { kinds: [{ apiGroups: [''], kinds: ['Pod'] }] } }),
    constraint('jobs', { match: { kinds: [{ apiGroups: ['batch'], kinds: ['Job'] }] } }),
    constraint('soft', { enforcementAction: 'warn' }),
  ];
  const { ask } = await startWorld({
    cache: makeCache(...(await activePack(rego, { data: { gatekeeper: { constraints } } }))),
  });
  const { refusals, warnings } = await ask();
  t.deepEqual(
    refusals.map(({ message }) => message),
    ['nexusos-system/rules 1.0.0, rule K8sNo/pods: pods says no; ask #policy'],
  );
  t.deepEqual(warnings, ['nexusos-system/rules 1.0.0, rule K8sNo/soft: soft says no']);
});

const PLAIN = 'package p\nwarn contains "old"';
/** Gives up for a name, and takes that of another for wrong. */
const BREAKS = `package p
deny contains "no db" if input.review.name == "db"
level := "a" if input.review.name == "web"
level := input.review.operation if input.review.name == "web"
warn contains level`;

/** Version 2.0.0 decides for all namespaces of a cohort, over 1.0.0 if that is there. */
async function cohort(
  candidateRego: string,
  active: { rego: string; parts?: PackParts } | undefined,
  host?: PackHost,
) {
  const before = active && (await makeRevision(active.rego, { version: '1.0.0', ...active.parts }));
  const candidate = await makeRevision(candidateRego, { version: '2.0.0' });
  const stage = { name: 'Cohort', percent: 100, startedAt: '2026-11-20T12:00:00Z', samples: 0 };
  const status = {
    phase: 'Cohort',
    stage,
    candidateRevision: candidate.name,
    ...(before && { activeRevision: before.name }),
  } as const;
  const objects = [before, candidate].flatMap((one) => (one ? [one.object, ...one.chunks] : []));
  const world = await startWorld({ cache: makeCache(makePack(status), ...objects), ...(host && { host }) });
  return { ...world, before, candidate };
}

test('where a candidate of a cohort gives no answer, what is active judges, and the candidate is charged with it', async (t) => {
  const { ask, packs, candidate, before, factory } = await cohort(BREAKS, { rego: PLAIN });
  const { allowed, warnings, auditAnnotations } = await ask({ name: 'web' });
  t.true(allowed);
  t.deepEqual(warnings, ['nexusos-system/rules 1.0.0, rule p: old']);
  t.is(auditAnnotations['revisions'], keyOf(before!.object));
  t.regex((await ask({ name: 'db' })).refusals[0]?.message ?? '', /rules 2\.0\.0, rule p: no db/);
  await packs.shadow.settled();
  t.like(packs.shadow.comparisons()[0], { errors: 1, newlyDenied: 1 });
  t.deepEqual(
    packs.failures.counts().map(({ revision, count }) => [revision, count]),
    [[keyOf(candidate.object), 1]],
  );
  t.regex(await factory.registry.metrics(), /nexusos_policy_candidates_passed_over_total 1/);
});

for (const reason of ['Timeout', 'Overloaded', 'Quarantined', 'Lost'] as const) {
  test(`nobody in a cohort is refused because of a candidate that came to ${reason}`, async (t) => {
    const asked: (string | undefined)[] = [];
    const here = hostHere();
    const failed = { kind: 'failed', reason, message: 'no answer', micros: 1 } as const;
    const host: PackHost = {
      ...here,
      evaluate: (one) => {
        asked.push(one.trial);
        return one.trial === undefined ? here.evaluate(one) : Promise.resolve(failed);
      },
    };
    const { ask } = await cohort(NO_HOST, { rego: PLAIN }, host);
    t.deepEqual((await ask({ dryRun: true })).warnings, ['nexusos-system/rules 1.0.0, rule p: old']);
    t.deepEqual(asked, ['cohort', undefined], 'once each, and what decides not as a trial');
  });
}

test('where what is active is not about the request, it allows what a candidate cannot judge', async (t) => {
  const pods = { binding: { rules: [{ apiGroups: ['apps'], resources: ['deployments'] }] } };
  const { ask } = await cohort(BREAKS, { rego: PLAIN, parts: { revision: pods } });
  const answer = await ask({ name: 'web' });
  t.true(answer.allowed);
  t.deepEqual(answer.warnings, []);
});

test('where nothing is active, what a candidate cannot judge is not let through', async (t) => {
  const { ask } = await cohort(BREAKS, undefined);
  t.regex(
    (await ask({ name: 'web' })).refusals[0]?.message ?? '',
    /rules 2\.0\.0, rule evaluation: cannot be/,
  );
});

test('while an object is made, what is active stands in only if it may change it', async (t) => {
  const mutates = `${BREAKS}\nmutate contains {"path": "/metadata/labels/team", "value": "new"}`;
  const { ask } = await cohort(mutates, { rego: fills('/metadata/labels/team', 'core') });
  t.deepEqual((await ask({ name: 'web' }, { mutating: true })).patch, [
    { op: 'add', path: '/metadata/labels/team', value: 'core' },
  ]);
  t.deepEqual((await ask({ name: 'other' }, { mutating: true })).patch, [
    { op: 'add', path: '/metadata/labels/team', value: 'new' },
  ]);
  const plain = await cohort(mutates, { rego: PLAIN });
  const { allowed, patch, warnings } = await plain.ask({ name: 'web' }, { mutating: true });
  t.deepEqual([allowed, patch, warnings], [true, undefined, []]);
});

test('what is only tried is loaded apart, and what comes to decide meanwhile does not wait for that', async (t) => {
  const here = hostHere();
  const waiting: (() => void)[] = [];
  const host: PackHost = {
    ...here,
    prepare: ({ isTrial }) =>
      isTrial === true
        ? new Promise((resolve) => waiting.push(() => resolve({ kind: 'ready' })))
        : Promise.resolve({ kind: 'ready' }),
  };
  const [one, two] = await Promise.all(
    ['1.0.0', '2.0.0'].map((version) => makeRevision(`package v\ndeny contains "${version}"`, { version })),
  );
  const objects = [one, two].flatMap((made) => [made!.object, ...made!.chunks]);
  const cache = makeCache(makePack({ phase: 'Shadow', candidateRevision: two!.name }), ...objects);
  const started = startWorld({ cache, host });
  const tried = await untilSome(waiting);
  tried();
  const world = await started;
  t.true((await world.ask()).allowed);
  cache.put(makePack({ phase: 'Active', activeRevision: one!.name }));
  await world.settled();
  t.regex((await world.ask()).refusals[0]?.message ?? '', /1\.0\.0/);
  cache.put(makePack({ phase: 'Shadow', activeRevision: one!.name, candidateRevision: two!.name }));
  await untilSome(waiting);
  cache.put(makePack({ phase: 'Active', activeRevision: two!.name }));
  await world.settled();
  t.regex((await world.ask()).refusals[0]?.message ?? '', /2\.0\.0/, 'the load of the trial has not ended');
});

async function untilSome<T>(list: T[]): Promise<T> {
  for (;;) {
    const first = list.shift();
    if (first !== undefined) return first;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
