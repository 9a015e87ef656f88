// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import type { Proof } from '../../core/images/proof.ts';
import type { ImageVerdictObject } from '../../core/images/verdict-plan.ts';
import type { ImageQuestion } from '../../core/images/verification.ts';
import { verdictOn } from '../../core/images/wanted.ts';
import { type ImageWorks, SIGNING_ENTRY } from '../../core/images/works.ts';
import type { KubeObject, Resource } from '../../core/object.ts';
import { CLUSTER_IMAGE_POLICIES, NAMESPACES, SECRETS } from '../../core/resources.ts';
import type { Reader } from '../../runtime/controller.ts';
import { imageVerdictController } from '../image-verdict.ts';
import { ImagePolicies } from '../shared/image-policies.ts';

const PLATFORM = 'nexusos-system';
/** What is looked at. */
export const IMAGE = 'registry.example/app:1';
/** What it is. */
export const DIGEST = `sha256:${'a'.repeat(64)}`;

interface Sealed {
  readonly key: string;
  readonly proof: Proof;
}

function open(text: string, key: string): Proof | undefined {
  const sealed = JSON.parse(text) as Sealed;
  return sealed.key === key ? sealed.proof : undefined;
}

function policy(index: number): KubeObject {
  const spec = {
    images: ['registry.example/*'],
    enforcement: 'Enforce',
    unknown: 'Deny',
    maxAgeSeconds: 86_400,
    authorities: [],
    require: {},
  };
  const metadata = { name: `p${index}`, uid: `u${index}`, generation: 1 };
  return { apiVersion: 'nexusos.dev/v1alpha1', kind: 'ClusterImagePolicy', metadata, spec };
}

/** A cluster in memory, and a registry that says that all is well, at once. */
export class VerdictWorld {
  key = 'k1';
  policies = [policy(0)];
  checkedAt = new Date();
  readonly asked: ImageQuestion[] = [];
  object: ImageVerdictObject = { ...verdictOn(IMAGE, 'team-main') };

  /** What a pass over the object plans; it is taken in as the API server would. */
  async pass(): Promise<'written' | 'silent'> {
    const { works } = this;
    const controller = imageVerdictController({
      platformNamespace: PLATFORM,
      works,
      policies: new ImagePolicies(PLATFORM),
    });
    const seen = await controller.observe(this.object, this.#reader());
    const { status } = controller.plan(this.object, seen, new Date());
    if (status === this.object.status) return 'silent';
    this.object = { ...this.object, ...(status !== undefined && { status }) };
    return 'written';
  }

  /** What stands there, signed by the key of now. */
  get proof(): Proof | undefined {
    return open(this.object.status?.proof ?? '{}', this.key);
  }

  /** Puts something else where the proof stands. */
  forge(fields: Partial<Proof>, key = this.key): void {
    const proof = { ...this.proof, ...fields };
    this.object = {
      ...this.object,
      status: { ...this.object.status, proof: JSON.stringify({ key, proof }) },
    };
  }

  /** What the controller works with. */
  get works(): ImageWorks {
    const verdictOf = (policyDigest: string) => ({
      image: DIGEST,
      policy: policyDigest,
      outcome: 'Verified' as const,
      message: 'all that is asked for was verified',
      checks: [],
      facts: { signers: [] },
      notes: [],
      checkedAt: this.checkedAt.toISOString(),
    });
    return {
      verifier: {
        ask: (question) => {
          this.asked.push(question);
          const verdicts = new Map(question.policies.map(({ uid, digest }) => [uid, verdictOf(digest)]));
          const findings = { digest: DIGEST, verdicts, checkedAt: this.checkedAt };
          return { kind: 'known', findings, againMs: 60_000 };
        },
        forget: () => undefined,
        onDone: () => undefined,
      },
      readRoot: () => ({ digest: '', parts: [] }),
      problemsOf: () => [],
      newKey: () => '',
      publicKeyOf: () => undefined,
      seal: (proof, key) => JSON.stringify({ key, proof } satisfies Sealed),
      open,
    };
  }

  #reader(): Reader {
    const namespace = { name: 'team-main', labels: { [LABELS.tenant]: 'team' } };
    const data = { [SIGNING_ENTRY]: Buffer.from(this.key).toString('base64') };
    const objects = new Map<Resource, KubeObject>([
      [NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: namespace }],
      [SECRETS, { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'key' }, data }],
    ]);
    return {
      get: (resource) => objects.get(resource),
      list: (resource) => (resource === CLUSTER_IMAGE_POLICIES ? this.policies : []),
      live: () => Promise.resolve(undefined),
      listLive: () => Promise.resolve([]),
      anyLive: () => Promise.resolve(false),
    };
  }
}
