// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync } from 'node:crypto';
import test from 'ava';
import { DIGEST, PlayedVerifier, proofOf } from './testing/verdicts.ts';
import { VerdictBook } from './verdict-book.ts';
import { WANTED_LIMITS, WantedImages } from './wanted-images.ts';

const now = new Date('2026-11-23T12:00:00Z');
const verifier = new PlayedVerifier();
const IMAGE = 'registry.example/app:1';

function book(): VerdictBook {
  const made = new VerdictBook();
  made.setKeys(verifier.configMap);
  return made;
}

test('what the operator vouches for is found by name and by digest, in its namespace alone', (t) => {
  const verdicts = book();
  verdicts.set(verifier.verdict('v', proofOf(now)));
  t.is(verdicts.in('team').proofOf(IMAGE)?.digest, DIGEST);
  t.is(verdicts.in('team').proofsOfDigest('registry.example/app', DIGEST)[0]?.image, IMAGE);
  t.is(verdicts.in('other').proofOf(IMAGE), undefined);
  t.is(verdicts.size, 1);
  verdicts.delete('team', 'v');
  t.is(verdicts.in('team').proofOf(IMAGE), undefined);
  t.deepEqual(verdicts.in('team').proofsOfDigest('registry.example/app', DIGEST), []);
});

test('what a tenant writes says nothing: not signed, by a key of its own, or taken from elsewhere', (t) => {
  const verdicts = book();
  const honest = verifier.verdict('v', proofOf(now));
  verdicts.set({ ...honest, status: { digest: DIGEST, policies: [{ outcome: 'Verified' }] } });
  t.is(verdicts.size, 0);
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  verdicts.set(verifier.verdict('forged', proofOf(now), stranger));
  t.is(verdicts.size, 0);
  verdicts.set({ ...honest, metadata: { name: 'copied', namespace: 'other' } });
  t.is(verdicts.in('other').proofOf(IMAGE), undefined);
  t.is(verdicts.untrusted, 2);
  verdicts.delete('team', 'forged');
  t.is(verdicts.untrusted, 1, 'and who has gone is told of no more');
});

test('an object says nothing beside what is signed in it', (t) => {
  const verdicts = book();
  const honest = verifier.verdict('v', proofOf(now, {}, { outcome: 'Refused', reason: 'NoSignature' }));
  verdicts.set({
    ...honest,
    spec: { image: 'registry.example/other:1' },
    status: { ...(honest['status'] as object), policies: [{ outcome: 'Verified' }], digest: 'sha256:x' },
  });
  t.is(verdicts.in('team').proofOf('registry.example/other:1'), undefined);
  t.is(verdicts.in('team').proofOf(IMAGE)?.policies[0]?.outcome, 'Refused');
});

test('of several proofs of one image the latest counts, in whatever order they come', (t) => {
  const late = proofOf(now, {}, { outcome: 'Refused', reason: 'Revoked' });
  const early = proofOf(new Date(now.getTime() - 1000));
  for (const order of [
    [early, late],
    [late, early],
  ]) {
    const verdicts = book();
    for (const [index, one] of order.entries()) verdicts.set(verifier.verdict(`v${index}`, one));
    t.is(verdicts.in('team').proofOf(IMAGE)?.policies[0]?.reason, 'Revoked');
    t.is(
      verdicts.in('team').proofsOfDigest('registry.example/app', DIGEST)[0]?.policies[0]?.reason,
      'Revoked',
    );
  }
});

test('what is known by one name of a digest is found beside what could not be told by another, until it is not known any more', (t) => {
  const silent = { outcome: 'Unknown', reason: 'RegistryUnreachable' } as const;
  const after = (seconds: number) => new Date(now.getTime() + seconds * 1000);
  const verdicts = book();
  const told = () =>
    verdicts
      .in('team')
      .proofsOfDigest('registry.example/app', DIGEST)
      .map(({ image, policies: [one] }) => `${image.split('@')[0]} ${one?.outcome}`);
  verdicts.set(verifier.verdict('tag', proofOf(now)));
  verdicts.set(verifier.verdict('other', proofOf(after(1), { image: 'registry.example/app:2' })));
  verdicts.set(
    verifier.verdict('pin', proofOf(after(2), { image: `registry.example/app:3@${DIGEST}` }, silent)),
  );
  t.deepEqual(told(), ['registry.example/app:3 Unknown', 'registry.example/app:2 Verified']);
  verdicts.set(verifier.verdict('other', proofOf(after(3), { image: 'registry.example/app:2' }, silent)));
  t.deepEqual(told(), ['registry.example/app:2 Unknown', 'registry.example/app:1 Verified'], 'the next best');
  verdicts.delete('team', 'tag');
  t.deepEqual(told(), ['registry.example/app:2 Unknown']);
});

test('a verdict that is renewed takes the place of the one before, with its digest', (t) => {
  const verdicts = book();
  verdicts.set(verifier.verdict('v', proofOf(now)));
  const moved = `sha256:${'c'.repeat(64)}`;
  const later = new Date(now.getTime() + 1000);
  t.is(verdicts.set(verifier.verdict('v', proofOf(later, { digest: moved })))?.digest, moved);
  t.is(verdicts.in('team').proofOf(IMAGE)?.digest, moved);
  t.deepEqual(verdicts.in('team').proofsOfDigest('registry.example/app', DIGEST), []);
  verdicts.set({ ...verifier.verdict('v', proofOf(later)), status: {} });
  t.is(verdicts.in('team').proofOf(IMAGE), undefined);
});

test('keys that come later, or change, count for what was told before', (t) => {
  const verdicts = new VerdictBook();
  verdicts.set(verifier.verdict('v', proofOf(now)));
  t.is(verdicts.in('team').proofOf(IMAGE), undefined);
  const proved = verdicts.setKeys(verifier.configMap);
  t.deepEqual(
    proved.map(({ namespace, image }) => ({ namespace, image })),
    [{ namespace: 'team', image: IMAGE }],
    'and who waits for it is told',
  );
  t.is(verdicts.in('team').proofOf(IMAGE)?.digest, DIGEST);
  verdicts.setKeys(new PlayedVerifier().configMap);
  t.is(verdicts.in('team').proofOf(IMAGE), undefined);
  verdicts.setKeys(undefined);
  t.is(verdicts.size, 0);
});

test('what is wanted is told until something is known of it', (t) => {
  let told = 0;
  const wanted = new WantedImages(() => (told += 1));
  wanted.add('b', ['y', 'x'], 0);
  wanted.add('a', ['z'], 0);
  t.deepEqual(wanted.list(0), [
    { namespace: 'a', image: 'z' },
    { namespace: 'b', image: 'x' },
    { namespace: 'b', image: 'y' },
  ]);
  t.is(told, 2);
  wanted.add('b', ['x'], 1);
  t.is(told, 2);
  wanted.drop('b', 'x');
  wanted.drop('b', 'x');
  t.is(told, 3);
  wanted.add('a', ['w'], 600_000);
  t.deepEqual(wanted.list(600_000), [{ namespace: 'a', image: 'w' }]);
  t.deepEqual(wanted.list(1_200_000), [], 'and what nobody asks for again goes by itself');
});

test('who makes up ever other images is told of no faster than may be, and what is asked again is kept', (t) => {
  let told = 0;
  const wanted = new WantedImages(() => (told += 1));
  wanted.add('quiet', ['one'], 0);
  for (let index = 0; index < 1000; index += 1) wanted.add('loud', [`i${index}`], index * 10);
  t.is(told, 1 + WANTED_LIMITS.ofNamespace + 9);
  wanted.add('quiet', ['one', 'two'], 10_000);
  t.is(told, 2 + WANTED_LIMITS.ofNamespace + 9);
  t.is(wanted.list(10_000).filter(({ namespace }) => namespace === 'quiet').length, 2);
});

test('who asks for thousands of images holds up nobody else', (t) => {
  const wanted = new WantedImages(() => undefined);
  wanted.add('quiet', ['one'], 0);
  for (let index = 0; index < 100; index += 1) {
    const images = Array.from({ length: 100 }, (_, number) => `i${number}`);
    wanted.add(`loud-${index % 20}`, images, 1);
  }
  const list = wanted.list(1);
  t.is(list.length, WANTED_LIMITS.all);
  t.true(list.some(({ namespace }) => namespace === 'quiet'));
  for (let index = 0; index < 20; index += 1) {
    const own = list.filter(({ namespace }) => namespace === `loud-${index}`).length;
    t.true(own <= WANTED_LIMITS.ofNamespace, `${own}`);
  }
});

const at = (ms: number) => ({ namespace: 'a', image: 'x', refusedAt: new Date(ms).toISOString() });

test('that an image was refused is told every 15 seconds at most, until something else is known of it', (t) => {
  let told = 0;
  const wanted = new WantedImages(() => (told += 1));
  wanted.addRefused('a', ['x'], 0);
  t.deepEqual(wanted.list(0), [at(0)]);
  for (let ms = 1; ms < 15_000; ms += 100) wanted.addRefused('a', ['x'], ms);
  t.deepEqual(wanted.list(15_000), [at(0)]);
  t.is(told, 1);
  wanted.addRefused('a', ['x'], 15_000);
  t.deepEqual(wanted.list(15_000), [at(15_000)]);
  wanted.add('a', ['x'], 16_000);
  t.is(told, 2, 'that it is waited for as well is no news');
  wanted.drop('a', 'x');
  t.deepEqual(wanted.list(16_000), []);
  wanted.addRefused('a', ['x'], 20_000);
  t.deepEqual(wanted.list(620_000), [], 'what nobody tries any more goes by itself');
});

test('who has many images refused is told of no faster than may be', (t) => {
  let told = 0;
  const wanted = new WantedImages(() => (told += 1));
  const images = Array.from({ length: 100 }, (_, number) => `i${number}`);
  for (let ms = 0; ms < 60_000; ms += 1000) wanted.addRefused('loud', images, ms);
  t.true(told <= 60);
  t.true(wanted.list(60_000).length <= WANTED_LIMITS.ofNamespace);
  wanted.addRefused('quiet', ['one'], 60_000);
  t.true(wanted.list(60_000).some(({ namespace }) => namespace === 'quiet'));
});
