// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject } from '../object.ts';
import { triedAt, triedBy } from './tried.ts';

const IMAGE = 'registry.example/app:1';

function replica(...images: readonly object[]): KubeObject {
  return { apiVersion: 'v1', kind: 'PolicyReplica', metadata: { name: 'r' }, status: { images } };
}

const early = { namespace: 'a', image: IMAGE, refusedAt: '2026-11-01T00:00:00.000Z' };
const late = { ...early, refusedAt: '2026-11-01T00:01:00.000Z' };

for (const { name, replicas, want } of [
  {
    name: 'nobody tells anything',
    replicas: [{ ...replica(), status: undefined }, replica()],
    want: undefined,
  },
  {
    name: 'nothing is known of it yet',
    replicas: [replica({ namespace: 'a', image: IMAGE })],
    want: undefined,
  },
  { name: 'it was refused elsewhere', replicas: [replica({ ...late, namespace: 'b' })], want: undefined },
  { name: 'another one was refused', replicas: [replica({ ...late, image: 'x' })], want: undefined },
  { name: 'what is told is no time', replicas: [replica({ ...late, refusedAt: 'now' })], want: undefined },
  { name: 'two replicas have refused it', replicas: [replica(late), replica(early)], want: late.refusedAt },
]) {
  test(`an image was tried ${want === undefined ? 'by nobody' : 'when the last one did'} where ${name}`, (t) => {
    t.is(triedAt(replicas as readonly KubeObject[], { namespace: 'a', image: IMAGE })?.toISOString(), want);
  });
}

test('only what was refused was tried', (t) => {
  const tried = triedBy(replica({ namespace: 'a', image: 'x' }, early));
  t.deepEqual(tried, [{ namespace: 'a', image: IMAGE, atMs: Date.parse(early.refusedAt) }]);
});
