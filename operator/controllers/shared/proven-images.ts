// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import type { ImageVerdictSpec, ImageVerdictStatus } from '#crds/v1alpha1/image-verdict';
import type { KnownImages } from '../../core/images/admit.ts';
import { verdictName } from '../../core/images/names.ts';
import { imagePolicyFacts } from '../../core/images/objects.ts';
import type { Proof } from '../../core/images/proof.ts';
import { withProof } from '../../core/images/several-names.ts';
import { type ImageWorks, SIGNING_ENTRY, SIGNING_SECRET } from '../../core/images/works.ts';
import type { KubeObject } from '../../core/object.ts';
import { type ImagesKnown, tellerOf } from '../../core/policy/image-input.ts';
import type { ImagesWorld } from '../../core/scan/world.ts';
import {
  CLUSTER_IMAGE_POLICIES,
  IMAGE_POLICIES,
  IMAGE_VERDICTS,
  NAMESPACES,
  SECRETS,
} from '../../core/resources.ts';
import type { Patience, Reader, Watch } from '../../runtime/controller.ts';
import type { ImagePolicies } from './image-policies.ts';

/** What was proved of images is looked up with. */
export interface ProvenImagesOptions {
  readonly platformNamespace: string;
  readonly works: Pick<ImageWorks, 'open'>;
  readonly policies: ImagePolicies;
}

/** Whom it concerns that something else is known of images. */
export interface ImageListeners {
  /** Of one verdict. */
  readonly ofVerdict: Watch['keys'];
  /** Of all: a policy asks something else. */
  readonly ofPolicy: Watch['keys'];
}

interface Opened {
  readonly key: string;
  readonly proof: Proof | undefined;
}

/** What the operator itself has proved of images, for controllers that go by it: the same that admission goes by, and nothing beside it. */
export class ProvenImages {
  readonly #options: ProvenImagesOptions;
  /** By the object as the store has it: each is opened once. */
  readonly #opened = new WeakMap<KubeObject, Opened>();

  constructor(options: ProvenImagesOptions) {
    this.#options = options;
  }

  /** What has to be watched for it. */
  watches({ ofVerdict, ofPolicy }: ImageListeners, patienceMs: number): readonly Watch[] {
    const patience: Patience = () => patienceMs;
    return [
      { resource: IMAGE_VERDICTS, keys: ofVerdict, patienceMs: ifProofChanges(patienceMs) },
      { resource: CLUSTER_IMAGE_POLICIES, keys: ofPolicy, patienceMs: ifGenerationChanges(patienceMs) },
      { resource: IMAGE_POLICIES, keys: ofPolicy, patienceMs: ifGenerationChanges(patienceMs) },
      { resource: NAMESPACES, keys: () => [] },
      {
        resource: SECRETS,
        namespace: this.#options.platformNamespace,
        fieldSelector: `metadata.name=${SIGNING_SECRET}`,
        keys: ofPolicy,
        patienceMs: patience,
      },
    ];
  }

  /** What is known of a namespace, and which policies are for it. */
  in(namespace: string, read: Reader): ImagesKnown {
    const policies = this.#options.policies.for(namespace, read).map(imagePolicyFacts);
    return { policies, known: this.#known(namespace, read) };
  }

  /** What is known of all namespaces, for who goes over what exists. */
  world(read: Reader): ImagesWorld {
    const hash = createHash('sha256');
    for (const resource of [CLUSTER_IMAGE_POLICIES, IMAGE_POLICIES, IMAGE_VERDICTS]) {
      const versions = read
        .list(resource)
        .map(({ metadata }) => `${metadata.uid ?? ''} ${metadata.resourceVersion ?? ''}`);
      hash.update(versions.toSorted().join('\n'));
    }
    return {
      tellerFor: (namespace) => tellerOf(() => this.in(namespace, read)),
      version: hash.digest('hex'),
    };
  }

  #known(namespace: string, read: Reader): KnownImages {
    return {
      proofOf: (image) => {
        const object = read.get(IMAGE_VERDICTS, { namespace, name: verdictName(image) });
        const proof = object === undefined ? undefined : this.#open(object, read);
        return proof?.image === image ? proof : undefined;
      },
      proofsOfDigest: (repository, digest) =>
        read
          .list(IMAGE_VERDICTS, { namespace })
          .filter((one) => isIn(repository, (one['spec'] as ImageVerdictSpec).image))
          .flatMap((one) => this.#open(one, read) ?? [])
          .filter((proof) => proof.digest === digest && isIn(repository, proof.image))
          .reduce<readonly Proof[]>(withProof, []),
    };
  }

  /** What is proved by an object, where it is signed by the key of now and of its own namespace. */
  #open(object: KubeObject, read: Reader): Proof | undefined {
    const key = this.#key(read);
    const { proof: text } = (object['status'] ?? {}) as Partial<ImageVerdictStatus>;
    if (key === undefined || text === undefined) return undefined;
    const before = this.#opened.get(object);
    if (before?.key === key) return before.proof;
    const found = this.#options.works.open(text, key);
    const proof = found?.namespace === object.metadata.namespace ? found : undefined;
    this.#opened.set(object, { key, proof });
    return proof;
  }

  #key(read: Reader): string | undefined {
    const place = { namespace: this.#options.platformNamespace, name: SIGNING_SECRET };
    const data = read.get(SECRETS, place)?.['data'] as Readonly<Record<string, string>> | undefined;
    const text = data?.[SIGNING_ENTRY];
    return text === undefined ? undefined : Buffer.from(text, 'base64').toString('utf8');
  }
}

/** Whether a verdict is on an image of a repository. */
function isIn(repository: string, image: string): boolean {
  return image.startsWith(`${repository}:`) || image.startsWith(`${repository}@`);
}

function ifProofChanges(patienceMs: number): Patience {
  return ({ old, object }) => (proofOf(old) === proofOf(object) ? Infinity : patienceMs);
}

function proofOf(object: KubeObject | undefined): string | undefined {
  return (object?.['status'] as Partial<ImageVerdictStatus> | undefined)?.proof;
}

function ifGenerationChanges(patienceMs: number): Patience {
  return ({ old, object }) =>
    old !== undefined && object !== undefined && old.metadata.generation === object.metadata.generation
      ? Infinity
      : patienceMs;
}
