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

const many = (name: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${HOST}/${name}:${index}`);

for (const { title, wanted, before, removed } of [
  { title: 'fewer than there may be', wanted: 100, before: MAX_VERDICTS - 100, removed: 0 },
  { title: 'one more than there may be', wanted: 101, before: MAX_VERDICTS - 100, removed: 1 },
  {
    title: 'as many anew as there may be',
    wanted: MAX_VERDICTS,
    before: MAX_VERDICTS,
    removed: MAX_VERDICTS,
  },
]) {
  test(`a tenant that names other images all the time has no more verdicts than there may be: ${title}`, (t) => {
    const old = many('old', before);
    const images = many('new', wanted);
    const unwantedMs = new Map(old.map((image, index) => [image, index]));
    const plan = planInventory({ ...SEEN, images, verdicts: old.map(verdict), unwantedMs });
    t.is(plan.apply.length, wanted);
    t.deepEqual(
      plan.remove.map(({ ref }) => ref.uid).toSorted(),
      old.slice(before - removed).toSorted(),
      'those that nobody has wanted for longest go',
    );
    t.true(plan.apply.length + before - plan.remove.length <= MAX_VERDICTS);
  });
}

test('what was planned is not planned again', (t) => {
  const images = [...many('a', MAX_VERDICTS + 3), 'busybox', 'Not An Image'];
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
