// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { LABELS } from '#crds/v1alpha1/names';
import { factsOf, select, type Selection } from './selection.ts';
import { buildSnapshot, type PackState, type SnapshotInput, type SnapshotRevision } from './snapshot.ts';
import { makeExemption, makeInput, makeReview, makeRevision, makeState, PLATFORM } from './testing/make.ts';
import type { Review } from './review.ts';

const OLD = makeRevision({ revision: 'baseline-old', version: '1.0.0' });
const NEW = makeRevision({ revision: 'baseline-new', version: '2.0.0' });
const OWN = makeRevision({
  pack: { namespace: 'acme-dev', name: 'own' },
  trust: 'Tenant',
  binding: { rules: [{ apiGroups: ['*'], resources: ['*'], operations: ['*'] }] },
});
const OWN_STATE = makeState(OWN, { tenant: 'acme' });

function selected(input: SnapshotInput, review: Partial<Review> = {}): Selection {
  const snapshot = buildSnapshot(input);
  const request = makeReview(review);
  return select(snapshot, request, factsOf(snapshot, request, LABELS.tenant));
}

const keys = (revisions: readonly SnapshotRevision[]) => revisions.map(({ revision }) => revision);
const decides = (state: Partial<PackState>, more: Partial<SnapshotInput> = {}) =>
  keys(selected(makeInput([makeState(OLD, state)], [OLD, NEW], more)).deciding);

const digest = (input: SnapshotInput) => buildSnapshot(input).digest;

test('the same packs give the same digest, whatever their order; and another for whatever decides', (t) => {
  const own = makeState(OWN, { tenant: 'acme' });
  const one = makeInput([makeState(OLD), own], [OLD, OWN]);
  t.is(digest(one), digest(makeInput([own, makeState(OLD)], [OWN, OLD])));
  t.is(digest(one), digest({ ...one, namespaces: new Map() }), 'what is judged is no part of it');
  const others: SnapshotInput[] = [
    makeInput([makeState(OLD)], [OLD]),
    makeInput([makeState(NEW), own], [NEW, OWN]),
    { ...one, exemptions: [makeExemption()] },
    makeInput([makeState(OLD, { candidate: NEW.key, rollout: 'Shadow' }), own], [OLD, NEW, OWN]),
    makeInput([makeState(OLD, { candidate: NEW.key, rollout: 'Cohort', percent: 5 }), own], [OLD, NEW, OWN]),
    makeInput([makeState(OLD), own], [{ ...OLD, isLoaded: false }, OWN]),
  ];
  const all = new Set([one, ...others].map(digest));
  t.is(all.size, others.length + 1);
});

test('which revision decides', (t) => {
  const cohort = { candidate: NEW.key, rollout: 'Cohort' } as const;
  t.deepEqual(decides({}), ['baseline-old']);
  t.deepEqual(decides({ active: undefined }), []);
  t.deepEqual(decides({ candidate: NEW.key, rollout: 'Shadow' }), ['baseline-old']);
  t.deepEqual(decides({ candidate: NEW.key }), ['baseline-old'], 'a candidate that is only loaded');
  t.deepEqual(decides({ ...cohort, percent: 0 }), ['baseline-old']);
  t.deepEqual(decides({ ...cohort, percent: 100 }), ['baseline-new']);
  t.deepEqual(decides({ ...cohort, percent: 100 }, { quarantined: new Set([NEW.key]) }), ['baseline-old']);
});

test('what cannot be loaded is not what is passed over', (t) => {
  const gone = { ...NEW, isLoaded: false };
  const input = makeInput([makeState(NEW)], [OLD, gone], {
    enforced: new Map([['nexusos/baseline', OLD.key]]),
  });
  t.deepEqual(keys(selected(input).deciding), ['baseline-old'], 'what decided before goes on');
  t.deepEqual(buildSnapshot(input).behind, [{ pack: 'nexusos/baseline', wants: NEW.key, why: 'NotLoaded' }]);
  const previous = makeInput([makeState(NEW, { previous: OLD.key })], [OLD, gone]);
  t.deepEqual(keys(selected(previous).deciding), ['baseline-old']);
  const nothing = selected(makeInput([makeState(NEW)], [gone]));
  t.deepEqual(
    keys(nothing.deciding),
    ['baseline-new'],
    'where there is nothing before, it is asked, and fails',
  );
  t.false(nothing.deciding[0]?.isLoaded);
});

test('nobody chooses an older revision to be judged by', (t) => {
  const quarantined = new Set([NEW.key]);
  const input = makeInput([makeState(NEW, { previous: OLD.key })], [OLD, NEW], { quarantined });
  t.deepEqual(keys(selected(input).deciding), ['baseline-new']);
});

test('the platform is asked first', (t) => {
  const { deciding } = selected(makeInput([OWN_STATE, makeState(OLD)], [OWN, OLD]));
  t.deepEqual(keys(deciding), ['baseline-old', OWN.revision]);
});

const SELF = { username: 'system:serviceaccount:nexusos:nexusos-operator', groups: [] };
const POLICY = { group: 'networking.k8s.io', version: 'v1', resource: 'networkpolicies' };
const REACH: Readonly<Record<string, { review: Partial<Review>; want: boolean; tenant?: string }>> = {
  'in its tenant': { review: {}, want: true },
  'in another namespace': { review: { namespace: 'other' }, want: false },
  'in no namespace': { review: { namespace: '' }, want: false },
  "in its tenant's namespace, of another tenant's pack": { review: {}, want: false, tenant: 'acm' },
  'the namespace itself': {
    review: { resource: { group: '', version: 'v1', resource: 'namespaces' }, name: 'acme-dev' },
    want: false,
  },
  'pods that the operator makes': { review: { userInfo: SELF }, want: true },
  'pods that the operator deletes': { review: { userInfo: SELF, operation: 'DELETE' }, want: false },
  'a border that the operator makes': { review: { userInfo: SELF, resource: POLICY }, want: false },
  'a border that somebody else makes': { review: { resource: POLICY }, want: true },
  'a pack': {
    review: { resource: { group: 'nexusos.dev', version: 'v1alpha1', resource: 'policypacks' } },
    want: false,
  },
};

for (const [name, { review, want, tenant = 'acme' }] of Object.entries(REACH)) {
  test(`a tenant's pack ${want ? 'judges' : 'does not judge'}: ${name}`, (t) => {
    const input = makeInput([makeState(OWN, { tenant })], [OWN]);
    const namespaces = new Map([...input.namespaces, ['other', { name: 'other', labels: {} }]]);
    t.is(selected({ ...input, namespaces }, review).deciding.length, want ? 1 : 0);
  });
}

test('whom a pack of a tenant is about is not for it to say', (t) => {
  const cunning = {
    ...OWN,
    binding: { ...OWN.binding, tenants: { names: ['other'] }, excludedNamespaces: ['acme-dev'] },
  };
  t.is(selected(makeInput([OWN_STATE], [cunning])).deciding.length, 1);
});

test('both revisions are compared in shadow and cohort, members or not', (t) => {
  const pairs = (state: Partial<PackState>, candidate = NEW) =>
    selected(
      makeInput([makeState(OLD, { candidate: candidate.key, ...state })], [OLD, candidate]),
    ).shadow.map(({ active, candidate }) => [active?.revision, candidate?.revision]);
  t.deepEqual(pairs({ rollout: 'Shadow' }), [['baseline-old', 'baseline-new']]);
  t.deepEqual(pairs({ rollout: 'Cohort', percent: 100 }), [['baseline-old', 'baseline-new']]);
  t.deepEqual(pairs({ rollout: 'None' }), []);
  t.deepEqual(pairs({ rollout: 'Shadow', active: undefined }), [[undefined, 'baseline-new']]);
  const narrow = { ...NEW, binding: { tenants: { names: ['other'] } } };
  t.deepEqual(pairs({ rollout: 'Shadow' }, narrow), [['baseline-old', undefined]]);
});

test('housekeeping of the operator is told from what it makes for users', (t) => {
  const of = (review: Partial<Review>) =>
    selected(makeInput([], []), { userInfo: SELF, ...review }).isProtected;
  t.true(of({ resource: POLICY }));
  t.false(of({}));
  t.false(
    selected(makeInput([], []), { resource: POLICY, userInfo: { username: 'ann', groups: [] } }).isProtected,
  );
});

test('packs that cannot be about a request are not looked at', (t) => {
  const reads: string[] = [];
  const watched = (revision: SnapshotRevision): SnapshotRevision => {
    const binding = new Proxy(revision.binding, {
      get: (target, key) => (reads.push(String(key)), Reflect.get(target, key)),
    });
    return { ...revision, binding };
  };
  const pods = watched(makeRevision({ binding: { rules: [{ apiGroups: [''], resources: ['pods'] }] } }));
  const snapshot = buildSnapshot(makeInput([makeState(pods)], [pods]));
  const review = makeReview({ resource: POLICY, namespace: 'acme-dev' });
  reads.length = 0;
  t.is(select(snapshot, review, factsOf(snapshot, review, LABELS.tenant)).deciding.length, 0);
  t.deepEqual(reads, []);
  t.is(snapshot.platformNamespace, PLATFORM);
});
