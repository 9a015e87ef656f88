// SPDX-License-Identifier: Apache-2.0
import type { ImagePolicyStatus } from '#crds/v1alpha1/image-policy';
import type { TrustRootSpec, TrustRootStatus } from '#crds/v1alpha1/trust-root';
import type { ImagePolicyObject } from '../core/images/objects.ts';
import {
  planImagePolicy,
  planTrustRoot,
  type PolicySeen,
  type RootSeen,
} from '../core/images/policy-plan.ts';
import type { ImageWorks } from '../core/images/works.ts';
import type { KubeObject, Resource } from '../core/object.ts';
import { CLUSTER_IMAGE_POLICIES, IMAGE_POLICIES, IMAGE_VERDICTS, TRUST_ROOTS } from '../core/resources.ts';
import {
  type Controller,
  type Key,
  keyOf,
  type Reader,
  type SeenChange,
  type Watch,
} from '../runtime/controller.ts';
import type { ImagePolicies } from './shared/image-policies.ts';

/** What the controllers work with. */
export interface ImagePolicyOptions {
  readonly policies: ImagePolicies;
  readonly works: Pick<ImageWorks, 'problemsOf' | 'readRoot'>;
}

/** What became of many images at one time is counted once. */
const COUNT_MS = 2000;

/** The controller of ClusterImagePolicies: whether they can be applied, and what became of images. */
export function clusterImagePolicyController(
  options: ImagePolicyOptions,
): Controller<ImagePolicyObject, PolicySeen, ImagePolicyStatus> {
  return controllerOf(options, {
    name: 'cluster-image-policy',
    resource: CLUSTER_IMAGE_POLICIES,
    isOf: () => true,
  });
}

/** The controller of ImagePolicies: the same in one namespace. */
export function imagePolicyController(
  options: ImagePolicyOptions,
): Controller<ImagePolicyObject, PolicySeen, ImagePolicyStatus> {
  return controllerOf(options, {
    name: 'image-policy',
    resource: IMAGE_POLICIES,
    isOf: (policy, verdict) => policy.metadata.namespace === verdict.metadata.namespace,
  });
}

interface Kind {
  readonly name: string;
  readonly resource: Resource;
  /** Whether a verdict may tell of a policy. */
  readonly isOf: (policy: KubeObject, verdict: KubeObject) => boolean;
}

function controllerOf(
  { policies, works }: ImagePolicyOptions,
  { name, resource, isOf }: Kind,
): Controller<ImagePolicyObject, PolicySeen, ImagePolicyStatus> {
  const all = (read: Reader) => read.list(resource).map(keyOf);
  const counted: Watch['keys'] = (verdict, read) =>
    read
      .list(resource)
      .filter((policy) => isOf(policy, verdict))
      .map(keyOf);
  return {
    name,
    resource,
    watches: [
      ...policies.trustWatches(all),
      { resource: IMAGE_VERDICTS, keys: counted, patienceMs: ifItSaysOtherwise },
    ],
    rbac: [],
    observe: async (object, read) => {
      const { inputs, digest } = await policies.read(object, read);
      const { namespace } = object.metadata;
      return {
        digest,
        problems: works.problemsOf(inputs),
        verdicts: read.list(IMAGE_VERDICTS, namespace === undefined ? {} : { namespace }),
        hasSecrets: object.spec.authorities.some(({ key }) => key?.secretRef !== undefined),
      };
    },
    plan: planImagePolicy,
  };
}

/** What a verdict is proved by changes nothing that policies tell. */
function ifItSaysOtherwise({ old, object }: SeenChange): number {
  return said(old) === said(object) ? Infinity : COUNT_MS;
}

function said(verdict: KubeObject | undefined): string {
  const { policies = [] } = (verdict?.['status'] ?? {}) as {
    policies?: { name: string; outcome: string; reason?: string }[];
  };
  return policies.map(({ name, outcome, reason = '' }) => `${name}=${outcome} ${reason}`).join();
}

type TrustRootObject = KubeObject & { readonly spec: TrustRootSpec; readonly status?: TrustRootStatus };

/** The controller of TrustRoots: whether they could be read, and what is in them. */
export function trustRootController({
  policies,
  works,
}: ImagePolicyOptions): Controller<TrustRootObject, RootSeen, TrustRootStatus> {
  const ofPolicies: readonly Watch[] = [CLUSTER_IMAGE_POLICIES, IMAGE_POLICIES].map((resource) => ({
    resource,
    keys: rootsOf,
    patienceMs: ({ old, object }) =>
      old?.metadata.generation === object?.metadata.generation ? Infinity : COUNT_MS,
  }));
  return {
    name: 'trust-root',
    resource: TRUST_ROOTS,
    watches: [
      ...policies.trustWatches(allRoots).filter(({ resource }) => resource !== TRUST_ROOTS),
      ...ofPolicies,
    ],
    rbac: [],
    observe: ({ metadata }, read) => {
      const text = policies.root(metadata.name, read);
      const using = [...read.list(CLUSTER_IMAGE_POLICIES), ...read.list(IMAGE_POLICIES)].filter((policy) =>
        rootsOf(policy).some(({ name }) => name === metadata.name),
      );
      return { read: text === undefined ? undefined : works.readRoot(text), policies: using.length };
    },
    plan: planTrustRoot,
  };
}

function allRoots(read: Reader): readonly Key[] {
  return read.list(TRUST_ROOTS).map(keyOf);
}

function rootsOf(policy: KubeObject) {
  const { authorities } = (policy as ImagePolicyObject).spec;
  return authorities.flatMap(({ trustRootRef }) =>
    trustRootRef === undefined ? [] : [{ name: trustRootRef.name }],
  );
}
