// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { IMAGE_POLICY, type ImagePolicySpec } from '#crds/v1alpha1/image-policy';
import type { ImagePolicyObject } from '../../core/images/objects.ts';
import { ApiError } from '../../runtime/api-error.ts';
import type { Reader } from '../../runtime/controller.ts';
import { ImagePolicies } from './image-policies.ts';

const spec = IMAGE_POLICY.spec.parse({
  images: ['*'],
  authorities: [{ name: 'builder', key: { secretRef: { name: 'keys', key: 'cosign.pub' } } }],
  require: { signatures: { from: ['builder'] } },
}) as ImagePolicySpec;

function policyIn(namespace: string): ImagePolicyObject {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'ImagePolicy',
    metadata: { name: 'p', namespace, uid: 'p', generation: 1 },
    spec,
  };
}

/** A reader of one Secret, or of what it is like to ask for it. */
function reading(live: () => Promise<unknown>): Reader {
  return { get: () => undefined, list: () => [], live } as unknown as Reader;
}

test('a Secret that may not be read, and one that is not there, are told apart', async (t) => {
  const policies = new ImagePolicies('platform');
  const denied = reading(() =>
    Promise.reject(new ApiError({ status: 403, code: 'forbidden', reason: 'Forbidden', message: 'no' })),
  );
  t.like((await policies.read(policyIn('a'), denied)).inputs, { keys: {}, forbidden: ['keys'] });
  const absent = reading(() => Promise.resolve(undefined));
  t.deepEqual((await policies.read(policyIn('b'), absent)).inputs.forbidden, undefined);
});

test('all who ask at one time have read the same, though the Secret has become another', async (t) => {
  const policies = new ImagePolicies('platform');
  let asked = 0;
  const changing = reading(() => {
    asked += 1;
    return Promise.resolve({ data: { 'cosign.pub': Buffer.from(`key ${asked}`).toString('base64') } });
  });
  const first = await policies.read(policyIn('a'), changing);
  const second = await policies.read(policyIn('a'), changing);
  t.is(first.digest, second.digest);
  t.is(asked, 1);
});
