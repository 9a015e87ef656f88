// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { IMAGE_POLICY, type ImagePolicySpec } from '#crds/v1alpha1/image-policy';
import type { ImagePolicyObject } from '../../core/images/objects.ts';
import type { Waiver } from '../../core/supply-chain/requirement.ts';
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

const noSecret = reading(() => Promise.resolve(undefined));

function waiver(name: string): Waiver {
  return { name, vulnerability: 'CVE-2026-1', expires: '2026-12-01T00:00:00Z' };
}

test('what a policy tells of itself makes it no other one', async (t) => {
  const policies = new ImagePolicies('platform');
  const before = await policies.read(policyIn('a'), noSecret, [waiver('w')]);
  // As a watch brings it: nothing of it is the object of before.
  const told = { ...structuredClone(policyIn('a')), status: { unknown: 1 } };
  const after = await policies.read(told, noSecret, [waiver('w')]);
  t.is(after.inputs, before.inputs);
  t.is(after.object, told, 'what it tells is new');
});

test('a policy that asks something else is another one, also one of the same name', async (t) => {
  const policies = new ImagePolicies('platform');
  const before = await policies.read(policyIn('a'), noSecret);
  const other = { ...policyIn('a'), spec: { ...spec, authorities: [] } };
  const after = await policies.read(other, noSecret);
  t.deepEqual(after.inputs.spec.authorities, []);
  t.not(after.digest, before.digest);
  t.is((await policies.read(policyIn('a'), noSecret)).digest, before.digest, 'and back');
});

test('images with as many sets of waivers as there are have each policy read once', async (t) => {
  const policies = new ImagePolicies('platform');
  const sets = Array.from({ length: 20 }, (_, number) => [waiver(`w${number}`)]);
  const readAll = () => Promise.all(sets.map((one) => policies.read(policyIn('a'), noSecret, one)));
  const first = await readAll();
  const second = await readAll();
  t.true(second.every(({ inputs }, index) => inputs === first[index]?.inputs));
  t.is(new Set(first.map(({ digest }) => digest)).size, sets.length);
});
