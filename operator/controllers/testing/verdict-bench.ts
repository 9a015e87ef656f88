// SPDX-License-Identifier: Apache-2.0
import type { ImageVerdictStatus } from '#crds/v1alpha1/image-verdict';
import { LABELS } from '#crds/v1alpha1/names';
import type { Proof } from '../../core/images/proof.ts';
import type { ImageVerdictObject } from '../../core/images/verdict-plan.ts';
import type { ImageFindings, ImageQuestion } from '../../core/images/verification.ts';
import { type ImageWorks, SIGNING_ENTRY, SIGNING_SECRET } from '../../core/images/works.ts';
import type { KubeObject, Resource } from '../../core/object.ts';
import {
  CLUSTER_IMAGE_POLICIES,
  IMAGE_POLICIES,
  NAMESPACES,
  SECRETS,
  TRUST_ROOTS,
} from '../../core/resources.ts';
import type { Key, ListFilter, Reader } from '../../runtime/controller.ts';
import { imageVerdictController } from '../image-verdict.ts';
import { ImagePolicies } from '../shared/image-policies.ts';

const PLATFORM = 'nexusos-system';
const NAMESPACE = 'images-bounded';
const DIGEST = `sha256:${'a'.repeat(64)}`;

function object(resource: Resource, name: string, more: Partial<KubeObject> = {}): KubeObject {
  const metadata = { name, uid: `uid-${name}`, generation: 1, ...more.metadata };
  return { apiVersion: 'v1', kind: resource.kind, ...more, metadata };
}

/** A policy that all images are for: of the platform one that is enforced, of a tenant one that warns. */
export function policy(
  resource: Resource,
  name: string,
  more: { readonly deletionTimestamp?: string } = {},
): KubeObject {
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
export class Bench {
  readonly world = new World();
  readonly asked: ImageQuestion[] = [];
  /** What the verifier knows; undefined while it looks. */
  found: Found | undefined;
  status: ImageVerdictStatus | undefined;

  /** Lets the controller decide once. */
  async reconcile(): Promise<void> {
    const policies = new ImagePolicies(PLATFORM);
    const controller = imageVerdictController({
      platformNamespace: PLATFORM,
      works: this.#works(),
      policies,
    });
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
