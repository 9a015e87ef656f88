// SPDX-License-Identifier: Apache-2.0
import { TENANT_REASONS, type TenantStatus } from '#crds/v1alpha1/tenant';
import { isDeepEqual } from '../compare.ts';
import {
  type ConditionInput,
  findCondition,
  isTrue,
  type Judgement,
  READY,
  removeCondition,
  type Standing,
  setConditions,
  setStanding,
  toInstant,
  truncate,
} from '../conditions.ts';
import { keptForMs } from '../figures.ts';
import type { Condition } from '../object.ts';
import { toldRefusal } from '../refused-write.ts';
import { NEEDS_ATTENTION } from './attention.ts';
import { budgetUsage } from './budgets.ts';
import { contactOf } from './contact.ts';
import { type Claim, heldOf, terminationMessage } from './namespaces.ts';
import { tooSmallQuotas } from './own-objects.ts';
import type { Problem } from './problems.ts';
import { isInForce, isOldInForce, overCommitted, uncountedKeys } from './quota-state.ts';
import { lacksPrice, unenforcedQuotas } from './quotas.ts';
import { type Tenant, type TenantObserved, uidOf } from './tenant.ts';
import { byName, tenantUsage, usageSummary } from './usage.ts';

const AS_WANTED = 'every namespace and everything in it is as wanted';
const ALL_ENFORCED = 'every quota that is set is enforced';
const PROVISIONING = {
  reason: TENANT_REASONS.Provisioning,
  message:
    'namespaces and what belongs in them are being made; owners get in once the quotas are in force there',
} as const;
const QUOTA_PENDING = {
  reason: TENANT_REASONS.QuotaPending,
  message: 'the quotas are being dealt out to the namespaces',
} as const;

/** What a status speaks of. */
export interface Findings {
  readonly observed: TenantObserved;
  readonly claims: readonly Claim[];
  readonly problems: readonly Problem[];
  /** What stops nothing and yet deserves a look. */
  readonly attention: ConditionInput | undefined;
  /** Whether every desired object is seen as desired. */
  readonly isProvisioned: boolean;
  /** Whether the ledger has the limits of the spec: until then the old ones are enforced. */
  readonly hasLimits: boolean;
}

/**
 * The status of a tenant that is not being deleted. While it is on its way its words stay the same, so that a new
 * tenant costs three writes of its status and not one for each object.
 */
export function tenantStatus(tenant: Tenant, findings: Findings, now: Date): TenantStatus {
  const { observed, claims } = findings;
  const at = judgement(tenant, now);
  const conditions = tenantConditions(tenant, findings, at);
  const isSettled = isTrue(conditions, READY);
  return {
    observedGeneration: at.generation,
    state: tenantState(tenant, isSettled),
    namespaces: namespaceStatuses(tenant, claims),
    usage: [...tenantUsage(tenant, observed), ...budgetUsage(tenant, observed.ledger, now)].toSorted(byName),
    summary: { namespaces: namespaceSummary(claims), ...usageSummary(tenant, observed.ledger) },
    conditions: [...conditions],
  };
}

/** Of which generation and when conditions speak. */
export function judgement(tenant: Tenant, now: Date): Judgement {
  return { generation: tenant.metadata.generation ?? 0, now };
}

function tenantState(tenant: Tenant, isReady: boolean): NonNullable<TenantStatus['state']> {
  if (tenant.spec.suspended) return 'Suspended';
  // A tenant that has been Active stays so while one thing in it is put right.
  return isReady || tenant.status?.state === 'Active' || tenant.status?.state === 'Suspended'
    ? 'Active'
    : 'Pending';
}

function namespaceSummary(claims: readonly Claim[]): string {
  const wanted = claims.filter(({ kind }) => kind !== 'delete' && kind !== 'release');
  return `${claims.filter(({ kind }) => kind === 'hold').length}/${wanted.length}`;
}

/** Every claim as the status shows it. The UID is the record by which the tenant owns a namespace. */
export function namespaceStatuses(
  tenant: Tenant,
  claims: readonly Claim[],
): NonNullable<TenantStatus['namespaces']> {
  return claims.map((claim) => namespaceStatus(tenant, claim));
}

const STATES = {
  create: 'Pending',
  hold: 'Active',
  delete: 'Terminating',
  release: 'Terminating',
  terminating: 'Terminating',
  refused: 'Conflict',
} as const satisfies Record<Claim['kind'], string>;

function namespaceStatus(tenant: Tenant, claim: Claim): NonNullable<TenantStatus['namespaces']>[number] {
  const { name, kind } = claim;
  const message = claimMessage(tenant, claim);
  return {
    name,
    ...('live' in claim && { uid: uidOf(claim.live) }),
    adopted: 'adopted' in claim ? claim.adopted : kind === 'release',
    state: STATES[kind],
    ...(message !== undefined && { message: truncate(message, 1024) }),
  };
}

function claimMessage(tenant: Tenant, claim: Claim): string | undefined {
  if (claim.kind === 'refused') return `${claim.message}; ask ${contactOf(tenant)}`;
  if (claim.kind === 'terminating') return terminationMessage(claim.live);
  if (claim.kind === 'release') return 'is being released';
  const isKept = claim.kind === 'hold' && claim.unconfirmed;
  return isKept ? 'not in the spec, and kept until its deletion is confirmed' : undefined;
}

function tenantConditions(tenant: Tenant, findings: Findings, at: Judgement): readonly Condition[] {
  const before = tenant.status?.conditions ?? [];
  const standing = tenantStanding(tenant, findings);
  const quota = quotaCondition(tenant, findings, standing);
  // Turns true together with Ready, which saves a write for every new tenant, and then stays while it is so.
  const isProvisioned =
    findings.isProvisioned &&
    findings.problems.length === 0 &&
    (standing.kind === 'ready' || isTrue(before, 'Provisioned'));
  const provisioned = isProvisioned
    ? { status: 'True' as const, reason: TENANT_REASONS.Provisioned, message: AS_WANTED }
    : { status: 'False' as const, reason: standing.reason, message: standing.message };
  const { attention } = findings;
  const kept = attention === undefined ? removeCondition(before, NEEDS_ATTENTION) : before;
  const inputs = [{ type: 'Provisioned', ...provisioned }, quota, ...(attention ? [attention] : [])];
  return setStanding(setConditions(kept, inputs, at), standing, at);
}

function quotaCondition(tenant: Tenant, findings: Findings, standing: Standing): ConditionInput {
  const so = { type: 'QuotaEnforced', status: 'False' } as const;
  if (standing.kind === 'reconciling' && isNew(tenant)) {
    // The same words as those of Ready make one Event of both, and save a new tenant a write.
    return { ...so, reason: standing.reason, message: standing.message };
  }
  const { reason, message } = standing.reason === TENANT_REASONS.WriteRefused ? standing : QUOTA_PENDING;
  const gaps = quotaGaps(tenant, findings);
  const [gap] = gaps;
  if (gap !== undefined) return { ...so, reason: gap.reason, message: sentence(gaps) };
  const taken = findings.problems.find((one) => one.reason === TENANT_REASONS.NameTaken);
  if (taken !== undefined) return { ...so, reason: taken.reason, message: taken.message };
  if (!isQuotaDealt(findings)) return { ...so, reason, message };
  return { ...so, status: 'True', reason: TENANT_REASONS.Enforced, message: ALL_ENFORCED };
}

/** Whether nothing has been said about quota yet but that the tenant is being made. */
function isNew({ status }: Tenant): boolean {
  const said = findCondition(status?.conditions ?? [], 'QuotaEnforced');
  return said === undefined || said.reason === TENANT_REASONS.Provisioning;
}

/**
 * Quotas that do not hold what they say, the most urgent first. Amounts are left to `status.usage`, which is written less
 * often than they change.
 */
function quotaGaps(tenant: Tenant, { observed, claims }: Findings): readonly Problem[] {
  const tooSmall = tooSmallQuotas(tenant.spec, claims);
  const raised = new Set(tooSmall.map(({ key }) => key));
  const over = overCommitted(tenantUsage(tenant, observed)).filter((name) => !raised.has(name));
  const uncounted = uncountedKeys(Object.keys(observed.ledger?.spec.hard ?? {}), observed.resourceQuotas);
  const unenforced = unenforcedQuotas(tenant.spec.quotas).map((field) => `spec.quotas.${field}`);
  return [
    ...gap(
      TENANT_REASONS.OverCommitted,
      'more is in use than the quota allows, and nothing new starts until enough has ended',
      over,
    ),
    ...gap(
      TENANT_REASONS.QuotaTooSmall,
      'NexusOS and Kubernetes themselves make more than this, and what they make is enforced instead, which leaves nothing for the tenant to make; raise the quota',
      tooSmall.map(({ key, found, least }) => `spec.quotas.objects[${key}] is ${found}, made are ${least}`),
    ),
    ...gap(
      TENANT_REASONS.NotCounted,
      'Kubernetes does not count these; look for a typing error (names are plural: count/secrets), or wait some minutes if their kind is new to the cluster',
      uncounted,
    ),
    ...gap(
      TENANT_REASONS.NotEnforced,
      `recorded but not enforced, since what Runs cost is not known: the platform has no price for plan ${tenant.spec.plan} (platform.prices of the chart)`,
      lacksPrice(tenant.spec.quotas, observed.ledger?.spec.price) ? ['spec.quotas.cost'] : [],
    ),
    ...gap(TENANT_REASONS.NotEnforced, 'recorded but not enforced by this version of NexusOS', unenforced),
  ];
}

function gap(reason: Problem['reason'], what: string, names: readonly string[]): readonly Problem[] {
  return names.length === 0 ? [] : [{ reason, message: `${what}: ${names.join(', ')}` }];
}

function sentence(problems: readonly Problem[]): string {
  return problems.map(({ message }) => message).join('; ');
}

/**
 * Whether every namespace has its share of the native quotas in force, and of no others: the API server holds what status
 * shows.
 */
function isQuotaDealt({ observed, claims, hasLimits }: Findings): boolean {
  const { ledger, resourceQuotas } = observed;
  if (!hasLimits || ledger === undefined) return false;
  if (ledger.metadata.generation !== ledger.status?.observedGeneration) return false;
  const keys = Object.keys(ledger.spec.hard ?? {});
  return heldOf(claims).every(
    ({ name }) => isInForce(name, keys, resourceQuotas) && !isOldInForce(name, keys, resourceQuotas),
  );
}

function tenantStanding(tenant: Tenant, findings: Findings): Standing {
  const [problem] = findings.problems;
  if (problem !== undefined) {
    const message = `${sentence(findings.problems)}; ask ${contactOf(tenant)}`;
    return { kind: 'stalled', reason: problem.reason, message };
  }
  if (!findings.isProvisioned) return toldRefusal(tenant) ?? { kind: 'reconciling', ...PROVISIONING };
  if (!isQuotaDealt(findings)) return dealing(tenant, findings);
  const remark = quotaGaps(tenant, findings)
    .map(({ message }) => `; ${message}`)
    .join('');
  if (tenant.spec.suspended) {
    const message = `the tenant is suspended (spec.suspended): nothing new starts${remark}`;
    return { kind: 'ready', reason: TENANT_REASONS.Suspended, message };
  }
  return { kind: 'ready', reason: TENANT_REASONS.Provisioned, message: `${AS_WANTED}${remark}` };
}

function dealing(tenant: Tenant, { observed: { ledger } }: Findings): Standing {
  const isKnown = isTrue(tenant.status?.conditions ?? [], 'Provisioned');
  const pending = { kind: 'reconciling', ...(isKnown ? QUOTA_PENDING : PROVISIONING) } as const;
  return (ledger && toldRefusal(ledger)) ?? pending;
}

/** A status to write, and when to come back for usage that is held back. */
export interface Throttled {
  readonly status: TenantStatus;
  readonly afterMs: number | undefined;
}

/**
 * Holds usage back when nothing else has changed and it was written just now: a busy tenant must not turn every pod into a
 * write of its status.
 */
export function throttleUsage(before: TenantStatus | undefined, status: TenantStatus, now: Date): Throttled {
  const fresh = { status: { ...status, usageAt: toInstant(now) }, afterMs: undefined };
  const writtenAt = before?.usageAt;
  if (before === undefined || writtenAt === undefined) return fresh;
  const afterMs = keptForMs({ at: writtenAt, isSame: isDeepEqual(figures(before), figures(status)) }, now);
  if (afterMs === Infinity) return { status: { ...status, usageAt: writtenAt }, afterMs: undefined };
  const isAllThatChanged = isDeepEqual(withoutFigures(before), withoutFigures(status));
  return afterMs > 0 && isAllThatChanged ? { status: before, afterMs } : fresh;
}

function figures({ usage, summary }: TenantStatus): unknown {
  return [usage ?? [], summary?.runs, summary?.gpus, summary?.runUnits, summary?.cost];
}

/** What a status says beside the figures that change with every Run. */
export function withoutFigures(status: TenantStatus = {}): unknown {
  const { usage: _usage, usageAt: _usageAt, summary, ...rest } = status;
  return { ...rest, namespaces: rest.namespaces ?? [], summary: summary?.namespaces };
}
