// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS, LABELS } from '#crds/v1alpha1/names';
import type { PolicyExemptionSpec } from '#crds/v1alpha1/policy-exemption';
import type { PolicyPackSpec, PolicyPackStatus } from '#crds/v1alpha1/policy-pack';
import type { PolicyPackRevisionSpec } from '#crds/v1alpha1/policy-pack-revision';
import { defined, type KubeObject } from '../object.ts';
import type { Tenant } from '../tenant/tenant.ts';
import type { Exemption } from './exemption.ts';
import type { NamespaceFacts, TenantFacts } from './facts.ts';
import type { Trust } from './mutate.ts';
import type { PackState, SnapshotRevision } from './snapshot.ts';

type PackObject = KubeObject & { readonly spec: PolicyPackSpec; readonly status?: PolicyPackStatus };
type RevisionObject = KubeObject & { readonly spec: PolicyPackRevisionSpec };
type ExemptionObject = KubeObject & { readonly spec: PolicyExemptionSpec };

/** Whose a pack is: by the namespace that it is in, and by nothing that it says of itself. */
export interface PackPlace {
  readonly trust: Trust;
  readonly tenant?: string;
}

/** Whose packs of `namespace` are; undefined: nobody's, and nobody is judged by them. The label is one that only the operator sets. */
export function placeOf(
  namespace: string,
  {
    platformNamespace,
    labels,
  }: { readonly platformNamespace: string; readonly labels: NamespaceFacts['labels'] },
): PackPlace | undefined {
  if (namespace === platformNamespace) return { trust: 'Platform' };
  const tenant = labels[LABELS.tenant];
  return tenant === undefined || tenant === '' ? undefined : { trust: 'Tenant', tenant };
}

/** `namespace/name` of what is named in a namespace. */
export function keyIn(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

/** How far a pack has come, as requests are judged by it. */
export function packStateOf({ metadata, spec, status = {} }: PackObject, place: PackPlace): PackState {
  const { namespace = '', name, uid = '' } = metadata;
  const key = (revision: string | undefined) =>
    revision === undefined || revision === '' ? undefined : keyIn(namespace, revision);
  return {
    pack: { namespace, name },
    uid,
    trust: place.trust,
    rollout: rolloutOf(status),
    percent: status.stage?.percent ?? 0,
    latencyBudgetMs: spec.rollout.latencyBudgetMs,
    ...defined({
      tenant: place.tenant,
      active: key(status.activeRevision),
      candidate: key(status.candidateRevision),
      previous: key(status.previousRevision),
      critical: spec.rollout.critical,
    }),
  };
}

/** Candidates that are only being loaded, to go back to or to begin with, are compared with nothing yet. */
function rolloutOf({ phase, stage, candidateRevision }: PolicyPackStatus): PackState['rollout'] {
  if (candidateRevision === undefined || candidateRevision === '') return 'None';
  if (phase === 'Cohort') return 'Cohort';
  return phase === 'Shadow' && stage?.name === 'Shadow' ? 'Shadow' : 'None';
}

/** What of a revision does not follow from the object: whether its module is there, and what its data says. */
export interface RevisionContext {
  readonly place: PackPlace;
  /** Whom to ask about the pack. */
  readonly contact?: string | undefined;
  readonly isLoaded: boolean;
  readonly constraints?: readonly unknown[] | undefined;
}

/** A revision, as requests are judged by it. */
export function revisionOf({ metadata, spec }: RevisionObject, context: RevisionContext): SnapshotRevision {
  const { namespace = '', name } = metadata;
  return {
    key: keyIn(namespace, name),
    pack: { namespace, name: spec.packRef.name },
    revision: name,
    version: spec.version,
    trust: context.place.trust,
    enforcement: spec.enforcement,
    judgesAccess: spec.entrypoints.some(({ role }) => role === 'allow'),
    isLoaded: context.isLoaded,
    binding: spec.binding,
    entrypoints: spec.entrypoints,
    shape: spec.input,
    parameters: JSON.stringify(spec.parameters ?? {}),
    mayChange: spec.hasMutate,
    deadlineMs: spec.evaluation.deadlineMs,
    memoryMiB: spec.evaluation.memoryMiB,
    ...defined({ contact: context.contact, constraints: context.constraints }),
  };
}

/** Whom somebody asks whose request a pack refuses. */
export function packContactOf({ metadata }: KubeObject): string | undefined {
  return metadata.annotations?.[ANNOTATIONS.contact];
}

/** An exemption; only those in the namespace of the platform count at all. */
export function exemptionOf({ metadata, spec }: ExemptionObject): Exemption {
  const { packRef, rules, subjects, expiresAt, ticket, approval } = spec;
  return {
    name: metadata.name,
    packRef,
    subjects,
    expiresAt,
    ticket,
    requestedBy: metadata.annotations?.[ANNOTATIONS.createdBy],
    ...defined({ rules, approval }),
  };
}

/** What policy may know of a tenant. */
export function tenantFactsOf({ metadata, spec }: Tenant): TenantFacts {
  return {
    name: metadata.name,
    labels: metadata.labels ?? {},
    plan: spec.plan,
    tier: spec.isolation.tier,
    ...defined({
      residency: spec.residency,
      entitlements: spec.entitlements,
      contact: spec.branding?.supportContact,
    }),
  };
}

/** What policy may know of a namespace. */
export function namespaceFactsOf({ metadata }: KubeObject): NamespaceFacts {
  return { name: metadata.name, labels: metadata.labels ?? {} };
}
