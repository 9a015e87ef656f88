// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { BUNDLE_TYPE } from '#hack/sigstore/media-types';
import type { ImageQuestion } from '../core/images/verification.ts';
import { type Answer, ok } from '../core/oci/answer.ts';
import { digestOfBytes } from '../core/oci/digest.ts';
import type { Descriptor, Index, Manifest } from '../core/oci/manifest.ts';
import type { Registry } from '../oci/client.ts';
import { EvidenceRoom } from './evidence-room.ts';
import type { JudgeOrder } from './judge.ts';
import { verifyQuestion, type VerifyTools } from './verify.ts';

const IMAGE = digestOfBytes(Buffer.from('image'));
const MIB = 1 << 20;

const question: ImageQuestion = {
  key: 'k',
  verdict: 'a/app',
  namespace: 'a',
  tenant: 'a',
  image: `registry.example/app@${IMAGE}`,
  pullSecrets: [],
  policies: [{ uid: 'u', digest: 'd', inputs: { spec: {} as never, roots: {}, keys: {}, waivers: [] } }],
  freshMs: 60_000,
};

function digestNamed(name: string): string {
  return digestOfBytes(Buffer.from(name));
}

/** A registry in memory: documents that refer to the image, each of a size; `pause` comes before each answer. */
class PlayedRegistry implements Registry {
  readonly #sizes: readonly number[];
  readonly #pause: (what: string) => Promise<void>;
  readonly asked: string[] = [];
  most = 0;
  #now = 0;

  constructor(sizes: readonly number[], pause: (what: string) => Promise<void> = () => Promise.resolve()) {
    this.#sizes = sizes;
    this.#pause = pause;
  }

  resolve: Registry['resolve'] = ({ digest, tag }, { signal }) =>
    this.#answer(`resolve ${tag ?? digest}`, signal, () =>
      digest === undefined ? { kind: 'absent', message: 'nothing' } : ok({ digest, mediaType: undefined }),
    );

  tagged: Registry['tagged'] = (_, tag, { signal }) =>
    this.#answer(`tagged ${tag}`, signal, () => ({ kind: 'absent', message: 'nothing' }));

  manifest: Registry['manifest'] = (_, digest, { signal }) =>
    this.#answer(`manifest ${digest}`, signal, () => ok(this.#manifestOf(digest)));

  blob: Registry['blob'] = (_, { digest, size }, { signal }) =>
    this.#answer(`blob ${digest}`, signal, () => ok(Buffer.alloc(size, digest)));

  referrers: Registry['referrers'] = (_, digest, { signal }) =>
    this.#answer(`referrers ${digest}`, signal, () => {
      const descriptors = this.#sizes.map((__, number) => descriptorOf(`manifest-${number}`, 2));
      return ok({ descriptors, via: 'api', isComplete: true } as const);
    });

  #manifestOf(digest: string): Manifest | Index {
    const number = this.#sizes.findIndex((_, one) => digestNamed(`manifest-${one}`) === digest);
    const size = this.#sizes[number] ?? 2;
    const manifest = {
      kind: 'manifest',
      digest,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      bytes: Buffer.from('{}'),
      artifactType: BUNDLE_TYPE,
      config: descriptorOf('config', 2),
      layers: [descriptorOf(`blob-${number}`, size)],
      annotations: {},
      subject: { ...descriptorOf('image', 2), digest: IMAGE },
    };
    return manifest as unknown as Manifest;
  }

  async #answer<T>(what: string, signal: AbortSignal | undefined, of: () => Answer<T>): Promise<Answer<T>> {
    this.asked.push(what);
    this.#now += 1;
    this.most = Math.max(this.most, this.#now);
    const ended = new Promise<'ended'>((resolve) => {
      if (signal?.aborted === true) resolve('ended');
      signal?.addEventListener('abort', () => resolve('ended'), { once: true });
    });
    const answered = this.#pause(what).then(() => 'answered' as const);
    const came = await Promise.race([ended, answered]);
    this.#now -= 1;
    return came === 'ended' ? { kind: 'unreachable', message: 'there was no time' } : of();
  }
}

function descriptorOf(name: string, size: number): Descriptor {
  return {
    mediaType: BUNDLE_TYPE,
    digest: digestNamed(name),
    size,
    artifactType: BUNDLE_TYPE,
    annotations: {},
  };
}

/** What the judge would be given. */
async function ordersOf(
  registry: Registry,
  tools: Partial<VerifyTools> = {},
): Promise<readonly JudgeOrder[]> {
  const orders: JudgeOrder[] = [];
  await verifyQuestion(question, {
    registry,
    client: { get: () => Promise.resolve(undefined) },
    room: new EvidenceRoom(),
    now: () => new Date(),
    judge: (order) => {
      orders.push(order);
      return Promise.resolve({ verdicts: [], missing: [] });
    },
    ...tools,
  });
  return orders;
}

function gatheredIn([order]: readonly JudgeOrder[]) {
  const gathered = order?.gathered.get(IMAGE);
  if (gathered === undefined || 'kind' in gathered) throw new Error(JSON.stringify(gathered));
  return gathered;
}

test('documents are in one order, whichever came first, and few are asked for at a time', async (t) => {
  const sizes = Array.from({ length: 20 }, (_, number) => number + 1);
  // The first that is asked about is the last to answer.
  const slow = new PlayedRegistry(sizes, async () => {
    for (let turn = 0; turn < Math.random() * 20; turn += 1) await new Promise(setImmediate);
  });
  const { evidence } = gatheredIn(await ordersOf(slow));
  t.deepEqual(
    evidence.map(({ bytes }) => bytes.length),
    sizes,
  );
  t.true(slow.most <= 6, `${slow.most} questions at a time`);
});

test('a registry that holds each answer is asked for so long and no longer, and what is missing is not known', async (t) => {
  const held = new PlayedRegistry([1, 1, 1], (what) =>
    what.startsWith('blob') ? new Promise(() => {}) : Promise.resolve(),
  );
  const { evidence, incomplete } = gatheredIn(await ordersOf(held, { lookMs: 50 }));
  t.deepEqual(evidence, []);
  t.is(incomplete?.reason, 'RegistryUnreachable');
});

test('of an image no more is fetched than may be held, and the rest is not known', async (t) => {
  const registry = new PlayedRegistry([30 * MIB, 30 * MIB, 30 * MIB, 1]);
  const { evidence, incomplete } = gatheredIn(await ordersOf(registry));
  t.deepEqual(
    evidence.map(({ bytes }) => bytes.length),
    [30 * MIB, 30 * MIB, 1],
  );
  t.is(incomplete?.reason, 'TooMuchAttached');
  t.is(registry.asked.filter((one) => one.startsWith('blob')).length, 3, 'what has no room is not asked for');
});

test('an image has left its room when it was looked at, also where judging failed', async (t) => {
  const room = new EvidenceRoom();
  const large = new PlayedRegistry([10 * MIB]);
  for (let number = 0; number < 5; number += 1) {
    await t.throwsAsync(ordersOf(large, { room, judge: () => Promise.reject(new Error('it was ended')) }), {
      message: 'it was ended',
    });
  }
  t.is((await ordersOf(large, { room })).length, 1);
});

test('a policy that nothing was said of is not known, and not left out', async (t) => {
  const [policy] = question.policies;
  const { verdicts } = await verifyQuestion(question, {
    registry: new PlayedRegistry([]),
    client: { get: () => Promise.resolve(undefined) },
    room: new EvidenceRoom(),
    now: () => new Date(),
    judge: () => Promise.resolve({ verdicts: [], missing: [] }),
  });
  t.deepEqual([...verdicts.keys()], [policy?.uid]);
  t.like(verdicts.get(policy?.uid ?? ''), {
    outcome: 'Unknown',
    reason: 'JudgingEnded',
    policy: policy?.digest,
  });
});
