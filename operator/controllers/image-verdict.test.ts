// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { IMAGE_VERDICT } from '#crds/v1alpha1/image-verdict';
import { type Proof, proofStatement, readProof } from '../core/images/proof.ts';
import type { KubeObject } from '../core/object.ts';
import { verdictName } from '../core/images/names.ts';
import { verdictOn } from '../core/images/wanted.ts';
import {
  CLUSTER_IMAGE_POLICIES,
  IMAGE_POLICIES,
  IMAGE_VERDICTS,
  POLICY_REPLICAS,
} from '../core/resources.ts';
import { keyOf, keyString } from '../runtime/controller.ts';
import { forgettingRig } from './testing/forgetting-rig.ts';
import { Bench, policy } from './testing/verdict-bench.ts';

test('however many policies a tenant makes, what the platform refuses arrives', async (t) => {
  const bench = new Bench();
  bench.found = { outcome: 'Verified', checkedAt: new Date(Date.now() - 60_000) };
  await bench.reconcile();
  t.deepEqual(bench.proved, { platform: 'Verified' });
  const own = Array.from({ length: 65 }, (_, index) => policy(IMAGE_POLICIES, `a-${index}`));
  bench.world.objects.set(IMAGE_POLICIES, own);
  bench.found = { outcome: 'Refused', checkedAt: new Date() };
  await bench.reconcile();
  t.is(bench.proved?.['platform'], 'Refused');
  t.deepEqual(IMAGE_VERDICT.status.safeParse(bench.status).error?.issues ?? [], []);
});

test('a trust root that changed withdraws what was proved by the one before, though nobody has looked yet', async (t) => {
  const bench = new Bench();
  bench.world.setRoot('before');
  bench.found = { outcome: 'Verified', checkedAt: new Date(Date.now() - 60_000) };
  await bench.reconcile();
  t.deepEqual(bench.proved, { platform: 'Verified' });
  bench.world.setRoot('after');
  bench.found = undefined;
  await bench.reconcile();
  t.is(bench.proved, undefined);
  t.true(bench.asked.at(-1)?.isUrgent);
  t.is(bench.status?.policies, undefined, 'nor does it tell what does not count');
  t.like(bench.status?.conditions, [{ type: 'Verified', status: 'Unknown', reason: 'BeingVerified' }]);
  t.deepEqual(IMAGE_VERDICT.status.safeParse(bench.status).error?.issues ?? [], []);
  const { status } = bench;
  await bench.reconcile();
  t.is(bench.status, status, 'once: then there is nothing to write');
  bench.found = { outcome: 'Verified', checkedAt: new Date() };
  await bench.reconcile();
  t.deepEqual(bench.proved, { platform: 'Verified' });
});

test('however much policies have to say, it is proved once', async (t) => {
  const bench = new Bench();
  const own = Array.from({ length: 65 }, (_, index) => policy(IMAGE_POLICIES, `${index}`.padStart(250, 'n')));
  bench.world.objects.set(IMAGE_POLICIES, own);
  bench.found = { outcome: 'Refused', checkedAt: new Date(), message: '\u6F22'.repeat(512) };
  await bench.reconcile();
  const { status } = bench;
  const payload = proofStatement(JSON.parse(status?.proof ?? '') as Proof, { id: 'x', version: '1' });
  t.is(readProof(Buffer.from(JSON.stringify(payload))).kind, 'verified');
  await bench.reconcile();
  t.is(bench.status, status);
});

test('what a process found before another wrote a newer verdict takes nothing back', async (t) => {
  const bench = new Bench();
  const at = Date.now() - 3_600_000;
  bench.found = { outcome: 'Refused', checkedAt: new Date(at) };
  await bench.reconcile();
  const { status } = bench;
  bench.found = { outcome: 'Verified', checkedAt: new Date(at - 1) };
  await bench.reconcile();
  t.is(bench.status, status);
  bench.found = { outcome: 'Verified', checkedAt: new Date(at + 1) };
  await bench.reconcile();
  t.deepEqual(bench.proved, { platform: 'Verified' });
});

test('what was found of a verdict that is gone is forgotten, and nobody is woken for it', (t) => {
  const [kept, gone] = [verdictOn('registry.example/a:1', 'a'), verdictOn('registry.example/b:1', 'a')];
  const { reader, forgotten, controller } = forgettingRig([kept]);
  const watches = controller.watches.filter(({ resource }) => resource === IMAGE_VERDICTS);
  const woken = watches.flatMap(({ keys }) => [...keys(kept, reader), ...keys(gone, reader)]);
  t.deepEqual(forgotten, [keyString(keyOf(gone))]);
  t.deepEqual(woken, []);
});

test('a policy that is being deleted holds until it is gone, as it does for admission', async (t) => {
  const bench = new Bench();
  bench.found = { outcome: 'Verified', checkedAt: new Date() };
  const leaving = policy(CLUSTER_IMAGE_POLICIES, 'leaving', { deletionTimestamp: new Date().toISOString() });
  bench.world.objects.set(CLUSTER_IMAGE_POLICIES, [leaving]);
  await bench.reconcile();
  t.deepEqual(bench.proved, { leaving: 'Verified' });
});

test('an image that was refused is asked about soon again, and nothing is written while it stays so', async (t) => {
  const bench = new Bench();
  bench.found = { outcome: 'Refused', checkedAt: new Date(Date.now() - 120_000) };
  await bench.reconcile();
  const { status } = bench;
  t.deepEqual(bench.proved, { platform: 'Refused' });
  for (let agoMs = 60_000; agoMs > 0; agoMs -= 20_000) {
    const before = bench.asked.length;
    bench.found = { outcome: 'Refused', checkedAt: new Date(Date.now() - agoMs) };
    await bench.reconcile();
    t.is(bench.asked.length, before + 1, 'the verifier knows when it is worth to look');
    t.is(bench.status, status);
  }
  bench.found = { outcome: 'Verified', checkedAt: new Date() };
  await bench.reconcile();
  t.deepEqual(bench.proved, { platform: 'Verified' }, 'it was signed meanwhile');
});

test('whoever is refused an image wakes its verdict, and the verifier is told when that was', async (t) => {
  const bench = new Bench();
  bench.found = { outcome: 'Refused', checkedAt: new Date(Date.now() - 60_000) };
  await bench.reconcile();
  const image = 'registry.example/app:1';
  const refusedAt = new Date().toISOString();
  const images = [
    { namespace: 'images-bounded', image, refusedAt },
    { namespace: 'images-bounded', image: 'registry.example/b:1' },
  ];
  const replica = {
    apiVersion: 'v1',
    kind: 'PolicyReplica',
    metadata: { name: 'r', namespace: 'nexusos-system' },
  };
  const tells = { ...replica, status: { images } };
  bench.world.objects.set(POLICY_REPLICAS, [replica, tells]);
  const { controller, reader } = forgettingRig([]);
  const watches = controller.watches.filter(({ resource }) => resource === POLICY_REPLICAS);
  t.deepEqual(
    watches.flatMap(({ keys }) => keys(tells, reader)),
    [{ namespace: 'images-bounded', name: verdictName(image) }],
  );
  const patience = (old: KubeObject, object: KubeObject) =>
    watches.map(({ patienceMs }) => patienceMs?.({ old, object }, reader));
  const other = { ...tells, status: { images, snapshotDigest: 'sha256:1' } };
  t.deepEqual(patience(tells, other), [Infinity], 'what else it tells is about no image');
  t.true((patience(replica, tells)[0] ?? 0) < 1000);
  const { status } = bench;
  await bench.reconcile();
  t.is(bench.asked.at(-1)?.triedAt?.toISOString(), refusedAt);
  t.is(bench.status, status);
});
