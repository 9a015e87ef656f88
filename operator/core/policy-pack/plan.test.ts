// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { POLICY_PACK } from '#crds/v1alpha1/policy-pack';
import { RefusedError } from '../errors.ts';
import type { KubeObject } from '../object.ts';
import type { Plan } from '../plan.ts';
import type { TenantHoldings } from './allowance.ts';
import type { PolicyPack, PolicyPackRevision } from './pack.ts';
import { finalizePolicyPack, type PackObserved, planPolicyPack, planRefused } from './plan.ts';
import { objectsOf, type RevisionName, revisionNameOf } from './revision.ts';
import type { VerifiedPack } from './verification.ts';

const NOW = new Date('2026-11-22T12:00:00Z');
const SOURCE = `sha256:${'5'.repeat(64)}`;
const PLATFORM = 'nexusos-system';

function pack(spec: object = {}, status?: PolicyPack['status']): PolicyPack {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'PolicyPack',
    metadata: { name: 'images', namespace: 'acme-main', uid: 'u1', generation: 1 },
    spec: POLICY_PACK.spec.parse({
      version: '1.0.0',
      source: { inline: { modules: { 'a.rego': 'package a' } } },
      ...spec,
    }),
    ...(status && { status }),
  };
}

const VERIFIED: VerifiedPack = {
  module: { digest: `sha256:${'1'.repeat(64)}`, size: 10, parts: ['AAAA', 'BBBB'] },
  data: { digest: `sha256:${'2'.repeat(64)}`, size: 3, parts: ['CCCC'] },
  entrypoints: [{ path: 'nexusos/main/decision', role: 'decision' }],
  builtins: [],
  hasMutate: false,
  provenance: 'Inline',
  tests: 3,
  coveragePercent: 90,
};

function made(of: PolicyPack, wanted: RevisionName = revisionNameOf(of, SOURCE)) {
  const objects = objectsOf(of, wanted, { verified: VERIFIED, platformNamespace: PLATFORM });
  const revision = objects.at(-1) as PolicyPackRevision;
  const at = { creationTimestamp: '2026-11-22T11:00:00Z', uid: `uid-${wanted.name}` };
  return {
    revision: { ...revision, metadata: { ...revision.metadata, ...at } },
    chunks: objects.slice(0, -1).map((one) => partial(one)),
  };
}

/** As a store of metadata has it. */
function partial({ metadata }: KubeObject): KubeObject {
  return {
    apiVersion: 'meta.k8s.io/v1',
    kind: 'PartialObjectMetadata',
    metadata: { ...metadata, uid: metadata.name },
  };
}

function observed(of: PolicyPack, fields: Partial<PackObserved> = {}): PackObserved {
  return {
    floors: { policies: [], bindings: [] },
    place: { kind: 'tenant', tenant: 'acme' },
    platformNamespace: PLATFORM,
    inventoryKinds: [],
    source: { kind: 'found', wanted: revisionNameOf(of, SOURCE), verification: { kind: 'pending' } },
    replicas: [],
    blast: 'none',
    revisions: [],
    chunks: [],
    ...fields,
  };
}

function found(
  of: PolicyPack,
  verification: Extract<PackObserved['source'], { kind: 'found' }>['verification'],
) {
  return { kind: 'found', wanted: revisionNameOf(of, SOURCE), verification } as const;
}

type Told = Plan<{
  readonly conditions?: readonly { type: string; status: string; reason: string }[] | undefined;
}>;

function condition(plan: Told, type: string): string | undefined {
  const one = plan.status.conditions?.find((each) => each.type === type);
  return one && `${one.status} ${one.reason}`;
}

test('a source that is not verified yet: it says so, and does nothing', (t) => {
  const one = pack();
  const plan = planPolicyPack(one, observed(one), NOW);
  t.is(condition(plan, 'Verified'), 'Unknown Verifying');
  t.is(plan.status.phase, 'Pending');
  t.deepEqual([plan.create, plan.remove], [[], []]);
});

test('what was said of this generation stands while it is found out anew', (t) => {
  const one = pack();
  const fault = { reason: 'CompileFailed', message: 'a.rego:1: x', passing: false } as const;
  const said = planPolicyPack(one, observed(one, { source: { kind: 'fault', fault } }), NOW).status;
  t.deepEqual(planPolicyPack(pack({}, said), observed(one), NOW).status, said);
});

const MEBIBYTE = 1024 * 1024;

/** What acme has, in all of its namespaces. */
function holdings(fields: Partial<TenantHoldings> = {}): TenantHoldings {
  const allowance = { packs: 2, mebibytes: 1 };
  return { tenant: 'acme', packs: [], revisions: [], allowance, ...fields };
}

function aged(name: string, second: number, deletionTimestamp?: string): PolicyPack {
  const one = pack();
  const creationTimestamp = `2026-11-22T11:00:0${second}Z`;
  const metadata = { ...one.metadata, name, uid: `uid-${name}`, creationTimestamp };
  return { ...one, metadata: { ...metadata, ...(deletionTimestamp !== undefined && { deletionTimestamp }) } };
}

const LINE: Readonly<Record<string, { readonly of: number; readonly want: string | undefined }>> = {
  'the oldest': { of: 0, want: undefined },
  'one that is going, whose place is free': { of: 1, want: undefined },
  'the last for whom there is room': { of: 2, want: undefined },
  'one too many': { of: 3, want: 'False TooManyPacks' },
};

for (const [title, { of, want }] of Object.entries(LINE)) {
  test(`of the packs of a tenant so many are looked at, the oldest first: ${title}`, (t) => {
    const packs = [aged('a', 1), aged('b', 2, '2026-11-22T11:30:00Z'), aged('c', 3), aged('d', 4)];
    const one = packs[of]!;
    const source = found(one, { kind: 'verified', pack: VERIFIED });
    const plan = planPolicyPack(
      one,
      observed(one, { source, holdings: holdings({ packs: packs.toReversed() }) }),
      NOW,
    );
    if (want === undefined) t.is(plan.create.length, 4);
    else {
      t.is(condition(plan, 'Verified'), want);
      t.is(plan.create.length, 0);
      t.regex(JSON.stringify(plan.status), /tenant acme has 3 PolicyPacks; the 2 that are oldest/);
      t.like(plan.result, { kind: 'requeueAfter' }, 'there may be room later');
    }
  });
}

test('what a tenant keeps has a limit: a revision that would be too much is not made, and what decides stays', (t) => {
  const one = pack({}, { phase: 'Active', activeRevision: 'images-old' });
  const old = made(one).revision;
  const large = { ...old, spec: { ...old.spec, module: { ...old.spec.module, size: MEBIBYTE - 10 } } };
  const source = found(one, { kind: 'verified', pack: VERIFIED });
  const at = (revisions: readonly PolicyPackRevision[]) =>
    planPolicyPack(one, observed(one, { source, holdings: holdings({ revisions }) }), NOW);
  t.is(at([old]).create.length, 4, 'there is room');
  const plan = at([large]);
  t.is(condition(plan, 'Verified'), 'False StorageExceeded');
  t.is(plan.create.length, 0);
  t.is(plan.status.activeRevision, 'images-old');
  t.regex(JSON.stringify(plan.status), /together they may have 1 .*spec.revisionHistoryLimit/);
  t.is(
    planPolicyPack(one, observed(one, { source, place: { kind: 'platform' } }), NOW).create.length,
    4,
    'the platform has no such limit',
  );
});

test('verified: its parts are made first, then what names them', (t) => {
  const one = pack();
  const source = found(one, { kind: 'verified', pack: VERIFIED });
  const plan = planPolicyPack(one, observed(one, { source }), NOW);
  t.deepEqual(
    plan.create.map(({ kind }) => kind),
    ['ConfigMap', 'ConfigMap', 'ConfigMap', 'PolicyPackRevision'],
  );
  const [, , , revision] = plan.create;
  const { module, data } = (revision as PolicyPackRevision).spec;
  t.deepEqual(
    [...module.chunks, ...data!.chunks],
    plan.create.slice(0, 3).map(({ metadata }) => metadata.name),
  );
  t.true(
    plan.create
      .slice(0, 3)
      .every(({ metadata }) => metadata.namespace === PLATFORM && metadata.ownerReferences === undefined),
  );
  t.is(condition(plan, 'Verified'), 'Unknown RevisionPending');
});

test('made: it is what the source is, and nothing is made again', (t) => {
  const one = pack();
  const { revision, chunks } = made(one);
  const source = found(one, { kind: 'verified', pack: VERIFIED });
  const plan = planPolicyPack(one, observed(one, { source, revisions: [revision], chunks }), NOW);
  t.is(condition(plan, 'Verified'), 'True Verified');
  t.is(plan.status.candidateRevision, revision.metadata.name);
  t.like(plan.status.source, { revision: revision.metadata.name, tests: 3, coveragePercent: 90 });
  t.deepEqual([plan.create, plan.remove], [[], []]);
});

test('what was made stays as it was told, when the tests that were run are known no more', (t) => {
  const one = pack();
  const { revision, chunks } = made(one);
  const kept = { revisions: [revision], chunks };
  const source = found(one, { kind: 'verified', pack: VERIFIED });
  const { status } = planPolicyPack(one, observed(one, { source, ...kept }), NOW);
  const later = planPolicyPack(pack({}, status), observed(one, kept), NOW);
  t.deepEqual(later.status.source, status.source);
});

test('a part that is gone is made again, and the revision is none until then', (t) => {
  const one = pack();
  const { revision, chunks } = made(one);
  const source = found(one, { kind: 'verified', pack: VERIFIED });
  const plan = planPolicyPack(
    one,
    observed(one, { source, revisions: [revision], chunks: chunks.slice(1) }),
    NOW,
  );
  t.is(plan.create.length, 4);
});

test('a version that is refused leaves alone what decides', (t) => {
  const active = made(pack());
  const status = { activeRevision: active.revision.metadata.name, phase: 'Active' as const };
  const next = pack({ version: '2.0.0' }, status);
  const fault = { reason: 'TestsFailed', message: '1 of 1 tests fail', passing: false } as const;
  const plan = planPolicyPack(
    next,
    observed(next, {
      source: found(next, { kind: 'fault', fault }),
      revisions: [active.revision],
      chunks: active.chunks,
    }),
    NOW,
  );
  t.like(plan.status, { phase: 'Active', activeRevision: active.revision.metadata.name });
  t.is(condition(plan, 'Verified'), 'False TestsFailed');
  t.is(condition(plan, 'Ready'), 'False TestsFailed');
  t.is(condition(plan, 'Stalled'), 'True TestsFailed');
  t.deepEqual(plan.remove, []);
});

test('what may pass is looked at again', (t) => {
  const one = pack();
  const fault = { reason: 'SourceUnavailable', message: 'it answered 503', passing: true } as const;
  const plan = planPolicyPack(one, observed(one, { source: found(one, { kind: 'fault', fault }) }), NOW);
  t.like(plan.result, { kind: 'requeueAfter', afterMs: 30_000 });
  t.is(condition(plan, 'Reconciling'), 'True SourceUnavailable');
});

test('in a namespace of nobody it judges nobody', (t) => {
  const one = pack();
  const plan = planPolicyPack(one, observed(one, { place: { kind: 'nobody' } }), NOW);
  t.is(condition(plan, 'Verified'), 'False NotBound');
});

for (const [field, value] of Object.entries({ tenants: { names: ['b'] }, excludedNamespaces: ['x'] })) {
  test(`binding.${field} is for packs of the platform`, (t) => {
    const one = pack({ binding: { [field]: value } });
    t.is(condition(planPolicyPack(one, observed(one), NOW), 'Verified'), 'False BindingNotAllowed');
    const ours = planPolicyPack(one, observed(one, { place: { kind: 'platform' } }), NOW);
    t.is(condition(ours, 'Verified'), 'Unknown Verifying');
  });
}

test('suspended: nothing is read and nothing changes', (t) => {
  const active = made(pack());
  const one = pack({ suspended: true }, { activeRevision: active.revision.metadata.name, phase: 'Active' });
  const kept = { revisions: [active.revision], chunks: active.chunks };
  const plan = planPolicyPack(one, observed(one, { source: { kind: 'unread' }, ...kept }), NOW);
  t.like(plan.status, { phase: 'Active', activeRevision: active.revision.metadata.name });
  t.is(condition(plan, 'Verified'), undefined);
});

/** Revisions of `one` by version, the oldest first, with all that they are kept in. */
function history(one: PolicyPack, versions: readonly string[]) {
  const all = versions.map((version, i) => {
    const { revision, chunks } = made({ ...one, spec: { ...one.spec, version } });
    const creationTimestamp = `2026-11-22T0${i}:00:00Z`;
    return { revision: { ...revision, metadata: { ...revision.metadata, creationTimestamp } }, chunks };
  });
  const chunks = new Map(all.flatMap((each) => each.chunks).map((each) => [each.metadata.name, each]));
  return { revisions: all.map(({ revision }) => revision), chunks: [...chunks.values()] };
}

test('the oldest revisions go that nobody needs, and what only they were kept in', (t) => {
  const one = pack({ revisionHistoryLimit: 1 });
  const kept = history(one, ['0.1.0', '0.2.0', '0.3.0', '1.0.0']);
  const loose = partial({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'nexusos-policy-loose', namespace: PLATFORM },
  });
  const active = kept.revisions[0]!.metadata.name;
  const status = { activeRevision: active, phase: 'Active' as const };
  const plan = planPolicyPack(
    { ...one, status },
    observed(one, { revisions: kept.revisions, chunks: [...kept.chunks, loose] }),
    NOW,
  );
  t.deepEqual(
    plan.remove.map(({ ref }) => `${ref.kind} ${ref.name}`),
    [`PolicyPackRevision ${kept.revisions[1]!.metadata.name}`, 'ConfigMap nexusos-policy-loose'],
    'not the active one, not the wanted one, and one more stays',
  );
});

test('who has decided is named for as long as there is a way back to it', (t) => {
  const one = pack({ revisionHistoryLimit: 1 });
  const kept = history(one, ['0.1.0', '0.2.0', '0.3.0', '1.0.0']);
  const [first = '', second = '', third = '', wanted = ''] = kept.revisions.map(
    ({ metadata }) => metadata.name,
  );
  const decided = [wanted, third, second, 'images-deleted-by-hand', first];
  const status = { activeRevision: wanted, previousRevision: first, phase: 'Active' as const, decided };
  const plan = planPolicyPack({ ...one, status }, observed(one, kept), NOW);
  t.deepEqual(
    plan.remove.flatMap(({ ref }) => (ref.kind === 'PolicyPackRevision' ? [ref.name] : [])),
    [second],
  );
  t.deepEqual(plan.status.decided, [wanted, third, first]);
  // What is written beforehand is true afterwards: there is no write for it.
  const revisions = kept.revisions.filter(({ metadata }) => metadata.name !== second);
  const after = planPolicyPack({ ...one, status: plan.status }, observed(one, { ...kept, revisions }), NOW);
  t.deepEqual(after.status, plan.status);
});

test('while what decides is not known, nothing goes', (t) => {
  const one = pack({ revisionHistoryLimit: 1 }, { activeRevision: 'images-unknown', phase: 'Active' });
  const kept = history(one, ['0.1.0', '0.2.0', '0.3.0', '1.0.0']);
  t.deepEqual(planPolicyPack(one, observed(one, kept), NOW).remove, []);
});

test('what a namesake left behind goes first', (t) => {
  const one = pack();
  const before = { ...one, metadata: { ...one.metadata, uid: 'u0' } };
  const { revision } = made(before);
  const plan = planPolicyPack(one, observed(one, { revisions: [revision] }), NOW);
  t.deepEqual(
    plan.remove.map(({ ref }) => ref.name),
    [revision.metadata.name],
  );
  t.deepEqual(plan.create, []);
});

test('what the API server will not have is told, and tried again', (t) => {
  const plan = planRefused(pack(), new RefusedError('conflict', 'PolicyPackRevision x exists'), NOW);
  t.is(condition(plan, 'Verified'), 'False RevisionRefused');
  t.is(plan.result.kind, 'requeueAfter');
});

test('a pack that goes is let go when what it was kept in is gone', (t) => {
  const one = pack();
  const { chunks } = made(one);
  const going = finalizePolicyPack(one, { revisions: [], chunks });
  t.deepEqual(
    going.remove.map(({ ref }) => [ref.apiVersion, ref.kind, ref.namespace]),
    chunks.map(() => ['v1', 'ConfigMap', PLATFORM]),
  );
  t.is(going.result.kind, 'requeueAfter');
  t.is(finalizePolicyPack(one, { revisions: [], chunks: [] }).result.kind, 'finalized');
});

test('the name follows from what people wrote', (t) => {
  const one = pack();
  const { name } = revisionNameOf(one, SOURCE);
  t.regex(name, /^images-[0-9a-f]{12}$/);
  t.is(
    revisionNameOf({ ...one, metadata: { ...one.metadata, uid: 'other' } }, SOURCE).name,
    name,
    'in any cluster',
  );
  const others = [
    pack({ version: '1.0.1' }),
    pack({ enforcement: 'Warn' }),
    pack({ parameters: { a: 1 } }),
    pack({ binding: { excludedNamespaces: ['x'] } }),
    pack({ input: 'AdmissionReview' }),
    pack({ evaluation: { deadlineMs: 10, memoryMiB: 16 } }),
  ].map((each) => revisionNameOf(each, SOURCE).name);
  t.is(new Set([name, ...others]).size, 7);
  t.is(revisionNameOf(pack({ rollout: { shadowSeconds: 5 }, revisionHistoryLimit: 3 }), SOURCE).name, name);
});
