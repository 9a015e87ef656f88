// SPDX-License-Identifier: Apache-2.0
import type { TenantStatus } from '#crds/v1alpha1/tenant';
import { firstDifference, isDeepEqual } from '../compare.ts';
import { priceFor } from '../metering/prices.ts';
import type { KubeObject } from '../object.ts';
import { refOf } from '../object.ts';
import { DONE, type Plan, type Removal, type Result } from '../plan.ts';
import { attentionCondition } from './attention.ts';
import { budgetsTurnMs, budgetUsage } from './budgets.ts';
import { byIdentity, desiredClusterRole, desiredClusterRoleBinding, desiredContents } from './desired.ts';
import {
  type Claim,
  desiredNamespace,
  heldOf,
  isReleased,
  openClaims,
  releasedNamespace,
} from './namespaces.ts';
import { type TenantEgress, tenantEgress } from './network.ts';
import { enforcedQuotas } from './own-objects.ts';
import { findProblems } from './problems.ts';
import { copyableSources } from './pull-secrets.ts';
import { leadsElsewhere, queuesToApply } from './queues.ts';
import { desiredLedger, hasLimitsOf, nativeTotals } from './quotas.ts';
import { tenantStatus, throttleUsage } from './status.ts';
import {
  identity,
  isOwnedBy,
  type Ledger,
  type PlatformSettings,
  type Tenant,
  type TenantObserved,
  uidOf,
} from './tenant.ts';

/** How soon to look again for something that no watch tells of. */
const RECHECK_MS = 500;
/** How soon to look again whether pods that stand in the way of an adoption are gone. */
const PRETENDERS_MS = 15_000;
/** How soon to look again whether parameters of guardrails that cannot be changed are gone: until then nothing new is judged rightly. */
const FIXED_MS = 5000;

/** Everything that a tenant's plan follows from. */
export interface TenantInput {
  readonly tenant: Tenant;
  readonly observed: TenantObserved;
  readonly settings: PlatformSettings;
}

/** Decides what a tenant that is not being deleted needs. */
export function planTenant(input: TenantInput, now: Date): Plan<TenantStatus> {
  const { tenant, observed, settings } = input;
  const claims = openClaims(tenant, observed, settings);
  const egress = tenantEgress(tenant, {
    configured: settings.reservedRanges,
    cluster: observed.clusterRanges,
  });
  const desired = desiredObjects({ ...input, egress }, claims);
  const { objects, ledger, fixedParameters, flavors = [] } = observed;
  const live = byIdentity([
    ...fixedParameters,
    ...flavors,
    ...objects,
    ...(ledger === undefined ? [] : [ledger]),
  ]);
  const marks = namespacesToApply(tenant, claims);
  const unwanted = removals(input, claims, desired);
  const status = tenantStatus(
    tenant,
    {
      observed,
      claims,
      problems: findProblems({ tenant, settings, observed, claims, egressRefusals: egress.refusals }),
      attention: attentionCondition({
        tenant,
        observed,
        egress,
        namespaces: namesOf(claims),
        budgets: budgetUsage(tenant, observed.ledger, now),
      }),
      isProvisioned:
        claims.every(({ kind }) => kind === 'hold' || kind === 'refused') &&
        // Who is no longer an owner is out, and what a namespace is marked with holds, before it is said to be as wanted.
        marks.length + unwanted.length === 0 &&
        desired.every((one) => isAsDesired(one, live)),
      hasLimits: desired.every((one) => one.kind !== 'QuotaLedger' || isLimitedAs(one, observed.ledger)),
    },
    now,
  );
  const { status: shown, afterMs } = throttleUsage(tenant.status, status, now);
  const replaced = desired.filter((one) => cannotBecome(one, live.get(identity(one))));
  return {
    status: shown,
    defersStatus: tenant.status === undefined && isOnlyBegun(claims),
    apply: [...marks, ...desired.filter((one) => !replaced.includes(one))],
    create: claims.flatMap(({ kind, name }) => (kind === 'create' ? [desiredNamespace(tenant, name)] : [])),
    remove: [...unwanted, ...replaced.flatMap((one) => removal(live.get(identity(one))))],
    events: [],
    result: resultOf(input, { usageMs: afterMs, turnMs: budgetsTurnMs(tenant, observed.ledger, now) }),
  };
}

/** Whether there is nothing to say but that namespaces are being made. */
function isOnlyBegun(claims: readonly Claim[]): boolean {
  return claims.length > 0 && claims.every(({ kind }) => kind === 'create');
}

function resultOf(
  { tenant, observed }: TenantInput,
  { usageMs = Infinity, turnMs }: { readonly usageMs: number | undefined; readonly turnMs: number },
): Result {
  const { stalePullSecrets, pretenders, fixedParameters, copiesDueMs } = observed;
  const hasCopies = copyableSources(tenant, observed.pullSecretSources).length > 0;
  const waits = [
    { isOn: stalePullSecrets.length > 0, afterMs: RECHECK_MS, why: 'nobody watches copies of pull secrets' },
    { isOn: hasCopies, afterMs: copiesDueMs, why: 'nobody watches copies of pull secrets' },
    { isOn: pretenders.size > 0, afterMs: PRETENDERS_MS, why: 'of what others made nobody may tell' },
    { isOn: fixedParameters.length > 0, afterMs: FIXED_MS, why: 'nobody watches ConfigMaps of others' },
    { isOn: usageMs < Infinity, afterMs: usageMs, why: 'usage has changed' },
    { isOn: turnMs < Infinity, afterMs: turnMs, why: 'the window of a budget ends' },
  ];
  const [first] = waits.filter(({ isOn }) => isOn).toSorted((a, b) => a.afterMs - b.afterMs);
  return first === undefined ? DONE : { kind: 'requeueAfter', afterMs: first.afterMs, why: first.why };
}

function namesOf(claims: readonly Claim[]): readonly string[] {
  return heldOf(claims).map(({ name }) => name);
}

/**
 * What the tenant wants besides namespaces. Objects that name all namespaces are left for the next pass while some are
 * still to be made, so that a new tenant costs one write of each.
 */
function desiredObjects(
  input: TenantInput & { readonly egress: TenantEgress },
  claims: readonly Claim[],
): readonly KubeObject[] {
  const { tenant, observed, settings } = input;
  const totals = nativeTotals(enforcedQuotas(tenant.spec, claims), observed.gpuClasses);
  const contents = desiredContents(heldOf(claims), { ...input, quotaKeys: Object.keys(totals.hard) });
  const isNew = observed.ledger === undefined && claims.some(({ kind }) => kind === 'create');
  if (isNew) return contents;
  const namespaces = namesOf(claims);
  return [
    ...contents,
    desiredLedger(tenant, {
      totals,
      namespaces,
      suspended: tenant.spec.suspended,
      price: priceFor(settings.prices, tenant.spec.plan),
    }),
    desiredClusterRole(tenant, namespaces),
    ...desiredClusterRoleBinding(tenant),
    ...queuesToApply(input, namespaces),
  ];
}

/** Copies of pull secrets cannot be seen: they count as made when the ServiceAccount records them. */
function isAsDesired(desired: KubeObject, live: ReadonlyMap<string, KubeObject>): boolean {
  if (desired.kind === 'Secret') return true;
  const found = live.get(identity(desired));
  return found !== undefined && firstDifference(found, desired) === undefined;
}

function isLimitedAs(desired: KubeObject, ledger: Ledger | undefined): boolean {
  return ledger !== undefined && hasLimitsOf(ledger, desired);
}

/**
 * The role of a binding cannot be changed, nor can an immutable ConfigMap: what is otherwise is removed and made anew. Who plants
 * such parameters of guardrails in a namespace just before it is adopted would choose its borders.
 */
function cannotBecome(desired: KubeObject, live: KubeObject | undefined): boolean {
  if (live === undefined) return false;
  const hasOtherRole = desired['roleRef'] !== undefined && !isDeepEqual(desired['roleRef'], live['roleRef']);
  return (
    hasOtherRole ||
    leadsElsewhere(desired, live) ||
    (live['immutable'] === true && firstDifference(live, desired) !== undefined)
  );
}

/**
 * Held namespaces whose labels are not as they should be, and released ones that still carry ours. A namespace that we
 * have just created is right as it is and costs no second write.
 */
function namespacesToApply(tenant: Tenant, claims: readonly Claim[]): readonly KubeObject[] {
  return claims.flatMap((claim) => {
    if (claim.kind === 'release') return isReleased(claim.live) ? [] : [releasedNamespace(claim.live)];
    if (claim.kind !== 'hold') return [];
    const desired = desiredNamespace(tenant, claim.name, claim.live);
    return firstDifference(claim.live, desired) === undefined ? [] : [desired];
  });
}

function removals(
  { tenant, observed }: TenantInput,
  claims: readonly Claim[],
  desired: readonly KubeObject[],
): readonly Removal[] {
  const wanted = new Set(desired.map(identity));
  const leaving = new Set(
    claims.flatMap(({ kind, name }) => (kind === 'delete' || kind === 'terminating' ? [name] : [])),
  );
  // What is in a namespace that goes away goes with it.
  const stays = ({ metadata }: KubeObject) => !leaving.has(metadata.namespace ?? '');
  const unwanted = observed.objects.filter(
    (one) => stays(one) && isOwnedBy(one, tenant) && !wanted.has(identity(one)),
  );
  const namespaces = claims.flatMap((claim) => (claim.kind === 'delete' ? [claim.live] : []));
  // Copies of pull secrets first: the permission to remove them is among the rest.
  const stale = observed.stalePullSecrets.filter((one) => stays(one) && isOwnedBy(one, tenant));
  const isWaiting = ({ kind, metadata }: KubeObject) =>
    (kind === 'RoleBinding' || kind === 'ServiceAccount') &&
    stale.some((one) => one.metadata.namespace === metadata.namespace);
  return [...stale, ...unwanted.filter((one) => !isWaiting(one)), ...namespaces].flatMap(removal);
}

/** The request to remove a live object, with its UID; none for one that is on its way out. */
export function removal(live: KubeObject | undefined): readonly Removal[] {
  if (live === undefined || live.metadata.deletionTimestamp !== undefined) return [];
  return [{ ref: { ...refOf(live), uid: uidOf(live) } }];
}
