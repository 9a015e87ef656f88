// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { ImagePolicyFacts } from './policy.ts';
import { KEPT_MS, LOOK_MS, MAX_VERDICTS, planInventory, verdictOn } from './wanted.ts';

function policy(...images: readonly string[]): ImagePolicyFacts {
  return {
    kind: 'ClusterImagePolicy',
    name: 'p',
    uid: 'p',
    generation: 1,
    images,
    enforcement: 'Enforce',
    unknown: 'Deny',
    maxAgeSeconds: 86_400,
  };
}

const HOST = 'registry.example';

const verdict = (image: string) => {
  const made = verdictOn(image, 'a');
  return { ...made, metadata: { ...made.metadata, uid: image } };
};

const SEEN = {
  keepsVerdicts: true,
  isGoing: false,
  namespace: 'a',
  policies: [policy('*')],
  unwantedMs: new Map<string, number>(),
  againMs: LOOK_MS,
};

test('what was planned is not planned again', (t) => {
  const images = [
    ...Array.from({ length: MAX_VERDICTS + 3 }, (_, index) => `${HOST}/a:${index}`),
    'busybox',
    'Not An Image',
  ];
  const { apply } = planInventory({ ...SEEN, images, verdicts: [] });
  const verdicts = apply.map((one) => ({ ...one, metadata: { ...one.metadata, uid: one.metadata.name } }));
  t.like(planInventory({ ...SEEN, images, verdicts }), { apply: [], remove: [] });
});

test('a namespace that was deleted and made anew begins anew: what is there counts from when it was made', (t) => {
  const image = `${HOST}/gone:1`;
  const again = { ...verdict(image), metadata: { ...verdict(image).metadata, uid: 'new' } };
  const seen = { ...SEEN, images: [], verdicts: [again], unwantedMs: new Map([[image, KEPT_MS]]) };
  t.deepEqual(planInventory(seen).remove, []);
  t.is(planInventory({ ...seen, images: [image], verdicts: [] }).apply.length, 1);
});

test('where no policy asks any more, verdicts go, and are looked at until they have', (t) => {
  const image = `${HOST}/a:1`;
  const seen = { ...SEEN, policies: [], images: [image], verdicts: [verdict(image)] };
  const plan = planInventory({ ...seen, unwantedMs: new Map([[image, KEPT_MS - 1]]) });
  t.like(plan, { remove: [], result: { kind: 'requeueAfter', afterMs: LOOK_MS } });
  const later = planInventory({ ...seen, unwantedMs: new Map([[image, KEPT_MS]]) });
  t.is(later.remove[0]?.ref.uid, image, 'that very object');
});
