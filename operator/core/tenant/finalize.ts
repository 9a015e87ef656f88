// SPDX-License-Identifier: Apache-2.0
import { TENANT_REASONS, type TenantStatus } from '#crds/v1alpha1/tenant';
import { setConditions, setStanding } from '../conditions.ts';
import type { KubeObject } from '../object.ts';
import { DONE, type Plan, type Removal, type Result } from '../plan.ts';
import {
  type Claim,
  confirmationCommand,
  isDeletionConfirmed,
  isReleased,
  openClaims,
  releasedNamespace,
  terminationMessage,
} from './namespaces.ts';
import { removal, type TenantInput } from './plan.ts';
import { desiredLedger } from './quotas.ts';
import { judgement, namespaceStatuses } from './status.ts';
import { isOwnedBy, type Ledger, type Tenant } from './tenant.ts';
import { countOf } from '../words.ts';

/** One stage of taking a tenant down: what to do, and what is waited for. */
interface Stage {
  readonly waitsFor: string;
  readonly apply?: readonly KubeObject[];
  readonly remove?: readonly Removal[];
  readonly result?: Result;
}

/**
 * Takes a tenant down in order: nothing new is admitted and Runs end; then namespaces go, adopted ones are released; then
 * the ledger; then what lets owners look. Each stage starts when the one before is seen to be done, so a crash anywhere
 * takes up where it was.
 */
export function finalizeTenant(input: TenantInput, now: Date): Plan<TenantStatus> {
  const { tenant, observed, settings } = input;
  const claims = openClaims(withoutWishes(tenant), observed, settings);
  const stage = currentStage(input, claims);
  return {
    status: terminatingStatus(tenant, { claims, waitsFor: stage.waitsFor, now }),
    apply: stage.apply ?? [],
    create: [],
    remove: stage.remove ?? [],
    events: [],
    result: stage.result ?? DONE,
  };
}

/** A tenant that is being deleted wants no namespace; with consent, what it owns is given up. */
function withoutWishes(tenant: Tenant): Tenant {
  const { namespaces: _namespaces, adoptNamespaces: _adopted, ...spec } = tenant.spec;
  return { ...tenant, spec };
}

function currentStage(input: TenantInput, claims: readonly Claim[]): Stage {
  const { tenant } = input;
  if (!isDeletionConfirmed(tenant)) {
    return { waitsFor: `consent: ${confirmationCommand(tenant)}` };
  }
  return drainStage(input) ?? namespaceStage(input, claims) ?? ledgerStage(input) ?? accessStage(input);
}

/** Until no Run is left and the ledger has taken back every reservation, which it does once their pods are gone. */
function drainStage({ tenant, observed }: TenantInput): Stage | undefined {
  const { ledger, runs } = observed;
  const reserved = ledger?.status?.reservations?.length ?? 0;
  const isMarked = ledger === undefined || ledger.spec.suspended;
  if (runs.length === 0 && reserved === 0 && isMarked) return undefined;
  return {
    waitsFor: `${countOf(runs.length, 'Run')} to be gone and ${countOf(reserved, 'reservation')} to be given back`,
    apply: ledger === undefined ? [] : [suspendedLedger(tenant, ledger)],
    remove: runs.flatMap(removal),
  };
}

/** The ledger as it is, but closed for new Runs. */
function suspendedLedger(tenant: Tenant, { spec }: Ledger): KubeObject {
  const hard = Object.fromEntries(
    Object.entries(spec.hard ?? {}).map(([key, value]) => [key, String(value)]),
  );
  return desiredLedger(tenant, {
    totals: { hard, missingClasses: [] },
    namespaces: spec.namespaces ?? [],
    suspended: true,
    price: spec.price,
  });
}

function namespaceStage({ tenant, observed }: TenantInput, claims: readonly Claim[]): Stage | undefined {
  if (claims.length === 0) return undefined;
  const released = new Set(claims.flatMap(({ kind, name }) => (kind === 'release' ? [name] : [])));
  const isReleasedToo = ({ metadata }: KubeObject) => released.has(metadata.namespace ?? '');
  const stale = observed.stalePullSecrets.filter(isReleasedToo);
  const contents = observed.objects.filter((one) => isReleasedToo(one) && isOwnedBy(one, tenant));
  // Copies of pull secrets first: the permission to remove them is among the contents.
  const first = stale.length > 0 ? stale : contents;
  return {
    waitsFor: claims.map(namespaceText).join('; '),
    apply: claims.flatMap((claim) =>
      claim.kind === 'release' && !isReleased(claim.live) && stale.length === 0
        ? [releasedNamespace(claim.live)]
        : [],
    ),
    remove: [
      ...first.flatMap(removal),
      ...claims.flatMap((claim) => (claim.kind === 'delete' ? removal(claim.live) : [])),
    ],
    ...(stale.length > 0 && {
      result: { kind: 'requeueAfter', afterMs: 500, why: 'nobody watches copies of pull secrets' } as const,
    }),
  };
}

function namespaceText(claim: Claim): string {
  if (claim.kind === 'release') return `namespace ${claim.name} to be released`;
  const why = claim.kind === 'terminating' ? terminationMessage(claim.live) : undefined;
  return `namespace ${claim.name} to be gone${why === undefined ? '' : ` (${why})`}`;
}

function ledgerStage({ observed }: TenantInput): Stage | undefined {
  const { ledger } = observed;
  return ledger === undefined ? undefined : { waitsFor: 'its ledger to be gone', remove: removal(ledger) };
}

function accessStage({ tenant, observed }: TenantInput): Stage {
  return {
    waitsFor: 'nothing more',
    remove: observed.objects.filter((one) => isOwnedBy(one, tenant)).flatMap(removal),
    result: { kind: 'finalized' },
  };
}

function terminatingStatus(
  tenant: Tenant,
  {
    claims,
    waitsFor,
    now,
  }: { readonly claims: readonly Claim[]; readonly waitsFor: string; readonly now: Date },
): TenantStatus {
  const at = judgement(tenant, now);
  const before = tenant.status?.conditions ?? [];
  const isConfirmed = isDeletionConfirmed(tenant);
  const reason = isConfirmed ? TENANT_REASONS.Terminating : TENANT_REASONS.DeletionNotConfirmed;
  const message = `the tenant is being deleted and waits for ${waitsFor}`;
  const provisioned = { type: 'Provisioned', status: 'False' as const, reason, message };
  const standing = { kind: isConfirmed ? ('reconciling' as const) : ('stalled' as const), reason, message };
  return {
    ...tenant.status,
    observedGeneration: at.generation,
    state: 'Terminating',
    namespaces: namespaceStatuses(tenant, claims),
    conditions: [...setStanding(setConditions(before, [provisioned], at), standing, at)],
  };
}
