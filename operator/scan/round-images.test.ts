// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { LABELS } from '#crds/v1alpha1/names';
import type { KubeObject, Resource } from '../core/object.ts';
import type { PackResult } from '../core/policy/compose.ts';
import type { ImageTeller } from '../core/policy/image-input.ts';
import { SILENT } from '../core/policy/outputs.ts';
import type { ScanWorld } from '../core/scan/world.ts';
import type { PolicyJudge } from './judge.ts';
import { KnownObjects } from './known-objects.ts';
import { Round } from './round.ts';

const PODS: Resource = { apiVersion: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };
const POD: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'acme-dev', uid: 'pod', resourceVersion: '7' },
  spec: { containers: [{ image: 'registry.example/app:1' }] },
};
const ANSWER: PackResult = { kind: 'answer', answer: SILENT };

/** A pack, and a revision of it that is told of images where `facts` says so. */
function judged(name: string, facts?: readonly string[]) {
  const metadata = { name, namespace: 'nexusos-system', uid: name };
  const kind = 'PolicyPack';
  const pack = {
    apiVersion: 'v1',
    kind,
    metadata,
    spec: { rollout: { latencyBudgetMs: 25 } },
  };
  const revision = {
    apiVersion: 'v1',
    kind,
    metadata: { ...metadata, name: `${name}-1` },
    spec: {
      packRef: { name, uid: name },
      version: '1',
      enforcement: 'Deny',
      entrypoints: [],
      binding: {},
      input: 'Review',
      evaluation: { deadlineMs: 50, memoryMiB: 16 },
      ...(facts && { facts }),
    },
  };
  return { pack, revision };
}

/** Says of every image that it is of this digest. */
const tells =
  (digest: string): ImageTeller =>
  (uses) =>
    uses.map((use) => ({ ...use, digest, state: 'Known', policies: [] }));

function world(images: ImageTeller): ScanWorld {
  const labels = { [LABELS.tenant]: 'acme' };
  return {
    platformNamespace: 'nexusos-system',
    namespaces: new Map([['acme-dev', { name: 'acme-dev', labels }]]),
    tenants: new Map([['acme', { name: 'acme', labels: {}, plan: '', tier: '' }]]),
    exemptions: [],
    images: { tellerFor: () => images, version: '' },
  };
}

/** Rounds over one pod, one after the other; who was asked in each. */
async function rounds(packs: readonly ReturnType<typeof judged>[], tellers: readonly ImageTeller[]) {
  const known = new KnownObjects();
  const all: string[][] = [];
  for (const images of tellers) {
    const asked: string[] = [];
    const judge = {
      load: () => Promise.resolve(undefined),
      isLive: () => false,
      ask: ({ revision }: { readonly revision: { readonly key: string } }) => {
        asked.push(revision.key);
        return Promise.resolve(ANSWER);
      },
    } as unknown as PolicyJudge;
    const round = new Round({ packs, world: world(images), judge, known });
    await round.load();
    await round.add(POD, PODS);
    round.end();
    all.push(asked);
  }
  return all;
}

test('an object is judged again where something else is known of its images, and else not', async (t) => {
  const told = judged('told', ['Images']);
  const asked = await rounds([told], [tells('a'), tells('a'), tells('b'), tells('b')]);
  t.deepEqual(
    asked.map((one) => one.length),
    [1, 0, 1, 0],
  );
});

test('whom nobody tells is not asked again for what is known of images', async (t) => {
  const asked = await rounds([judged('deaf')], [tells('a'), tells('b')]);
  t.deepEqual(
    asked.map((one) => one.length),
    [1, 0],
  );
});
