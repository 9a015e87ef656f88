// SPDX-License-Identifier: Apache-2.0
import { LABELS, WEBHOOKS_NAME } from '#crds/v1alpha1/names';
import type { PolicyPackRevisionSpec } from '#crds/v1alpha1/policy-pack-revision';
import type { Agent, GPUClass } from '#operator/core/agent/agent';
import type { KubeObject } from '#operator/core/object';
import type { Exemption } from '#operator/core/policy/exemption';
import { exemptionOf } from '#operator/core/policy/objects';
import { namespaceNames } from '#operator/core/tenant/namespaces';
import type { Tenant } from '#operator/core/tenant/tenant';
import type { Cache } from '#operator/runtime/cache';
import { clock } from '#operator/runtime/clock';
import type { IndexDeclaration } from '#operator/runtime/controller';
import {
  AGENTS,
  GPU_CLASSES,
  NAMESPACES,
  POLICY_EXEMPTIONS,
  POLICY_PACK_REVISIONS,
  POLICY_PACKS,
  TENANTS,
  VALIDATING_CONFIGURATIONS,
} from '#operator/core/resources';
import { type RegisteredRule, registeredRules } from '../registrations.ts';

/** What is known of the cluster when an object is judged. */
export interface Facts {
  readonly tenant: (name: string) => Tenant | undefined;
  /** The tenant that a namespace belongs to. */
  readonly tenantOf: (namespace: string) => Tenant | undefined;
  /** Tenants that want a namespace of that name, or have it. */
  readonly tenantsWanting: (namespace: string) => readonly Tenant[];
  readonly namespace: (name: string) => KubeObject | undefined;
  readonly gpuClass: (name: string) => GPUClass | undefined;
  readonly agent: (namespace: string, name: string) => Agent | undefined;
  /** Agents whose Runs get devices of that class. */
  readonly agentsOfClass: (name: string) => readonly Agent[];
  readonly tenantsOfClass: (name: string) => readonly Tenant[];
  readonly policyPack: (namespace: string, name: string) => KubeObject | undefined;
  /** PolicyPackRevisions that are there of packs of that name, namesakes of before included. */
  readonly packRevisions: (namespace: string, pack: string) => readonly KubeObject[];
  /** Exemptions in the namespace of the platform. */
  readonly exemptions: () => readonly Exemption[];
  /** What the API server asks about; undefined where that is not known. */
  readonly registered: () => readonly RegisteredRule[] | undefined;
  readonly now: () => Date;
}

const BY = {
  namespace: 'tenants-by-namespace',
  tenantClass: 'tenants-by-class',
  agentClass: 'agents-by-class',
} as const;

/** By what objects are found here. */
export const VALIDATION_INDEXES: readonly IndexDeclaration[] = [
  { resource: TENANTS, name: BY.namespace, of: (tenant) => namespaceNames(tenant as Tenant) },
  { resource: TENANTS, name: BY.tenantClass, of: (tenant) => classesOf(tenant as Tenant) },
  {
    resource: AGENTS,
    name: BY.agentClass,
    of: (agent) => [(agent as Agent).spec.gpu?.class ?? []].flat(),
  },
];

/** Declares what is watched so that objects can be judged. */
export function watchFacts(cache: Cache, { namespace }: { readonly namespace: string }): void {
  for (const resource of [AGENTS, GPU_CLASSES, POLICY_PACK_REVISIONS, POLICY_PACKS, TENANTS])
    cache.watch({ resource }, () => undefined);
  cache.watch({ resource: NAMESPACES, metadataOnly: true }, () => undefined);
  cache.watch({ resource: POLICY_EXEMPTIONS, namespace }, () => undefined);
}

/** What stores tell at this moment. */
export function factsOf(cache: Cache): Facts {
  const tenant = (name: string) => cache.get(TENANTS, { name }) as Tenant | undefined;
  const namespace = (name: string) => cache.get(NAMESPACES, { name });
  return {
    tenant,
    namespace,
    tenantOf(name) {
      const owner = namespace(name)?.metadata.labels?.[LABELS.tenant];
      return owner === undefined ? undefined : tenant(owner);
    },
    tenantsWanting: (value) => cache.list(TENANTS, { index: BY.namespace, value }) as readonly Tenant[],
    gpuClass: (name) => cache.get(GPU_CLASSES, { name }) as GPUClass | undefined,
    agent: (within, name) => cache.get(AGENTS, { namespace: within, name }) as Agent | undefined,
    agentsOfClass: (value) => cache.list(AGENTS, { index: BY.agentClass, value }) as readonly Agent[],
    tenantsOfClass: (value) => cache.list(TENANTS, { index: BY.tenantClass, value }) as readonly Tenant[],
    policyPack: (within, name) => cache.get(POLICY_PACKS, { namespace: within, name }),
    packRevisions: (within, pack) =>
      cache.list(POLICY_PACK_REVISIONS, { namespace: within }).filter((one) => packOf(one) === pack),
    exemptions: () => cache.list(POLICY_EXEMPTIONS).map(exemptionOf),
    registered: () => registeredRules(cache.get(VALIDATING_CONFIGURATIONS, { name: WEBHOOKS_NAME })),
    now: () => clock.now(),
  };
}

function packOf(revision: KubeObject): string {
  return (revision['spec'] as PolicyPackRevisionSpec).packRef.name;
}

function classesOf({ spec }: Tenant): readonly string[] {
  return (spec.quotas?.gpus ?? []).map((one) => one.class);
}
