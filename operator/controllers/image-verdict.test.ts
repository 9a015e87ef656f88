// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { verdictOn } from '../core/images/wanted.ts';
import type { ImageWorks } from '../core/images/works.ts';
import type { KubeObject } from '../core/object.ts';
import { IMAGE_VERDICTS } from '../core/resources.ts';
import { keyOf, keyString, type Reader } from '../runtime/controller.ts';
import { imageVerdictController } from './image-verdict.ts';
import { ImagePolicies } from './shared/image-policies.ts';

/** Who tells which verdicts are there, and takes note of what is forgotten. */
function rig(there: readonly KubeObject[]) {
  const forgotten: string[] = [];
  const verifier = { forget: (verdict: string) => forgotten.push(verdict), onDone: () => undefined };
  const works = { verifier } as unknown as ImageWorks;
  const reader = {
    get: (_: unknown, key: Parameters<Reader['get']>[1]) =>
      there.find((one) => keyString(keyOf(one)) === keyString(key)),
  } as unknown as Reader;
  const policies = new ImagePolicies('platform');
  const controller = imageVerdictController({ platformNamespace: 'platform', works, policies });
  return { reader, forgotten, controller };
}

test('what was found of a verdict that is gone is forgotten, and nobody is woken for it', (t) => {
  const [kept, gone] = [verdictOn('registry.example/a:1', 'a'), verdictOn('registry.example/b:1', 'a')];
  const { reader, forgotten, controller } = rig([kept]);
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
