// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS, LABELS } from '#crds/v1alpha1/names';
import type { PolicyExemptionSpec } from '#crds/v1alpha1/policy-exemption';
import type { PolicyPackSpec, PolicyPackStatus } from '#crds/v1alpha1/policy-pack';
import type { PolicyPackRevisionSpec } from '#crds/v1alpha1/policy-pack-revision';
import type { TenantSpec } from '#crds/v1alpha1/tenant';
import type { KubeObject } from '../object.ts';
import type { Exemption } from './exemption.ts';
import type { NamespaceFacts, TenantFacts } from './facts.ts';
import type { Constraint } from './gatekeeper-constraints.ts';
import type { PackState, SnapshotRevision } from './snapshot.ts';

// From objects of the cluster to what decisions are made by. The API server has checked them against their schemas.

type Pack = KubeObject & { readonly spec: PolicyPackSpec; readonly status?: PolicyPackStatus };
type Revision = KubeObject & { readonly spec: PolicyPackRevisionSpec };

/** Where packs are, and whose namespaces there are. */
export interface Places {
  readonly platformNamespace: string;
  readonly namespaces: ReadonlyMap<string, NamespaceFacts>;
}

/** A tenant, as policy knows it. */
export function tenantFacts(object: KubeObject): TenantFacts {
  const { spec, metadata } = object as KubeObject & { readonly spec: TenantSpec };
  return {
    name: metadata.name,
    labels: metadata.labels ?? {},
    plan: spec.plan,
    tier: spec.isolation.tier,
    ...(spec.residency !== undefined && { residency: spec.residency }),
    ...(spec.entitlements !== undefined && { entitlements: spec.entitlements }),
    ...(spec.branding?.supportContact !== undefined && { contact: spec.branding.supportContact }),
  };
}

/** A namespace, as policy knows it. */
export function namespaceFacts({ metadata }: KubeObject): NamespaceFacts {
  const { name, labels = {}, annotations } = metadata;
  return { name, labels, ...(annotations !== undefined && { annotations }) };
}

/** A pack and where its rollout is; undefined where it judges nobody: its namespace is neither the platform's nor a tenant's. */
export function packState(object: KubeObject, places: Places): PackState | undefined {
  const { metadata, spec, status } = object as Pack;
  const namespace = metadata.namespace ?? '';
  const owner = ownerOf(namespace, places);
  if (owner === undefined) return undefined;
  return {
    ...owner,
    pack: { namespace, name: metadata.name },
    uid: metadata.uid ?? '',
    active: keyed(namespace, status?.activeRevision),
    candidate: keyed(namespace, status?.candidateRevision),
    previous: keyed(namespace, status?.previousRevision),
    rollout: rolloutOf(status),
    percent: status?.stage?.percent ?? 0,
    critical: spec.rollout.critical,
    latencyBudgetMs: spec.rollout.latencyBudgetMs,
  };
}

function ownerOf(namespace: string, places: Places): Pick<PackState, 'trust' | 'tenant'> | undefined {
  if (namespace === places.platformNamespace) return { trust: 'Platform' };
  const tenant = places.namespaces.get(namespace)?.labels[LABELS.tenant];
  return tenant === undefined ? undefined : { trust: 'Tenant', tenant };
}

function keyed(namespace: string, revision: string | undefined): string | undefined {
  return revision === undefined ? undefined : `${namespace}/${revision}`;
}

function rolloutOf(status: PolicyPackStatus | undefined): PackState['rollout'] {
  const { phase, candidateRevision } = status ?? {};
  if (candidateRevision === undefined) return 'None';
  return phase === 'Shadow' || phase === 'Cohort' ? phase : 'None';
}

/** What is known of a revision besides its object. */
export interface RevisionContext {
  readonly places: Places;
  /** The pack that it is of, for whom to ask. */
  readonly pack: KubeObject | undefined;
  readonly isLoaded: boolean;
  readonly constraints?: readonly Constraint[] | undefined;
}

/** A revision, as requests are judged by it. */
export function snapshotRevision(object: KubeObject, context: RevisionContext): SnapshotRevision {
  const { metadata, spec } = object as Revision;
  const namespace = metadata.namespace ?? '';
  const isPlatform = namespace === context.places.platformNamespace;
  return {
    pack: { namespace, name: spec.packRef.name },
    revision: metadata.name,
    key: `${namespace}/${metadata.name}`,
    version: spec.version,
    trust: isPlatform ? 'Platform' : 'Tenant',
    enforcement: spec.enforcement,
    judgesAccess: spec.entrypoints.some(({ role }) => role === 'allow'),
    contact: context.pack?.metadata.annotations?.[ANNOTATIONS.contact],
    isLoaded: context.isLoaded,
    binding: spec.binding,
    entrypoints: spec.entrypoints,
    shape: spec.input,
    parameters: JSON.stringify(spec.parameters ?? {}),
    constraints: context.constraints,
    mayChange: spec.hasMutate,
    seesImages: spec.facts?.includes('Images') === true,
    deadlineMs: spec.evaluation.deadlineMs,
    memoryMiB: spec.evaluation.memoryMiB,
  };
}

/**
 * What stands for a revision that a pack names and nobody has seen: bound as the pack is, and not loaded. A pack that is active
 * is never passed over because one watch is behind another.
 */
export function unseenRevision(object: KubeObject, name: string, places: Places): SnapshotRevision {
  const { metadata, spec } = object as Pack;
  const namespace = metadata.namespace ?? '';
  return {
    pack: { namespace, name: metadata.name },
    revision: name,
    key: `${namespace}/${name}`,
    version: spec.version,
    trust: namespace === places.platformNamespace ? 'Platform' : 'Tenant',
    enforcement: spec.enforcement,
    judgesAccess: false,
    contact: metadata.annotations?.[ANNOTATIONS.contact],
    isLoaded: false,
    binding: spec.binding,
    entrypoints: [],
    shape: spec.input,
    parameters: '{}',
    mayChange: false,
    deadlineMs: spec.evaluation.deadlineMs,
    memoryMiB: spec.evaluation.memoryMiB,
  };
}

/** An exemption. Only those of the namespace of the platform count, which is for who reads them to see to. */
export function exemptionOf(object: KubeObject): Exemption {
  const { metadata, spec } = object as KubeObject & { readonly spec: PolicyExemptionSpec };
  const { packRef, rules, subjects, expiresAt, ticket, approval } = spec;
  return {
    name: metadata.name,
    packRef,
    rules,
    subjects,
    expiresAt,
    ticket,
    requestedBy: metadata.annotations?.[ANNOTATIONS.createdBy],
    requestedAt: metadata.creationTimestamp,
    approval,
  };
}
