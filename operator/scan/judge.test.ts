// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject, Resource } from '../core/object.ts';
import { askedAbout } from '../core/scan/live-review.ts';
import { type ScanWorld, snapshotOf } from '../core/scan/world.ts';
import { pack as packed } from '../policy/packs/testing/packed.ts';
import { compileRego } from '../policy/testing/compile.ts';
import { PolicyJudge } from './judge.ts';

const SERVICES: Resource = { apiVersion: 'v1', kind: 'Service', plural: 'services', namespaced: true };
const ENTRYPOINT = 'nexusos/main/decision';
const WORLD: ScanWorld = {
  platformNamespace: 'platform',
  namespaces: new Map([['team', { name: 'team', labels: {} }]]),
  tenants: new Map(),
  exemptions: [],
};

function service(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Service', metadata: { namespace: 'team', name, uid: name } };
}

const PACK: KubeObject = {
  apiVersion: 'nexusos.dev/v1alpha1',
  kind: 'PolicyPack',
  metadata: { name: 'looks', namespace: 'platform', uid: 'looks' },
  spec: { rollout: { latencyBudgetMs: 25 } },
};

/** A judge of a pack that looks at Services, with a cluster and a host that the test speaks for. */
async function play() {
  const bytes = await compileRego({
    rego: 'package nexusos.main\n  decision := {"deny": data.inventory.none}',
    entrypoints: [ENTRYPOINT],
  });
  const { blob, parts } = packed('looks', bytes);
  const revision: KubeObject = {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'PolicyPackRevision',
    metadata: { name: 'looks-1', namespace: 'platform', uid: 'looks-1' },
    spec: {
      packRef: { name: 'looks', uid: 'looks' },
      version: '1.0.0',
      entrypoints: [{ path: ENTRYPOINT, role: 'decision' }],
      input: 'Review',
      hasMutate: false,
      binding: { rules: [{ apiGroups: [''], resources: ['services'] }] },
      enforcement: 'Deny',
      evaluation: { deadlineMs: 50, memoryMiB: 16 },
      inventory: { kinds: [{ apiVersion: 'v1', kind: 'Service' }], maxAgeSeconds: 120 },
      module: blob,
    },
  };
  const cluster = { names: ['a'], isAway: false };
  const asked: { digest: string; answer: () => void }[] = [];
  const released: string[] = [];
  const judge = new PolicyJudge({
    client: {
      get: (resource, { name }) => {
        const part = Buffer.from(parts.get(name) ?? []).toString('base64');
        return Promise.resolve({
          apiVersion: 'v1',
          kind: resource.kind,
          metadata: { name },
          binaryData: { part },
        });
      },
      async *list() {
        if (cluster.isAway) throw new Error('away');
        yield await Promise.resolve({ items: cluster.names.map(service), resourceVersion: '1' });
      },
    },
    inventoryKinds: [SERVICES],
    platformNamespace: 'platform',
    evaluate: ({ data }) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      asked.push({ digest: data?.digest ?? 'none', answer: resolve });
      return promise.then(() => ({ kind: 'undefined' as const, micros: 1 }));
    },
    releaseData: (digest, dataDigest) => {
      if (digest !== blob.digest) throw new Error(`${digest} was never asked`);
      released.push(dataDigest);
    },
  });
  const question = () => {
    const [one] = askedAbout(snapshotOf([{ pack: PACK, revision }], WORLD), service('a'), SERVICES);
    if (one === undefined) throw new Error('nobody is asked about it');
    return judge.ask(one, new Date(0));
  };
  /** Digest of what it is asked with now. */
  const digestNow = async () => {
    const answered = question();
    const last = asked.at(-1);
    last?.answer();
    await answered;
    return last?.digest ?? 'nothing was asked';
  };
  return { cluster, asked, released, question, digestNow, load: () => judge.load(revision, WORLD) };
}

test('each round has a document of its own, and the one before is given back where it is another', async (t) => {
  const { cluster, released, digestNow, load } = await play();
  await load();
  const first = await digestNow();
  t.regex(first, /^sha256:/);
  await load();
  t.is(await digestNow(), first);
  t.deepEqual(released, [], 'the same is still asked with');
  cluster.names = ['a', 'b'];
  await load();
  t.deepEqual(released, [first]);
  const second = await digestNow();
  t.not(second, first);
  cluster.isAway = true;
  await load();
  t.deepEqual(released, [first, second], 'what is not asked with any more either');
});

test('a document that somebody is being asked with is given back afterwards, and once', async (t) => {
  const { cluster, asked, released, question, load } = await play();
  await load();
  const answers = [question(), question()];
  const digest = asked[0]?.digest;
  cluster.names = [];
  await load();
  asked[0]?.answer();
  await answers[0];
  t.deepEqual(released, []);
  asked[1]?.answer();
  await answers[1];
  t.deepEqual(released, [digest]);
});
