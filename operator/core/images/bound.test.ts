// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { MAX_VERDICT_POLICIES } from '#crds/v1alpha1/image-verdict';
import { judgeImages } from './admit.ts';
import { heldPolicies } from './bound.ts';
import type { ImagePolicyObject } from './objects.ts';
import { planImagePolicy } from './policy-plan.ts';
import type { ImagePolicyFacts } from './policy.ts';

function policies(kind: ImagePolicyFacts['kind'], count: number): readonly ImagePolicyFacts[] {
  return Array.from({ length: count }, (_, index) => ({
    kind,
    namespace: 'team',
    name: `p-${String(index).padStart(3, '0')}`,
    uid: `${kind}-${index}`,
    generation: 1,
    images: ['*'],
    enforcement: 'Enforce',
    unknown: 'Allow',
    maxAgeSeconds: 3600,
  }));
}

for (const { ofPlatform, ofTenant, held } of [
  { ofPlatform: 1, ofTenant: 2, held: [1, 2] },
  { ofPlatform: 1, ofTenant: 65, held: [1, 63] },
  { ofPlatform: 40, ofTenant: 65, held: [40, 24] },
  { ofPlatform: 70, ofTenant: 70, held: [48, 16] },
  { ofPlatform: 0, ofTenant: 70, held: [0, 64] },
]) {
  test(`of ${ofPlatform} policies of the platform and ${ofTenant} of a tenant ${held.join(' and ')} are held`, (t) => {
    const all = [...policies('ImagePolicy', ofTenant), ...policies('ClusterImagePolicy', ofPlatform)];
    const kept = heldPolicies(all);
    const count = (kind: string) => kept.filter((one) => one.kind === kind).length;
    t.deepEqual([count('ClusterImagePolicy'), count('ImagePolicy')], held);
    t.true(kept.length <= MAX_VERDICT_POLICIES);
    t.deepEqual(heldPolicies(all.toReversed()), kept, 'whatever the order they are listed in');
  });
}

test('an image does not pass what is left out, and is not asked about for it', (t) => {
  const { findings, wanted } = judgeImages({
    uses: [{ field: 'spec.containers[0].image', image: 'registry.example/app:1' }],
    policies: policies('ImagePolicy', 65),
    known: {
      proofOf: (image) => ({
        namespace: 'team',
        image,
        digest: `sha256:${'a'.repeat(64)}`,
        verifiedAt: '2026-11-23T12:00:00.000Z',
        expiresAt: '2026-11-24T12:00:00.000Z',
        policies: policies('ImagePolicy', 64).map(({ kind, name, uid }) => {
          return { kind, name, uid, generation: 1, digest: 'd', outcome: 'Verified', message: '' };
        }),
      }),
      proofsOfDigest: () => [],
    },
    now: new Date('2026-11-23T12:00:00.000Z'),
  });
  t.deepEqual(
    findings.map(({ kind, reason, policy }) => [kind, reason, policy.name]),
    [['Refused', 'TooManyPolicies', 'p-064']],
  );
  t.deepEqual(wanted, []);
});

for (const { names, reason } of [
  { names: 63, reason: 'InForce' },
  { names: 64, reason: 'TooManyPolicies' },
]) {
  test(`a policy beside ${names} others of an image is ${reason}`, (t) => {
    const told = policies('ImagePolicy', names).map(({ kind, name }) => {
      return { kind, name, outcome: 'Verified', message: '' };
    });
    const verdict = {
      apiVersion: 'v1',
      kind: 'ImageVerdict',
      metadata: { name: 'v', namespace: 'team' },
      spec: { image: 'registry.example/app:1' },
      status: { policies: told },
    };
    const object = {
      apiVersion: 'v1',
      kind: 'ImagePolicy',
      metadata: { name: 'z', namespace: 'team' },
      spec: { images: ['registry.example/*'] },
    } as unknown as ImagePolicyObject;
    const seen = { digest: 'd', problems: [], verdicts: [verdict], hasSecrets: false };
    const { status } = planImagePolicy(object, seen, new Date(0));
    t.like(status?.conditions, [{ type: 'Ready', reason }]);
  });
}
