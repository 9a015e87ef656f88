// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { verdictOn } from '../core/images/wanted.ts';
import type { ImageWorks } from '../core/images/works.ts';
import type { KubeObject } from '../core/object.ts';
import { IMAGE_VERDICTS } from '../core/resources.ts';
import { keyOf, keyString, type Reader } from '../runtime/controller.ts';
import { imageVerdictController } from './image-verdict.ts';
import { ImagePolicies } from './shared/image-policies.ts';

const PLATFORM = 'nexusos-system';
const NAMESPACE = 'images-bounded';
const DIGEST = `sha256:${'a'.repeat(64)}`;

function object(resource: Resource, name: string, more: Partial<KubeObject> = {}): KubeObject {
  const metadata = { name, uid: `uid-${name}`, generation: 1, ...more.metadata };
  return { apiVersion: 'v1', kind: resource.kind, ...more, metadata };
}

function policy(resource: Resource, name: string, more: { readonly deletionTimestamp?: string } = {}) {
  const namespace = resource === IMAGE_POLICIES ? { namespace: NAMESPACE } : {};
  const spec = {
    images: ['*'],
    enforcement: resource === IMAGE_POLICIES ? 'Warn' : 'Enforce',
    unknown: 'Deny',
    maxAgeSeconds: 86_400,
    authorities: [{ name: 'builder', trustRootRef: { name: 'root' } }],
    require: {},
  };
  return object(resource, name, { metadata: { name, ...namespace, ...more }, spec });
}

/** A cluster as watches tell of it. */
class World implements Reader {
  readonly objects = new Map<Resource, readonly KubeObject[]>([
    [
      NAMESPACES,
      [object(NAMESPACES, NAMESPACE, { metadata: { name: NAMESPACE, labels: { [LABELS.tenant]: 'team' } } })],
    ],
    [SECRETS, [signingSecret()]],
    [CLUSTER_IMAGE_POLICIES, [policy(CLUSTER_IMAGE_POLICIES, 'platform')]],
  ]);

  get(resource: Resource, { name }: Key): KubeObject | undefined {
    return this.objects.get(resource)?.find(({ metadata }) => metadata.name === name);
  }

  list(resource: Resource, { namespace }: ListFilter = {}): readonly KubeObject[] {
    const all = this.objects.get(resource) ?? [];
    return all.filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace);
  }

  live(resource: Resource, key: Key): Promise<KubeObject | undefined> {
    return Promise.resolve(this.get(resource, key));
  }

  listLive(): Promise<readonly KubeObject[]> {
    return Promise.resolve([]);
  }

  anyLive(): Promise<boolean> {
    return Promise.resolve(false);
  }

  setRoot(text: string): void {
    this.objects.set(TRUST_ROOTS, [object(TRUST_ROOTS, 'root', { spec: { trustedRoot: text } })]);
  }
}

function signingSecret(): KubeObject {
  const data = { [SIGNING_ENTRY]: Buffer.from('key').toString('base64') };
  return object(SECRETS, SIGNING_SECRET, { metadata: { name: SIGNING_SECRET, namespace: PLATFORM }, data });
}

interface Found {
  readonly outcome: 'Verified' | 'Refused';
  readonly checkedAt: Date;
  readonly message?: string;
}

/** One ImageVerdict, with the controller that decides on it. */
class Bench {
  readonly world = new World();
  readonly asked: ImageQuestion[] = [];
  /** What the verifier knows; undefined while it looks. */
  found: Found | undefined;
  status: ImageVerdictStatus | undefined;

  async reconcile(): Promise<void> {
    const controller = imageVerdictController({ platformNamespace: PLATFORM, works: this.#works() });
    const spec = { image: 'registry.example/app:1' };
    const verdict = object({ kind: 'ImageVerdict' } as Resource, 'v', {
      metadata: { name: 'v', namespace: NAMESPACE },
      spec,
      ...(this.status !== undefined && { status: this.status }),
    }) as ImageVerdictObject;
    const planned = controller.plan(verdict, await controller.observe(verdict, this.world), new Date());
    this.status = planned.status;
  }

  /** Outcomes that are proved, by name of the policy. */
  get proved(): Readonly<Record<string, string>> | undefined {
    if (this.status?.proof === undefined) return undefined;
    const { policies } = JSON.parse(this.status.proof) as Proof;
    return Object.fromEntries(policies.map(({ name, outcome }) => [name, outcome]));
  }

  #works(): ImageWorks {
    return {
      verifier: {
        ask: (question) => {
          this.asked.push(question);
          const { found } = this;
          if (found === undefined) return { kind: 'pending' };
          return { kind: 'known', findings: findingsOf(question, found), againMs: 60_000 };
        },
        forget: () => undefined,
        onDone: () => undefined,
      },
      seal: (proof) => JSON.stringify(proof),
      open: (sealed) => JSON.parse(sealed) as Proof,
    } as Partial<ImageWorks> as ImageWorks;
  }
}

function findingsOf({ policies }: ImageQuestion, { outcome, checkedAt, message }: Found): ImageFindings {
  const verdict = {
    image: DIGEST,
    policy: '',
    outcome,
    message: message ?? `it is ${outcome}`,
    checks: [],
    facts: { signers: [] },
    notes: [],
    checkedAt: checkedAt.toISOString(),
  } as const;
  return { digest: DIGEST, verdicts: new Map(policies.map(({ uid }) => [uid, verdict])), checkedAt };
}

test('however many policies a tenant makes, what the platform refuses arrives', async (t) => {
  const bench = new Bench();
  bench.found = { outcome: 'Verified', checkedAt: new Date(Date.now() - 60_000) };
  await bench.reconcile();
  t.deepEqual(bench.proved, { platform: 'Verified' });
  const own = Array.from({ length: 65 }, (_, index) => policy(IMAGE_POLICIES, `a-${index}`));
  bench.world.objects.set(IMAGE_POLICIES, own);
  bench.found = { outcome: 'Refused', checkedAt: new Date() };
  await bench.reconcile();
  t.is(bench.proved?.['platform'], 'Refused');
  t.deepEqual(IMAGE_VERDICT.status.safeParse(bench.status).error?.issues ?? [], []);
});

test('a trust root that changed withdraws what was proved by the one before, though nobody has looked yet', async (t) => {
  const bench = new Bench();
  bench.world.setRoot('before');
  bench.found = { outcome: 'Verified', checkedAt: new Date(Date.now() - 60_000) };
  await bench.reconcile();
  t.deepEqual(bench.proved, { platform: 'Verified' });
  bench.world.setRoot('after');
  bench.found = undefined;
  await bench.reconcile();
  t.is(bench.proved, undefined);
  t.true(bench.asked.at(-1)?.isUrgent);
  t.is(bench.status?.policies, undefined, 'nor does it tell what does not count');
  t.like(bench.status?.conditions, [{ type: 'Verified', status: 'Unknown', reason: 'BeingVerified' }]);
  t.deepEqual(IMAGE_VERDICT.status.safeParse(bench.status).error?.issues ?? [], []);
  const { status } = bench;
  await bench.reconcile();
  t.is(bench.status, status, 'once: then there is nothing to write');
  bench.found = { outcome: 'Verified', checkedAt: new Date() };
  await bench.reconcile();
  t.deepEqual(bench.proved, { platform: 'Verified' });
});

test('however much policies have to say, it is proved once', async (t) => {
  const bench = new Bench();
  const own = Array.from({ length: 65 }, (_, index) => policy(IMAGE_POLICIES, `${index}`.padStart(250, 'n')));
  bench.world.objects.set(IMAGE_POLICIES, own);
  bench.found = { outcome: 'Refused', checkedAt: new Date(), message: '\u6F22'.repeat(512) };
  await bench.reconcile();
  const { status } = bench;
  const payload = proofStatement(JSON.parse(status?.proof ?? '') as Proof, { id: 'x', version: '1' });
  t.is(readProof(Buffer.from(JSON.stringify(payload))).kind, 'verified');
  await bench.reconcile();
  t.is(bench.status, status);
});

test('what a process found before another wrote a newer verdict takes nothing back', async (t) => {
  const bench = new Bench();
  const at = Date.now() - 3_600_000;
  bench.found = { outcome: 'Refused', checkedAt: new Date(at) };
  await bench.reconcile();
  const { status } = bench;
  bench.found = { outcome: 'Verified', checkedAt: new Date(at - 1) };
  await bench.reconcile();
  t.is(bench.status, status);
  bench.found = { outcome: 'Verified', checkedAt: new Date(at + 1) };
  await bench.reconcile();
  t.deepEqual(bench.proved, { platform: 'Verified' });
});

test('a policy that is being deleted holds until it is gone, as it does for admission', async (t) => {
  const bench = new Bench();
  bench.found = { outcome: 'Verified', checkedAt: new Date() };
  const leaving = policy(CLUSTER_IMAGE_POLICIES, 'leaving', { deletionTimestamp: new Date().toISOString() });
  bench.world.objects.set(CLUSTER_IMAGE_POLICIES, [leaving]);
  await bench.reconcile();
  t.deepEqual(bench.proved, { leaving: 'Verified' });
});
