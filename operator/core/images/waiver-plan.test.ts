// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { IMAGE_WAIVER } from '#crds/v1alpha1/image-waiver';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import { type ImageWaiverObject, planImageWaiver } from './waiver-plan.ts';

const NOW = new Date('2026-11-23T12:00:00Z');
const APPROVED = { decision: 'Approved', by: 'bob' };

const PLATFORM = 'nexusos-system';

function waiver(
  spec: object = {},
  status?: ImageWaiverObject['status'],
  namespace = PLATFORM,
): ImageWaiverObject {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'ImageWaiver',
    metadata: {
      name: 'right',
      namespace,
      generation: 2,
      annotations: { [ANNOTATIONS.createdBy]: 'alice' },
    },
    spec: IMAGE_WAIVER.spec.parse({
      policies: ['released'],
      vulnerability: 'CVE-2026-0001',
      subjects: { images: ['*'] },
      reason: 'nothing calls it',
      ticket: 'SEC-12',
      expiresAt: '2026-11-25T00:00:00Z',
      approval: APPROVED,
      ...spec,
    }),
    ...(status !== undefined && { status }),
  };
}

function ready(object: ImageWaiverObject, missing: readonly string[] = []) {
  const { status } = planImageWaiver(object, { missing, platformNamespace: PLATFORM }, NOW);
  return status.conditions?.find(({ type }) => type === 'Ready');
}

const CASES: Readonly<
  Record<
    string,
    { spec?: object; missing?: readonly string[]; namespace?: string; reason: string; says: RegExp }
  >
> = {
  'it counts': { reason: 'Counts', says: /^it counts until 2026-11-25T00:00:00Z$/ },
  'none of its policies is there': {
    missing: ['released'],
    reason: 'NotFound',
    says: /^spec\.policies: found released, and no ClusterImagePolicy of that name; wanted is one that there is/,
  },
  'none is there, and nobody has decided': {
    spec: { approval: undefined },
    missing: ['released'],
    reason: 'NotFound',
    says: /nothing is waived/,
  },
  'one of two is not there': {
    spec: { policies: ['released', 'relaesed'] },
    missing: ['relaesed'],
    reason: 'Counts',
    says: /; there is no ClusterImagePolicy relaesed$/,
  },
  'nobody has decided': { spec: { approval: undefined }, reason: 'Undecided', says: /somebody else/ },
  'who asked for it has approved it': {
    spec: { approval: { ...APPROVED, by: 'alice' } },
    reason: 'Undecided',
    says: /somebody else/,
  },
  'it was rejected': {
    spec: { approval: { ...APPROVED, decision: 'Rejected' } },
    reason: 'Rejected',
    says: /^it was rejected by bob$/,
  },
  'it counts later': {
    spec: { notBefore: '2026-11-24T00:00:00Z' },
    reason: 'NotYet',
    says: /^it counts from 2026-11-24T00:00:00Z on$/,
  },
  'it has run out': {
    spec: { expiresAt: '2026-11-23T12:00:00Z' },
    missing: ['released'],
    reason: 'Expired',
    says: /^it ran out at 2026-11-23T12:00:00Z: images that need it are refused$/,
  },
  'it has run out, and nobody had approved it': {
    spec: { expiresAt: '2026-11-23T12:00:00Z', approval: undefined },
    reason: 'Expired',
    says: /before somebody else than who asked for it had approved it: it has never counted$/,
  },
  'it has run out, and who asked for it had approved it': {
    spec: { expiresAt: '2026-11-23T12:00:00Z', approval: { ...APPROVED, by: 'alice' } },
    reason: 'Expired',
    says: /it has never counted$/,
  },
  'it was rejected, and has run out since, and its policy is gone': {
    spec: { expiresAt: '2026-11-23T12:00:00Z', approval: { ...APPROVED, decision: 'Rejected' } },
    missing: ['released'],
    reason: 'Rejected',
    says: /^it was rejected by bob$/,
  },
  'it is not where the platform is': {
    namespace: 'team-main',
    reason: 'WrongNamespace',
    says: /^metadata\.namespace: found team-main, where no waiver counts; wanted is nexusos-system,/,
  },
};

for (const [title, { spec = {}, missing = [], namespace, reason, says }] of Object.entries(CASES)) {
  test(`a waiver says whether it counts: ${title}`, (t) => {
    const found = ready(waiver(spec, undefined, namespace), missing);
    t.like(found, { reason, status: reason === 'Counts' ? 'True' : 'False', observedGeneration: 2 });
    t.regex(found?.message ?? '', says);
  });
}

test('when its policy comes, it counts, and says nothing else any more', (t) => {
  const platformNamespace = PLATFORM;
  const { status } = planImageWaiver(waiver(), { missing: ['released'], platformNamespace }, NOW);
  t.deepEqual(
    status.conditions?.map(({ type }) => type),
    ['Ready', 'Stalled'],
  );
  const healed = planImageWaiver(waiver({}, status), { missing: [], platformNamespace }, NOW).status;
  t.deepEqual(
    healed.conditions?.map(({ type, reason }) => [type, reason]),
    [['Ready', 'Counts']],
  );
});

const wait = (spec: object) =>
  planImageWaiver(waiver(spec), { missing: [], platformNamespace: PLATFORM }, NOW).result;

test('it is looked at again when something begins or ends', (t) => {
  t.like(wait({}), { kind: 'requeueAfter', afterMs: 36 * 3_600_000 });
  t.like(wait({ expiresAt: '2026-11-23T12:00:05Z' }), { afterMs: 5000 });
  t.like(wait({ notBefore: '2026-11-23T12:00:03Z', expiresAt: '2026-11-23T12:00:05Z' }), { afterMs: 3000 });
  t.is(wait({ expiresAt: '2026-11-23T12:00:00Z' }).kind, 'done');
});
