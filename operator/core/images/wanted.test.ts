// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { ImagePolicyFacts } from './policy.ts';
import { KEPT_MS, LOOK_MS, MAX_VERDICTS, planInventory, verdictOn, wantedImages } from './wanted.ts';

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

for (const { name, images, policies, wanted } of [
  { name: 'no policy asks', images: ['busybox'], policies: [], wanted: [] },
  {
    name: 'a policy is about one of them',
    images: [`${HOST}/team/a:1`, `${HOST}/other/b:1`],
    policies: [policy(`${HOST}/team/*`)],
    wanted: [`${HOST}/team/a:1`],
  },
  {
    name: 'one is written in two ways',
    images: ['busybox', 'docker.io/library/busybox:latest'],
    policies: [policy('*')],
    wanted: ['docker.io/library/busybox:latest'],
  },
  { name: 'nobody can name it', images: ['Not An Image'], policies: [policy('*')], wanted: [] },
]) {
  test(`which images are looked at where ${name}`, (t) => {
    t.deepEqual(wantedImages({ images, policies }), wanted);
  });
}

test('who names more than there may be has the first looked at', (t) => {
  const images = Array.from({ length: MAX_VERDICTS + 5 }, (_, index) => `${HOST}/a:${index}`);
  const wanted = wantedImages({ images, policies: [policy('*')] });
  t.is(wanted.length, MAX_VERDICTS);
  t.is(wanted[0], `${HOST}/a:0`);
});

const verdict = (image: string) => {
  const made = verdictOn(image, 'a');
  return { ...made, metadata: { ...made.metadata, uid: image } };
};

const SEEN = {
  namespace: 'a',
  policies: [policy('*')],
  unwantedMs: new Map<string, number>(),
  againMs: LOOK_MS,
};

test('what is there already is not made again, and what is wanted is made in its namespace', (t) => {
  const images = [`${HOST}/a:1`, `${HOST}/b:1`];
  const plan = planInventory({ ...SEEN, images, verdicts: [verdict(`${HOST}/a:1`)] });
  t.deepEqual(plan.apply, [verdictOn(`${HOST}/b:1`, 'a')]);
  t.is(plan.apply[0]?.metadata.namespace, 'a');
  t.deepEqual(plan.remove, []);
});

for (const { ms, isRemoved } of [
  { ms: 0, isRemoved: false },
  { ms: KEPT_MS - 1, isRemoved: false },
  { ms: KEPT_MS, isRemoved: true },
]) {
  test(`a verdict that nobody wants since ${ms} ms is ${isRemoved ? 'removed' : 'kept'}`, (t) => {
    const image = `${HOST}/gone:1`;
    const plan = planInventory({
      ...SEEN,
      images: [],
      verdicts: [verdict(image)],
      unwantedMs: new Map([[image, ms]]),
    });
    t.is(plan.remove.length, isRemoved ? 1 : 0);
  });
}

test('a namespace that no policy is for is left alone', (t) => {
  const plan = planInventory({ ...SEEN, policies: [], images: ['busybox'], verdicts: [] });
  t.like(plan, { apply: [], remove: [], result: { kind: 'done' } });
});
