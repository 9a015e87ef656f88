// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS, API_VERSION, LABELS } from '#crds/v1alpha1/names';
import { TENANT, type TenantSpec, type TenantStatus } from '#crds/v1alpha1/tenant';
import type { KubeObject, ObjectMeta } from '../../object.ts';
import type { Ledger, PlatformSettings, Tenant, TenantObserved } from '../tenant.ts';

/** Any instant will do. */
export const NOW = new Date('2026-11-21T12:00:00Z');

/** A platform with nodes and services in 10.0.0.0/16 and 10.96.0.0/12. */
export const PLATFORM: PlatformSettings = {
  platformNamespace: 'platform',
  operatorServiceAccount: 'operator',
  reservedRanges: ['10.0.0.0/16', '10.96.0.0/12'],
};

/** Input for a spec, before defaults. */
export type SpecInput = Partial<TenantSpec>;

/** A valid Tenant of name `acme`, with what a case is about. */
export function makeTenant(
  spec: SpecInput = {},
  more: { readonly metadata?: Partial<ObjectMeta>; readonly status?: TenantStatus } = {},
): Tenant {
  const name = more.metadata?.name ?? 'acme';
  return {
    apiVersion: API_VERSION,
    kind: 'Tenant',
    metadata: { name, uid: `uid-of-${name}`, generation: 1, ...more.metadata },
    spec: TENANT.spec.parse(spec),
    ...(more.status && { status: more.status }),
  };
}

/** A live namespace; `tenant` marks it as made for that Tenant. */
export function makeNamespace(
  name: string,
  more: { readonly tenant?: Tenant; readonly metadata?: Partial<ObjectMeta> } = {},
): KubeObject {
  const { tenant, metadata } = more;
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name,
      uid: `uid-of-${name}`,
      ...(tenant && {
        labels: { [LABELS.tenant]: tenant.metadata.name },
        annotations: { [ANNOTATIONS.tenantUid]: tenant.metadata.uid ?? '' },
      }),
      ...metadata,
    },
  };
}

/** A ledger that has dealt out its totals. */
export function makeLedger(tenant: Tenant, status: Ledger['status'] = {}): Ledger {
  const { name, uid = '' } = tenant.metadata;
  return {
    apiVersion: API_VERSION,
    kind: 'QuotaLedger',
    metadata: { name, uid: `ledger-of-${name}`, generation: 1 },
    spec: { tenantUID: uid, suspended: false },
    status: { observedGeneration: 1, ...status },
  };
}

/** Nothing seen, but what a case is about. */
export function makeObserved(
  observed: Partial<Omit<TenantObserved, 'namespaces'>> & {
    readonly namespaces?: readonly KubeObject[];
  } = {},
): TenantObserved {
  const { namespaces = [], ...rest } = observed;
  return {
    pretenders: new Map(),
    fixedParameters: [],
    objects: [],
    ledger: undefined,
    resourceQuotas: [],
    quotasInTheWay: [],
    gpuClasses: new Map(),
    mutualPeers: [],
    oneSidedPeers: { missing: [], silent: [], unanswered: [] },
    clusterRanges: [],
    foreignPolicies: [],
    hasRuntimeClass: true,
    pullSecretSources: new Map(),
    stalePullSecrets: [],
    areCopiesDue: false,
    copiesDueMs: 300_000,
    queuedRuns: 0,
    runs: [],
    ...rest,
    namespaces: new Map(namespaces.map((one) => [one.metadata.name, one])),
  };
}

/** An object as it comes back from the API server after it was applied. */
export function asLive(desired: KubeObject): KubeObject {
  const { name, namespace = '' } = desired.metadata;
  const uid = `uid-of-${desired.kind}-${namespace}-${name}`;
  return { ...desired, metadata: { ...desired.metadata, uid, resourceVersion: '1', generation: 1 } };
}
