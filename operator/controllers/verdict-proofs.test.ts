// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { DIGEST, IMAGE, VerdictWorld } from './testing/verdict-world.ts';

const HOUR = 3_600_000;

test('what is proved is written once, and not looked at again while it is fresh', async (t) => {
  const world = new VerdictWorld();
  t.is(await world.pass(), 'written');
  t.is(await world.pass(), 'silent');
  t.is(world.asked.length, 1);
  t.like(world.proof, { namespace: 'team-main', image: IMAGE, digest: DIGEST });
});

const old = new Date(Date.now() - HOUR).toISOString();
const forgeries: Readonly<Record<string, (world: VerdictWorld) => void>> = {
  'signed by another key': (world) => world.forge({ verifiedAt: old }, 'other'),
  'of another namespace': (world) => world.forge({ verifiedAt: old, namespace: 'other-main' }),
  'of another image': (world) => world.forge({ verifiedAt: old, image: 'registry.example/other:1' }),
  'of a policy that is another one': (world) => {
    world.forge({ verifiedAt: old, policies: world.proof!.policies.map((one) => ({ ...one, uid: 'u9' })) });
  },
  'by the key before': (world) => {
    world.key = 'k2';
  },
};

for (const [title, forge] of Object.entries(forgeries)) {
  test(`a proof ${title} proves nothing: the image is looked at, and signed for, anew`, async (t) => {
    const world = new VerdictWorld();
    await world.pass();
    forge(world);
    t.is(await world.pass(), 'written');
    t.is(world.asked.length, 2);
    t.like(world.proof, { namespace: 'team-main', image: IMAGE });
    t.is(world.proof?.policies[0]?.uid, 'u0');
    t.not(world.proof?.verifiedAt, old);
    t.is(await world.pass(), 'silent');
  });
}
