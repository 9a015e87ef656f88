// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { IMAGE_POLICY } from '#crds/v1alpha1/image-policy';
import type { ImagePolicyObject } from '../core/images/objects.ts';
import type { Problem } from '../core/images/works.ts';
import { planImagePolicy } from '../core/images/policy-plan.ts';

const policy: ImagePolicyObject = {
  apiVersion: 'nexusos.dev/v1alpha1',
  kind: 'ImagePolicy',
  metadata: { name: 'p', namespace: 'a', uid: 'p', generation: 1 },
  spec: IMAGE_POLICY.spec.parse({
    images: ['*'],
    authorities: [{ name: 'builder', key: { secretRef: { name: 'keys', key: 'cosign.pub' } } }],
    require: { signatures: { from: ['builder'] } },
  }),
};

const forbidden: Problem = {
  field: 'spec.authorities[0].key.secretRef',
  found: 'a Secret keys that the operator may not read',
  wanted: 'the key itself, in pem in place of secretRef',
  isForbidden: true,
};
const missing: Problem = { field: 'f', found: 'no TrustRoot r', wanted: 'one', isMissing: true };
const invalid: Problem = { field: 'g', found: 'a pattern', wanted: 'another' };

for (const { problems, reason } of [
  { problems: [forbidden], reason: 'Forbidden' },
  { problems: [missing], reason: 'NotFound' },
  { problems: [forbidden, invalid], reason: 'InvalidSpec' },
]) {
  test(`a policy with ${problems.map(({ found }) => found).join(' and ')} says ${reason}, and what would pass`, (t) => {
    const seen = { digest: 'd', problems, verdicts: [], hasSecrets: true };
    const { status } = planImagePolicy(policy, seen, new Date(0));
    const ready = status.conditions?.find(({ type }) => type === 'Ready');
    t.like(ready, { status: 'False', reason });
    for (const { wanted } of problems) t.true(ready?.message.includes(wanted), ready?.message);
  });
}
