// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { IMAGE_POLICY, type ImagePolicySpec } from '#crds/v1alpha1/image-policy';
import type { ImagePolicyObject } from '../../core/images/objects.ts';
import { PolicyReads } from './policy-reads.ts';

const spec = IMAGE_POLICY.spec.parse({
  images: ['*'],
  authorities: [{ name: 'builder', key: { secretRef: { name: 'keys', key: 'cosign.pub' } } }],
  require: { signatures: { from: ['builder'] } },
}) as ImagePolicySpec;

function policy(uid: string): ImagePolicyObject {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'ClusterImagePolicy',
    metadata: { name: uid, uid },
    spec,
  };
}

function naming(waiver?: string) {
  const one = { vulnerability: 'CVE-2026-1', expires: '2026-12-01T00:00:00Z' };
  return { roots: {}, keys: {}, waivers: waiver === undefined ? [] : [{ ...one, name: waiver }] };
}

function allThere(): boolean {
  return true;
}

function isTheOneThatStays({ metadata }: ImagePolicyObject): boolean {
  return metadata.uid === 'stays';
}

test('of very many sets of waivers those are forgotten that were asked for least lately', (t) => {
  const reads = new PolicyReads();
  const keep = (waiver: number) => reads.keep(policy('p'), naming(`w${waiver}`), allThere);
  const first = Array.from({ length: 512 }, (_, number) => keep(number));
  t.is(first[0], keep(0));
  keep(512);
  t.is(first[0], keep(0), 'it was asked for meanwhile');
  t.not(keep(1), first[1]);
});

test('another root is read anew, and the one before is not held', (t) => {
  const reads = new PolicyReads();
  const before = reads.keep(policy('p'), { ...naming(), roots: { own: '{}' } }, allThere);
  const after = reads.keep(policy('p'), { ...naming(), roots: { own: '[]' } }, allThere);
  t.not(after.digest, before.digest);
  t.not(reads.keep(policy('p'), { ...naming(), roots: { own: '{}' } }, allThere), before);
});

test('nothing is held for policies that are gone, however many there have been', (t) => {
  const reads = new PolicyReads();
  const kept = reads.keep(policy('stays'), naming(), allThere);
  for (let number = 0; number < 1000; number += 1)
    reads.keep(policy(`p${number}`), naming(), isTheOneThatStays);
  t.true(reads.size <= 64, `${reads.size}`);
  t.is(reads.keep(policy('stays'), naming(), allThere), kept);
});

test('those that are there are all held, and asking which are costs little', (t) => {
  const reads = new PolicyReads();
  let asked = 0;
  const isThere = () => {
    asked += 1;
    return true;
  };
  const first = Array.from({ length: 1000 }, (_, number) =>
    reads.keep(policy(`p${number}`), naming(), isThere),
  );
  t.is(reads.size, 1000);
  t.true(asked <= 2000, `${asked}`);
  t.true(first.every((one, number) => one === reads.keep(policy(`p${number}`), naming(), isThere)));
});
