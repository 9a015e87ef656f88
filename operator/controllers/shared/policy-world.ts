// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import { exemptionOf, namespaceFacts, tenantFacts } from '../../core/policy/objects.ts';
import type { ScanWorld } from '../../core/scan/world.ts';
import type { PolicyPackSpec } from '#crds/v1alpha1/policy-pack';
import type { KubeObject } from '../../core/object.ts';
import type { Reader, Watch } from '../../runtime/controller.ts';
import type { ProvenImages } from './proven-images.ts';
import { NAMESPACES, POLICY_EXEMPTIONS, TENANTS } from '../../core/resources.ts';

/** What has to be watched for `scanWorld`, beside exemptions. Nobody is woken: it is looked at when something is judged. */
export const WORLD_WATCHES: readonly Watch[] = [
  { resource: NAMESPACES, keys: () => [] },
  { resource: TENANTS, keys: () => [] },
];

/** Exemptions: only those in the namespace of the platform count. `keys`: whom one concerns. */
export function exemptionWatch(platformNamespace: string, keys: Watch['keys'] = () => []): Watch {
  return { resource: POLICY_EXEMPTIONS, namespace: platformNamespace, keys };
}

/** What is known of the cluster when what exists is judged: namespaces of tenants alone, since webhooks are asked about no others. `images`: where rules are told of these. */
export function scanWorld(read: Reader, platformNamespace: string, images?: ProvenImages): ScanWorld {
  const namespaces = read
    .list(NAMESPACES)
    .filter(({ metadata }) => metadata.labels?.[LABELS.tenant] !== undefined)
    .map(namespaceFacts);
  const tenants = read.list(TENANTS).map(tenantFacts);
  return {
    platformNamespace,
    namespaces: new Map(namespaces.map((one) => [one.name, one])),
    tenants: new Map(tenants.map((one) => [one.name, one])),
    exemptions: read.list(POLICY_EXEMPTIONS, { namespace: platformNamespace }).map(exemptionOf),
    images: images?.world(read),
  };
}

/** Whether the rules of a pack, or of a revision, are told what is known of images. */
export function seesImages(object: KubeObject): boolean {
  const { facts = [] } = object['spec'] as Partial<Pick<PolicyPackSpec, 'facts'>>;
  return facts.includes('Images');
}
