// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import { TENANT_REASONS } from '#crds/v1alpha1/tenant';
import type { KubeObject, ObjectMeta } from '../object.ts';
import { ownedLabels, type PlatformSettings, type Tenant, type TenantObserved, uidOf } from './tenant.ts';

/** How a tenant stands to one namespace. */
export type Claim =
  /** It is to be made. */
  | { readonly kind: 'create'; readonly name: string }
  /** It is the tenant's, and is kept as the tenant wants it. */
  | {
      readonly kind: 'hold';
      readonly name: string;
      readonly live: KubeObject;
      readonly adopted: boolean;
      /** true: no longer in the spec, and kept until its deletion is confirmed. */
      readonly unconfirmed: boolean;
    }
  /** It is the tenant's, made by us and no longer wanted. */
  | { readonly kind: 'delete'; readonly name: string; readonly live: KubeObject }
  /** It was adopted and is no longer wanted: everything of ours leaves it. */
  | { readonly kind: 'release'; readonly name: string; readonly live: KubeObject }
  /** It is the tenant's and on its way out. */
  | {
      readonly kind: 'terminating';
      readonly name: string;
      readonly live: KubeObject;
      readonly adopted: boolean;
    }
  /** It is not the tenant's, and is left alone. */
  | {
      readonly kind: 'refused';
      readonly name: string;
      readonly adopted: boolean;
      readonly reason: 'NamespaceConflict' | 'AdoptionRefused';
      readonly message: string;
    };

/** A namespace that the tenant holds. */
export type Held = Extract<Claim, { kind: 'hold' }>;

/** The namespaces that are held. */
export function heldOf(claims: readonly Claim[]): readonly Held[] {
  return claims.filter((claim): claim is Held => claim.kind === 'hold');
}

/** Name of the namespace of `tenant` with `suffix`. */
export function namespaceName(tenant: Tenant, suffix: string): string {
  return `${tenant.metadata.name}-${suffix}`;
}

/** Every namespace name that the tenant speaks of: wanted, to be adopted, or recorded as its own. */
export function namespaceNames(tenant: Tenant): readonly string[] {
  const { namespaces = [], adoptNamespaces = [] } = tenant.spec;
  return [
    ...new Set([
      ...namespaces.map(({ suffix }) => namespaceName(tenant, suffix)),
      ...adoptNamespaces.map(({ name }) => name),
      ...(tenant.status?.namespaces ?? []).map(({ name }) => name),
    ]),
  ];
}

/**
 * `claimNamespaces`, without released namespaces in which nothing of ours is left, and without adoption of those in which
 * pods are that pass for those of Runs or services, or parameters of guardrails that somebody else chose for good.
 */
export function openClaims(
  tenant: Tenant,
  observed: TenantObserved,
  settings: PlatformSettings,
): readonly Claim[] {
  const { namespaces, objects, stalePullSecrets, pretenders } = observed;
  const inhabited = new Set([...objects, ...stalePullSecrets].map(({ metadata }) => metadata.namespace));
  return claimNamespaces(tenant, namespaces, settings)
    .filter((claim) => claim.kind !== 'release' || !isReleased(claim.live) || inhabited.has(claim.name))
    .map((claim) => withoutPretenders(claim, pretenders.get(claim.name) ?? []))
    .map((claim) => withoutFixedParameters(claim, tenant, observed.fixedParameters));
}

/** Namespaces that are adopted now: they have been somebody's until this moment. */
export function namesToAdopt(tenant: Tenant, claims: readonly Claim[]): readonly string[] {
  return heldOf(claims)
    .filter(({ live }) => !isOurs(live, tenant))
    .map(({ name }) => name);
}

function withoutPretenders(claim: Claim, pods: readonly string[]): Claim {
  if (claim.kind !== 'hold' || pods.length === 0) return claim;
  const what = `its pods ${pods.join(', ')} claim to be of a Run or a service, by their label ${LABELS.runUid} or ${LABELS.service}; delete them first`;
  return refusedAdoption(claim.name, what);
}

/** Once adopted they are removed; before that, it is for their owner to say that they may go. */
function withoutFixedParameters(claim: Claim, tenant: Tenant, fixed: readonly KubeObject[]): Claim {
  if (claim.kind !== 'hold' || isOurs(claim.live, tenant)) return claim;
  const found = fixed.find(({ metadata }) => metadata.namespace === claim.name);
  if (found === undefined) return claim;
  const { name } = found.metadata;
  return refusedAdoption(
    claim.name,
    `its ConfigMap ${name} is immutable and bears the name that NexusOS needs; delete it with: kubectl -n ${claim.name} delete configmap ${name}`,
  );
}

function refusedAdoption(name: string, problem: string): Claim {
  const message = `namespace ${name} cannot be adopted: ${problem}`;
  return { kind: 'refused', name, adopted: true, reason: TENANT_REASONS.AdoptionRefused, message };
}

/**
 * Judges every namespace that the tenant wants, has recorded, or that is marked with its UID; sorted by name.
 * Nothing that follows touches a namespace without a claim here.
 */
export function claimNamespaces(
  tenant: Tenant,
  live: ReadonlyMap<string, KubeObject>,
  settings: PlatformSettings,
): readonly Claim[] {
  const marked = [...live.values()].filter((one) => isMarked(one, tenant)).map((one) => one.metadata.name);
  return [...new Set([...namespaceNames(tenant), ...marked])]
    .toSorted()
    .flatMap((name) => claim({ tenant, name, live: live.get(name), settings }));
}

interface Case {
  readonly tenant: Tenant;
  readonly name: string;
  readonly live: KubeObject | undefined;
  readonly settings: PlatformSettings;
}

function claim({ tenant, name, live, settings }: Case): readonly Claim[] {
  const toCreate = (tenant.spec.namespaces ?? []).some(
    ({ suffix }) => namespaceName(tenant, suffix) === name,
  );
  const toAdopt = (tenant.spec.adoptNamespaces ?? []).some((one) => one.name === name);
  if (live !== undefined && isOurs(live, tenant)) return [ownClaim(tenant, live, { toCreate, toAdopt })];
  if (toAdopt) return [adoptionClaim({ tenant, name, live, settings })];
  if (!toCreate) return [];
  if (live === undefined) return [{ kind: 'create', name }];
  return [
    {
      kind: 'refused',
      name,
      adopted: false,
      reason: TENANT_REASONS.NamespaceConflict,
      message: `namespace ${name} exists and belongs to ${holderOf(live)}; choose another suffix, or have it adopted`,
    },
  ];
}

function ownClaim(
  tenant: Tenant,
  live: KubeObject,
  wanted: { readonly toCreate: boolean; readonly toAdopt: boolean },
): Claim {
  const { name } = live.metadata;
  const adopted = wanted.toAdopt || wasAdopted(tenant, live);
  if (live.metadata.deletionTimestamp !== undefined) return { kind: 'terminating', name, live, adopted };
  if (wanted.toCreate || wanted.toAdopt) return { kind: 'hold', name, live, adopted, unconfirmed: false };
  if (adopted) return { kind: 'release', name, live };
  return isDeletionConfirmed(tenant, name)
    ? { kind: 'delete', name, live }
    : { kind: 'hold', name, live, adopted, unconfirmed: true };
}

/** Once adopted, always adopted: what existed before us is never deleted by us. Without a record the consent still tells. */
function wasAdopted(tenant: Tenant, live: KubeObject): boolean {
  const recorded = tenant.status?.namespaces?.find((one) => one.uid === uidOf(live));
  return recorded?.adopted ?? live.metadata.annotations?.[ANNOTATIONS.adoptInto] === tenant.metadata.name;
}

/**
 * Whether the Tenant names `name` as something that may be deleted: itself, or one of its namespaces. Several names are
 * separated by commas. Consent to one is consent to nothing else, except that all of a Tenant that is being deleted with
 * consent goes with it.
 */
export function isDeletionConfirmed(tenant: Tenant, name = tenant.metadata.name): boolean {
  const { annotations, deletionTimestamp } = tenant.metadata;
  const confirmed = (annotations?.[ANNOTATIONS.confirmDeletion] ?? '').split(',').map((one) => one.trim());
  return (
    confirmed.includes(name) || (deletionTimestamp !== undefined && confirmed.includes(tenant.metadata.name))
  );
}

/** The command by which somebody consents to the deletion of `names`: the Tenant, or some of its namespaces. */
export function confirmationCommand(tenant: Tenant, names = [tenant.metadata.name]): string {
  return `kubectl annotate tenant ${tenant.metadata.name} ${ANNOTATIONS.confirmDeletion}=${names.join()} --overwrite`;
}

/**
 * Whether a live namespace is the tenant's: its UID is recorded, or it carries the UID of this very Tenant, which is
 * part of the request that creates it, and which nobody but NexusOS and platform administrators can write. The
 * second covers a crash between creation and record. Never by name alone.
 */
export function isOurs(live: KubeObject, tenant: Tenant): boolean {
  const isRecorded = (tenant.status?.namespaces ?? []).some(
    (one) => one.uid !== undefined && one.uid === live.metadata.uid,
  );
  return isRecorded || isMarked(live, tenant);
}

function isMarked(live: KubeObject, tenant: Tenant): boolean {
  const { labels, annotations } = live.metadata;
  const uid = annotations?.[ANNOTATIONS.tenantUid];
  return uid !== undefined && uid === tenant.metadata.uid && labels?.[LABELS.tenant] === tenant.metadata.name;
}

function adoptionClaim({ tenant, name, live, settings }: Case): Claim {
  const problem = adoptionProblem({ tenant, name, live, settings });
  if (problem === undefined && live !== undefined) {
    return { kind: 'hold', name, live, adopted: true, unconfirmed: false };
  }
  return refusedAdoption(name, problem ?? 'it does not exist');
}

/** Why a namespace may not be adopted, in words; undefined when it may. */
function adoptionProblem({ tenant, name, live, settings }: Case): string | undefined {
  if (live === undefined) return 'it does not exist';
  if (live.metadata.deletionTimestamp !== undefined) return 'it is being deleted';
  if (name.startsWith('kube-') || name === 'default' || name === settings.platformNamespace) {
    return 'it belongs to Kubernetes or to the platform';
  }
  return consentProblem(tenant.metadata.name, live.metadata);
}

function consentProblem(tenantName: string, { labels, annotations }: ObjectMeta): string | undefined {
  const holder = labels?.[LABELS.tenant];
  if (holder !== undefined && holder !== tenantName) return `it belongs to tenant ${holder}`;
  const consent = annotations?.[ANNOTATIONS.adoptInto];
  if (consent === tenantName) return undefined;
  return `its annotation ${ANNOTATIONS.adoptInto} is ${consent === undefined ? 'not set' : JSON.stringify(consent)}; its owner must set it to ${tenantName}`;
}

function holderOf(live: KubeObject): string {
  const tenant = live.metadata.labels?.[LABELS.tenant];
  if (tenant !== undefined)
    return `tenant ${tenant} (UID ${live.metadata.annotations?.[ANNOTATIONS.tenantUid] ?? 'unknown'})`;
  const manager = live.metadata.labels?.[LABELS.managedBy];
  return manager === undefined ? 'no tenant' : `what is managed by ${manager}`;
}

const POD_SECURITY = 'pod-security.kubernetes.io';

/** Pod Security labels as the tenant wants them. */
function podSecurityLabels(tenant: Tenant): Record<string, string> {
  const levels = { enforce: tenant.spec.podSecurity.enforce, warn: 'restricted', audit: 'restricted' };
  return Object.fromEntries(
    Object.entries(levels).flatMap(([mode, level]) => [
      [`${POD_SECURITY}/${mode}`, level],
      [`${POD_SECURITY}/${mode}-version`, 'latest'],
    ]),
  );
}

/**
 * The namespace as it should be. With `live`, its UID is a precondition, so that a namesake made since is never
 * touched; without, it is to be created.
 */
export function desiredNamespace(tenant: Tenant, name: string, live?: KubeObject): KubeObject {
  const isMarkedSuspended = live?.metadata.labels?.[LABELS.suspended] !== undefined;
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name,
      ...(live?.metadata.uid !== undefined && { uid: live.metadata.uid }),
      labels: {
        ...ownedLabels(tenant),
        ...podSecurityLabels(tenant),
        [LABELS.isolation]: tenant.spec.isolation.tier,
        ...(tenant.spec.suspended && { [LABELS.suspended]: 'true' }),
        // Set to false rather than left out: a label that somebody else put there does not go away by leaving it out.
        ...(!tenant.spec.suspended && isMarkedSuspended && { [LABELS.suspended]: 'false' }),
      },
      annotations: { [ANNOTATIONS.tenantUid]: uidOf(tenant), ...priorityClasses(tenant, live) },
    },
  };
}

/** Read by a guardrail. Empty rather than left out where it has been set, for the same reason as the label above. */
function priorityClasses({ spec }: Tenant, live: KubeObject | undefined): Record<string, string> {
  const names = spec.entitlements?.priorityClasses ?? [];
  const wasSet = live?.metadata.annotations?.[ANNOTATIONS.priorityClasses] !== undefined;
  return names.length > 0 || wasSet ? { [ANNOTATIONS.priorityClasses]: names.toSorted().join() } : {};
}

/**
 * A released namespace: nothing of ours, but the Pod Security labels stay, since letting go must not open a border
 * that was closed before.
 */
export function releasedNamespace(live: KubeObject): KubeObject {
  const kept = Object.entries(live.metadata.labels ?? {}).filter(([key]) =>
    key.startsWith(`${POD_SECURITY}/`),
  );
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name: live.metadata.name,
      ...(live.metadata.uid !== undefined && { uid: live.metadata.uid }),
      labels: Object.fromEntries(kept),
    },
  };
}

/** Whether no mark of ours is left on a namespace. */
export function isReleased(live: KubeObject): boolean {
  const { labels = {}, annotations = {} } = live.metadata;
  return (
    labels[LABELS.tenant] === undefined &&
    labels[LABELS.managedBy] !== MANAGED_BY &&
    annotations[ANNOTATIONS.tenantUid] === undefined
  );
}

/** What a namespace that is being deleted waits for, from its conditions; undefined while that is not known. */
export function terminationMessage(live: KubeObject): string | undefined {
  const status = live['status'] as
    | { conditions?: readonly { type: string; status: string; message: string }[] }
    | undefined;
  const blockers = (status?.conditions ?? []).filter(
    ({ type, status: state }) => state === 'True' && (type.endsWith('Remaining') || type.endsWith('Failure')),
  );
  if (blockers.length === 0) return undefined;
  return blockers.map(({ message }) => message).join('; ');
}
