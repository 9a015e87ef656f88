// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { ImagePolicyFacts } from './policy.ts';
import {
  KEPT_MS,
  LOOK_MS,
  MAX_VERDICTS,
  planInventory,
  unwanted,
  verdictOn,
  wantedImages,
} from './wanted.ts';

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

test('what a namespace names is read once for one look, whatever is asked of it', (t) => {
  const images = Array.from({ length: 100 }, (_, index) => `${HOST}/a:${index}`);
  let read = 0;
  const counting = {
    ...policy('*'),
    get images() {
      read += 1;
      return ['*'];
    },
  };
  const policies = [counting];
  const verdicts = [verdict(`${HOST}/a:1`), verdict(`${HOST}/gone:1`)];
  const seen = { ...SEEN, images, policies, verdicts };
  t.is(unwanted(seen).length, 1);
  t.is(planInventory(seen).apply.length, 99);
  t.is(read, images.length);
  // What is for it by other policies is another question.
  t.deepEqual(wantedImages({ images, policies: [policy('other.example/*')] }), []);
});

const verdict = (image: string) => {
  const made = verdictOn(image, 'a');
  return { ...made, metadata: { ...made.metadata, uid: image } };
};

const SEEN = {
  namespace: 'a',
  keepsVerdicts: true,
  isGoing: false,
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

test('in a namespace that goes no verdict is made in place of those that go, and it is looked at no more', (t) => {
  const images = [`${HOST}/a:1`, `${HOST}/b:1`];
  const seen = { ...SEEN, images, verdicts: [verdict(`${HOST}/a:1`)] };
  t.is(planInventory(seen).apply.length, 1);
  t.like(planInventory({ ...seen, isGoing: true }), { apply: [], remove: [], result: { kind: 'done' } });
});

test('a namespace that no policy is for is left alone', (t) => {
  const plan = planInventory({ ...SEEN, policies: [], images: ['busybox'], verdicts: [] });
  t.like(plan, { apply: [], remove: [], result: { kind: 'done' } });
});

const many = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => `${HOST}/m:${from + index}`);

for (const { name, there, images, ages, made, removed } of [
  {
    name: 'there is room for all',
    there: many(0, 2),
    images: many(2, 2),
    ages: [9, 1],
    made: 2,
    removed: [],
  },
  {
    name: 'there is room for one of three',
    there: many(0, MAX_VERDICTS - 1),
    images: many(1000, 3),
    ages: [1, 9, 5],
    made: 1,
    removed: [`${HOST}/m:1`, `${HOST}/m:2`],
  },
  {
    name: 'it is full',
    there: many(0, MAX_VERDICTS),
    images: many(1000, 2),
    ages: [1, 9, 5],
    made: 0,
    removed: [`${HOST}/m:1`, `${HOST}/m:2`],
  },
  {
    name: 'all that is there is wanted',
    there: many(0, MAX_VERDICTS),
    images: many(0, MAX_VERDICTS + 3),
    ages: [],
    made: 0,
    removed: [],
  },
  {
    name: 'there are more than may be',
    there: many(0, MAX_VERDICTS + 1),
    images: [],
    ages: [1, 9],
    made: 0,
    removed: [`${HOST}/m:1`],
  },
]) {
  test(`a tenant who names ever others has no more verdicts than may be: ${name}`, (t) => {
    const unwantedMs = new Map(ages.map((ms, index) => [there[index] ?? '', ms]));
    const plan = planInventory({ ...SEEN, images, verdicts: there.map(verdict), unwantedMs });
    t.is(plan.apply.length, made);
    t.deepEqual(
      plan.remove.map(({ ref }) => ref.uid),
      removed,
    );
  });
}

test("a namespace that is no tenant's any more keeps no verdicts, and is looked at no more once they are gone", (t) => {
  const seen = { ...SEEN, keepsVerdicts: false, policies: [], images: [] };
  const verdicts = [verdict(`${HOST}/a:1`), verdict(`${HOST}/b:1`)];
  const plan = planInventory({ ...seen, verdicts });
  t.is(plan.remove.length, 2);
  t.deepEqual(plan.apply, []);
  t.deepEqual(planInventory({ ...seen, verdicts: [] }).result, { kind: 'done' });
});
