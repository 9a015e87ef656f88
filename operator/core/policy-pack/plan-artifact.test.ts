// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { POLICY_PACK } from '#crds/v1alpha1/policy-pack';
import type { Plan } from '../plan.ts';
import type { PolicyPack, PolicyPackRevision } from './pack.ts';
import { type PackObserved, planPolicyPack } from './plan.ts';
import { objectsOf, revisionNameOf } from './revision.ts';
import type { Verification, VerifiedPack } from './verification.ts';

const NOW = new Date('2026-11-22T12:00:00Z');
/** Of an artifact it is known before it is read. */
const SOURCE = `sha256:${'9'.repeat(64)}`;
const PLATFORM = 'nexusos-system';

function pack(spec: object, status?: PolicyPack['status']): PolicyPack {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'PolicyPack',
    metadata: { name: 'images', namespace: 'acme-main', uid: 'u1', generation: 1 },
    spec: POLICY_PACK.spec.parse({ version: '1.0.0', ...spec }),
    ...(status && { status }),
  };
}

const VERIFIED: VerifiedPack = {
  module: { digest: `sha256:${'1'.repeat(64)}`, size: 10, parts: ['AAAA'] },
  entrypoints: [{ path: 'nexusos/main/decision', role: 'decision' }],
  builtins: [],
  hasMutate: false,
  provenance: 'Bundle',
  tests: 3,
};

function made(of: PolicyPack) {
  const wanted = revisionNameOf(of, SOURCE);
  const objects = objectsOf(of, wanted, { verified: VERIFIED, platformNamespace: PLATFORM });
  return { revision: objects.at(-1) as PolicyPackRevision, chunks: objects.slice(0, -1) };
}

function found(of: PolicyPack, verification: Verification) {
  return { kind: 'found', wanted: revisionNameOf(of, SOURCE), verification } as const;
}

function observed(of: PolicyPack, fields: Partial<PackObserved> = {}): PackObserved {
  return {
    floors: { policies: [], bindings: [] },
    place: { kind: 'tenant', tenant: 'acme' },
    platformNamespace: PLATFORM,
    inventoryKinds: [],
    source: found(of, { kind: 'pending' }),
    replicas: [],
    blast: 'none',
    revisions: [],
    chunks: [],
    ...fields,
  };
}

const REFUSED_ARTIFACT = {
  kind: 'fault',
  fault: { reason: 'ArtifactRefused', message: 'by nobody who is trusted', passing: false },
} as const;
const UNKNOWN_ARTIFACT = {
  kind: 'fault',
  fault: { reason: 'ArtifactUnknown', message: 'no answer', passing: true, isUnknown: true },
} as const;
const OCI = { source: { oci: { image: 'registry.example/packs/a', digest: SOURCE } } };

function verifiedOf(plan: Plan<PolicyPack['status'] & object>) {
  const { status, reason, message } = plan.status.conditions?.find(({ type }) => type === 'Verified') ?? {};
  return { status, reason, message };
}

test('an artifact that is refused is not made a revision of, though it was compiled', (t) => {
  const mine = pack(OCI);
  const source = found(mine, { kind: 'verified', pack: VERIFIED });
  const plan = planPolicyPack(mine, observed(mine, { source, artifact: REFUSED_ARTIFACT }), NOW);
  t.deepEqual(plan.create, []);
  t.like(verifiedOf(plan), { status: 'False', reason: 'ArtifactRefused' });
  t.is(plan.status.phase, 'Rejected');
  t.like(
    plan.status.conditions?.find(({ type }) => type === 'Stalled'),
    { status: 'True' },
  );
});

test('of an artifact of which nothing is known it is not said that it is refused', (t) => {
  const mine = pack(OCI);
  const plan = planPolicyPack(mine, observed(mine, { artifact: UNKNOWN_ARTIFACT }), NOW);
  t.deepEqual(plan.create, []);
  t.like(verifiedOf(plan), { status: 'Unknown', reason: 'ArtifactUnknown' });
  t.is(plan.status.phase, 'Pending');
  t.is(plan.result.kind, 'requeueAfter');
});

for (const artifact of [REFUSED_ARTIFACT, UNKNOWN_ARTIFACT]) {
  test(`what decides goes on to where its artifact is ${artifact.fault.reason}, and a candidate goes no further`, (t) => {
    const mine = pack(OCI);
    const { revision, chunks } = made(mine);
    const { name } = revision.metadata;
    const deciding = pack(OCI, { phase: 'Active', activeRevision: name });
    const source = found(deciding, { kind: 'pending' });
    const kept = { source, revisions: [revision], chunks, artifact };
    const plan = planPolicyPack(deciding, observed(deciding, kept), NOW);
    t.is(plan.status.activeRevision, name);
    t.is(plan.status.phase, 'Active');
    t.deepEqual(plan.remove, []);
    t.is(verifiedOf(plan).reason, artifact.fault.reason);
    const startedAt = '2026-11-22T00:00:00Z';
    const stage = { name: 'Shadow', percent: 0, startedAt, samples: 100_000 };
    const trying = pack(OCI, { phase: 'Shadow', candidateRevision: name, stage });
    const after = planPolicyPack(trying, observed(trying, kept), NOW).status;
    t.is(after.candidateRevision, name);
    t.is(after.activeRevision, undefined);
  });
}

for (const artifact of [REFUSED_ARTIFACT, UNKNOWN_ARTIFACT]) {
  const { reason, passing } = artifact.fault;
  for (const suspended of [false, true]) {
    test(`who goes back to a candidate that is ${reason} gets it no further${suspended ? ', suspended' : ''}`, (t) => {
      const startedAt = '2026-11-22T00:00:00Z';
      const stage = { name: 'Shadow', percent: 0, startedAt, samples: 100_000 };
      const { revision, chunks } = made(pack(OCI));
      const { name } = revision.metadata;
      const asked = { ...OCI, rollbackTo: name, suspended };
      const mine = pack(asked, { phase: 'Shadow', candidateRevision: name, stage });
      const source = suspended ? ({ kind: 'unread' } as const) : found(mine, { kind: 'pending' });
      const kept = { source, revisions: [revision], chunks, artifact };
      const { status } = planPolicyPack(mine, observed(mine, kept), NOW);
      t.is(status.activeRevision, undefined);
      t.is(status.candidateRevision, name);
      const standing = status.conditions?.find(({ type }) => type === (passing ? 'Reconciling' : 'Stalled'));
      t.like(standing, { status: 'True', reason });
      t.regex(standing?.message ?? '', /spec\.rollbackTo: .* has never been active/);
      const better = planPolicyPack(mine, observed(mine, { ...kept, artifact: undefined }), NOW);
      t.is(better.status.activeRevision, name, 'nothing else holds it');
    });
  }
  test(`who goes back to what has decided does so, though its artifact is ${reason}`, (t) => {
    const { revision, chunks } = made(pack(OCI));
    const { name } = revision.metadata;
    const history = [
      {
        revision: name,
        outcome: 'Active',
        reason: 'RevisionActivated',
        message: '',
        at: '2026-11-21T00:00:00Z',
      },
    ] as const;
    for (const before of [
      { history: [...history] },
      { previousRevision: name },
      { decided: ['newer', name] },
    ]) {
      const mine = pack(
        { ...OCI, rollbackTo: name },
        { phase: 'Active', activeRevision: 'newer', ...before },
      );
      const source = found(mine, { kind: 'pending' });
      const kept = { source, revisions: [revision], chunks, artifact };
      t.is(planPolicyPack(mine, observed(mine, kept), NOW).status.activeRevision, name);
    }
  });
}

const ELSEWHERE: Readonly<Record<string, object>> = {
  'another artifact': {
    source: { oci: { image: 'registry.example/packs/a', digest: `sha256:${'8'.repeat(64)}` } },
  },
  'a bundle': {
    source: { bundle: { url: 'https://packs.example/a.tar.gz', digest: `sha256:${'8'.repeat(64)}` } },
  },
  'rules in the manifest': { source: { inline: { modules: { 'a.rego': 'package a' } } } },
};

for (const [title, elsewhere] of Object.entries(ELSEWHERE)) {
  test(`what never decided is no way back once the source names ${title}`, (t) => {
    const { revision, chunks } = made(pack(OCI));
    const { name } = revision.metadata;
    for (const artifact of [undefined, { kind: 'unasked' } as const]) {
      for (const suspended of [false, true]) {
        const mine = pack(
          { ...elsewhere, rollbackTo: name, suspended },
          { phase: 'Active', activeRevision: 'older' },
        );
        const source = { kind: 'unread' } as const;
        const kept = { source, revisions: [revision], chunks, artifact };
        const { status } = planPolicyPack(mine, observed(mine, kept), NOW);
        t.is(status.activeRevision, 'older');
        t.is(status.candidateRevision, undefined);
        const standing = status.conditions?.find(({ type }) => type === 'Stalled');
        t.like(standing, { status: 'True', reason: 'NeverActive' });
        t.regex(standing?.message ?? '', /was made of sha256:9{64}, which spec\.source does not name/);
        const decided = { ...mine, status: { ...mine.status, previousRevision: name } };
        const back = planPolicyPack(decided, observed(decided, kept), NOW);
        t.is(back.status.activeRevision, name, 'what has decided is a way back');
      }
    }
  });
}

test('what was written into a manifest is held against no policy on images, wherever it is gone to from', (t) => {
  const before = pack({ source: { inline: { modules: { 'a.rego': 'package a' } } } });
  const wanted = revisionNameOf(before, SOURCE);
  const verified: VerifiedPack = { ...VERIFIED, provenance: 'Inline' };
  const objects = objectsOf(before, wanted, { verified, platformNamespace: PLATFORM });
  const mine = pack({ ...ELSEWHERE['another artifact'], rollbackTo: wanted.name });
  const kept = {
    source: { kind: 'unread' } as const,
    revisions: [objects.at(-1) as PolicyPackRevision],
    chunks: objects.slice(0, -1),
  };
  t.is(planPolicyPack(mine, observed(mine, kept), NOW).status.activeRevision, wanted.name);
});

test('an artifact that is as asked is told with its revision, and looked at again when that may be otherwise', (t) => {
  const mine = pack(OCI);
  const { revision, chunks } = made(mine);
  const artifact = { kind: 'trusted', message: 'the artifact is as asked', againMs: 7000 } as const;
  const source = found(mine, { kind: 'pending' });
  const plan = planPolicyPack(mine, observed(mine, { source, revisions: [revision], chunks, artifact }), NOW);
  t.regex(verifiedOf(plan).message ?? '', /PolicyPackRevision images-.*; the artifact is as asked/);
  t.like(plan.result, { kind: 'requeueAfter' });
  t.true(plan.result.kind === 'requeueAfter' && plan.result.afterMs <= 7000);
});
