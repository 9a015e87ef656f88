// SPDX-License-Identifier: Apache-2.0
import type { GPUClassSpec } from '#crds/v1alpha1/gpu-class';
import { ANNOTATIONS, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import type { QuotaLedgerSpec, QuotaLedgerStatus } from '#crds/v1alpha1/quota-ledger';
import type { TenantSpec, TenantStatus } from '#crds/v1alpha1/tenant';
import type { Kueue } from '../kueue/kueue.ts';
import type { Prices } from '../metering/prices.ts';
import type { KubeObject, ObjectRef } from '../object.ts';
import type { Neighbourhood } from './cluster-ranges.ts';

/** A Tenant after defaulting. */
export type Tenant = KubeObject & { readonly spec: TenantSpec; readonly status?: TenantStatus };

/** The QuotaLedger of a tenant. */
export type Ledger = KubeObject & { readonly spec: QuotaLedgerSpec; readonly status?: QuotaLedgerStatus };

/** What the platform sets for all tenants. */
export interface PlatformSettings {
  /** Namespace of the operator. */
  readonly platformNamespace: string;
  /** Namespace that pull secrets are shared from; that of the operator when left out. */
  readonly pullSecretNamespace?: string;
  /** Name of the operator's ServiceAccount in that namespace. */
  readonly operatorServiceAccount: string;
  /** User name that the API server knows the operator by; left out where that is not known, as with a kubeconfig. */
  readonly operatorUser?: string | undefined;
  /** Addresses of nodes, API servers, pods and services, as CIDRs: tenants never reach them by address. */
  readonly reservedRanges: readonly string[];
  /** How much of what is short tenants get in relation to others, by the name of their plan; one where it is left out. */
  readonly planWeights?: ReadonlyMap<string, number>;
  /** What tenants pay, by their plan; where it is left out nobody knows what anything costs. */
  readonly prices?: Prices | undefined;
  /** Where Kueue is to decide on capacity; undefined: we do. */
  readonly kueue?: Kueue | undefined;
  /** Image of the program that speaks to endpoints of remote agents; none where it is left out, and so no such agents. */
  readonly remoteImage?: string | undefined;
}

/** Peers of a tenant that cannot talk with it, by whose manifest lacks what. */
export interface OneSidedPeers {
  /** It names them, and there is no such tenant. */
  readonly missing: readonly string[];
  /** It names them, and they do not name it. */
  readonly silent: readonly string[];
  /** They name it, and it does not name them. */
  readonly unanswered: readonly string[];
}

/** What was seen of one tenant, and of what it depends on. */
export interface TenantObserved {
  /** By name: namespaces that the tenant wants, has recorded or that carry its label. */
  readonly namespaces: ReadonlyMap<string, KubeObject>;
  /** Pods in namespaces that are about to be adopted that would pass for pods of a Run or a service: names by namespace. */
  readonly pretenders: ReadonlyMap<string, readonly string[]>;
  /** ConfigMaps in adopted namespaces that bear the name of the guardrails' parameters and cannot be changed. */
  readonly fixedParameters: readonly KubeObject[];
  /** Objects with our label and that of the tenant, of the kinds that the tenant controller makes. */
  readonly objects: readonly KubeObject[];
  readonly ledger: Ledger | undefined;
  /** ResourceQuotas of ours in namespaces of the tenant. */
  readonly resourceQuotas: readonly KubeObject[];
  /** ResourceQuotas of somebody else that bear the name of ours, in namespaces of the tenant. */
  readonly quotasInTheWay: readonly KubeObject[];
  /** GPU classes that the quotas name, as far as they exist. */
  readonly gpuClasses: ReadonlyMap<string, GPUClassSpec>;
  /** Tenants that this one names as peers and that name it back. */
  readonly mutualPeers: readonly string[];
  /** Peers that only one side names, sorted: nothing is open to them. */
  readonly oneSidedPeers: OneSidedPeers;
  /** Where the cluster itself can be reached. */
  readonly clusterRanges: readonly Neighbourhood[];
  /** NetworkPolicies in namespaces of the tenant that are not ours. */
  readonly foreignPolicies: readonly KubeObject[];
  /** Objects of Kueue's kinds that bear names of ours and are not of our making. */
  readonly queuesInTheWay?: readonly KubeObject[];
  /** ResourceFlavors of ours, of no tenant alone. */
  readonly flavors?: readonly KubeObject[];
  /** Whether the RuntimeClass of the spec exists; true when the spec names none. */
  readonly hasRuntimeClass: boolean;
  /** Sources of pull secrets, by name, as far as they exist and are shareable. */
  readonly pullSecretSources: ReadonlyMap<string, KubeObject>;
  /** Copies of pull secrets that are there and no longer wanted. */
  readonly stalePullSecrets: readonly KubeObject[];
  /** Whether it is time to look whether the other copies are still as they were made. */
  readonly areCopiesDue: boolean;
  /** When that will be, in milliseconds from now. */
  readonly copiesDueMs: number;
  /** Runs that wait in namespaces of the tenant. */
  readonly queuedRuns: number;
  /** All Runs in namespaces of the tenant; only looked at while the tenant is being deleted. */
  readonly runs: readonly KubeObject[];
}

/** UID of the Tenant. The API server has given it one before anybody could see it. */
export function uidOf(object: KubeObject): string {
  return object.metadata.uid ?? '';
}

/** Labels of everything that is made for the tenant. */
export function ownedLabels(tenant: Tenant): Record<string, string> {
  return { [LABELS.managedBy]: MANAGED_BY, [LABELS.tenant]: tenant.metadata.name };
}

/**
 * Metadata of what is made for the tenant. It names the Tenant by an annotation and not as an owner: the garbage collector
 * deletes what is owned in no order, and at once when a Tenant is deleted in the foreground, as Argo CD does: default-deny
 * policies and quota would go while pods still run. Order is kept by our finalizer.
 */
export function ownedMetadata(tenant: Tenant, key: { readonly namespace?: string; readonly name: string }) {
  return { ...key, labels: ownedLabels(tenant), annotations: { [ANNOTATIONS.tenantUid]: uidOf(tenant) } };
}

/** Whether `object` was made for this very Tenant, and not for a former one of the same name. */
export function isOwnedBy({ metadata }: KubeObject, tenant: Tenant): boolean {
  const uid = uidOf(tenant);
  // Earlier versions set an owner; their objects are ours until they are applied again.
  const isOwned = metadata.ownerReferences?.some((one) => one.controller === true && one.uid === uid);
  return metadata.annotations?.[ANNOTATIONS.tenantUid] === uid || isOwned === true;
}

/** Text that is equal for references to the same object, whichever version of the API they use. */
export function identity(object: KubeObject | ObjectRef): string {
  const { name, namespace = '' } = 'metadata' in object ? object.metadata : object;
  return `${object.kind}/${namespace}/${name}`;
}
