// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS, GROUP } from '#crds/v1alpha1/names';
import type { TenantOwner } from '#crds/v1alpha1/tenant';
import type { KubeObject } from '../object.ts';
import { desiredParameters, guardrailParameters } from './guardrail-parameters.ts';
import type { Held } from './namespaces.ts';
import { desiredNetworkPolicy, type TenantEgress } from './network.ts';
import { isInForce } from './quota-state.ts';
import {
  type Copies,
  copyableSources,
  desiredPullSecret,
  desiredPullSecretBinding,
  desiredRunServiceAccount,
  PULL_SECRET_BINDING,
  pullSecretCopyName,
  RUN_SERVICE_ACCOUNT,
  recordedCopies,
  sourceVersions,
} from './pull-secrets.ts';
import { clusterRoleName, OWNER_ROLES, type OwnerRole } from './roles.ts';
import {
  identity,
  ownedMetadata,
  type PlatformSettings,
  type Tenant,
  type TenantObserved,
} from './tenant.ts';

const RBAC = 'rbac.authorization.k8s.io';

/** Everything that is the same in all namespaces of a tenant, worked out once. */
interface Contents {
  readonly tenant: Tenant;
  readonly observed: TenantObserved;
  readonly settings: PlatformSettings;
  readonly live: ReadonlyMap<string, KubeObject>;
  /** Keys of the native quotas that have to be in force in a namespace before owners may write there. */
  readonly quotaKeys: readonly string[];
}

/**
 * What belongs into the namespaces that the tenant holds, in the order in which it is applied. Parameters of the
 * guardrails come first, since nothing they judge can be written before they are there.
 */
export function desiredContents(
  held: readonly Held[],
  input: {
    readonly tenant: Tenant;
    readonly observed: TenantObserved;
    readonly settings: PlatformSettings;
    readonly egress: TenantEgress;
    /** Keys of the native quotas. */
    readonly quotaKeys: readonly string[];
  },
): readonly KubeObject[] {
  const { tenant, observed } = input;
  const contents: Contents = { ...input, live: byIdentity(observed.objects) };
  const { mutualPeers } = observed;
  const { rules: egress, reserved } = input.egress;
  const namespaces = held.map(({ name }) => name);
  const parameters = guardrailParameters(tenant, { namespaces, mutualPeers, egress, reserved });
  return namespaces.flatMap((namespace) => [
    desiredParameters(tenant, namespace, parameters),
    desiredNetworkPolicy(tenant, namespace, { egress, mutualPeers }),
    ...desiredLimitRange(tenant, namespace),
    ...ownerBindings(contents, namespace),
    ...desiredPullSecrets(contents, namespace),
  ]);
}

/** Objects by kind, namespace and name. */
export function byIdentity(objects: readonly KubeObject[]): ReadonlyMap<string, KubeObject> {
  return new Map(objects.map((object) => [identity(object), object]));
}

/** Owners by role; roles without owners are left out. */
function ownersByRole(tenant: Tenant): readonly (readonly [OwnerRole, readonly TenantOwner[]])[] {
  const owners = tenant.spec.owners ?? [];
  return OWNER_ROLES.map((role) => [role, owners.filter((one) => one.role === role)] as const).filter(
    ([, some]) => some.length > 0,
  );
}

function subject(owner: TenantOwner): object {
  if (owner.kind === 'ServiceAccount') {
    return { kind: owner.kind, name: owner.name, ...(owner.namespace && { namespace: owner.namespace }) };
  }
  return { apiGroup: RBAC, kind: owner.kind, name: owner.name };
}

/**
 * Owners get into a namespace once every quota is in force there, lest they take more before. Who is in stays in: a quota
 * that is added later, or whose status lags, locks nobody out.
 */
function ownerBindings({ tenant, observed, live, quotaKeys }: Contents, namespace: string) {
  const bindings = desiredRoleBindings(tenant, namespace);
  if (isInForce(namespace, quotaKeys, observed.resourceQuotas)) return bindings;
  return bindings.filter((one) => live.has(identity(one)));
}

function desiredRoleBindings(tenant: Tenant, namespace: string): readonly KubeObject[] {
  return ownersByRole(tenant).map(([role, owners]) => ({
    apiVersion: `${RBAC}/v1`,
    kind: 'RoleBinding',
    metadata: ownedMetadata(tenant, { namespace, name: `nexusos-${role}` }),
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: clusterRoleName(role) },
    subjects: owners.map(subject),
  }));
}

function desiredLimitRange(tenant: Tenant, namespace: string): readonly KubeObject[] {
  const bounds = Object.entries(tenant.spec.containerDefaults ?? {}).filter(
    ([, quantities]) => quantities !== undefined && Object.keys(quantities).length > 0,
  );
  if (bounds.length === 0) return [];
  return [
    {
      apiVersion: 'v1',
      kind: 'LimitRange',
      metadata: ownedMetadata(tenant, { namespace, name: 'nexusos' }),
      spec: { limits: [{ type: 'Container', ...Object.fromEntries(bounds) }] },
    },
  ];
}

/**
 * In two passes: first the permission and the record of what will be made, then, once both are seen, the copies. While
 * nothing has changed the copies are read only from time to time.
 */
function desiredPullSecrets(contents: Contents, namespace: string): readonly KubeObject[] {
  const { tenant, observed, settings, live } = contents;
  const sources = copyableSources(tenant, observed.pullSecretSources);
  const stale = observed.stalePullSecrets.filter((one) => one.metadata.namespace === namespace);
  const serviceAccount = live.get(`ServiceAccount/${namespace}/${RUN_SERVICE_ACCOUNT}`);
  const copies = { sources, stale, areMade: mayCopy(contents, namespace, sources) };
  const isCurrent = serviceAccount?.metadata.annotations?.[ANNOTATIONS.source] === sourceVersions(sources);
  const needsPermission = sources.length > 0 || stale.length > 0;
  return [
    ...(needsPermission ? [desiredPullSecretBinding(tenant, namespace, settings)] : []),
    // Each that is named here is read, and written if it is otherwise.
    ...(copies.areMade && (!isCurrent || observed.areCopiesDue)
      ? sources.map((source) => desiredPullSecret(tenant, namespace, source))
      : []),
    desiredRunServiceAccount(tenant, namespace, copies satisfies Copies),
  ];
}

function mayCopy({ live }: Contents, namespace: string, sources: readonly KubeObject[]): boolean {
  const serviceAccount = live.get(`ServiceAccount/${namespace}/${RUN_SERVICE_ACCOUNT}`);
  const recorded = new Set(serviceAccount === undefined ? [] : recordedCopies(serviceAccount));
  return (
    live.has(`RoleBinding/${namespace}/${PULL_SECRET_BINDING}`) &&
    sources.every((one) => recorded.has(pullSecretCopyName(one.metadata.name)))
  );
}

/**
 * Lets owners read exactly their own Tenant, ledger, usage and namespaces, and the GPU classes that the platform offers.
 * `list` with a name allows only a list of that one name, which `kubectl wait` and `kubectl get -w` ask for.
 */
export function desiredClusterRole(tenant: Tenant, namespaces: readonly string[]): KubeObject {
  const { name } = tenant.metadata;
  const verbs = ['get', 'list', 'watch'];
  return {
    apiVersion: `${RBAC}/v1`,
    kind: 'ClusterRole',
    metadata: ownedMetadata(tenant, { name: tenantRoleName(tenant) }),
    rules: [
      {
        apiGroups: [GROUP],
        resources: ['tenants', 'quotaledgers', 'usagerecords'],
        resourceNames: [name],
        verbs,
      },
      { apiGroups: [GROUP], resources: ['gpuclasses'], verbs },
      ...(namespaces.length > 0
        ? [{ apiGroups: [''], resources: ['namespaces'], resourceNames: namespaces.toSorted(), verbs }]
        : []),
    ],
  };
}

/** Binds every owner, whichever the role, to the ClusterRole of the tenant; nothing for a tenant without owners. */
export function desiredClusterRoleBinding(tenant: Tenant): readonly KubeObject[] {
  const owners = tenant.spec.owners ?? [];
  const subjects = [...new Map(owners.map((one) => [JSON.stringify(subject(one)), subject(one)])).values()];
  if (subjects.length === 0) return [];
  return [
    {
      apiVersion: `${RBAC}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: ownedMetadata(tenant, { name: tenantRoleName(tenant) }),
      roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: tenantRoleName(tenant) },
      subjects,
    },
  ];
}

function tenantRoleName(tenant: Tenant): string {
  return `nexusos:tenant:${tenant.metadata.name}`;
}
