// SPDX-License-Identifier: Apache-2.0
import { TENANT_REASONS } from '#crds/v1alpha1/tenant';
import type { ConditionInput } from '../conditions.ts';
import { nearlyUsed } from './budgets.ts';
import { contactOf } from './contact.ts';
import { excessOf, type Limits } from './foreign-policies.ts';
import type { TenantEgress } from './network.ts';
import type { Problem } from './problems.ts';
import { hasLoadBalancers } from './quotas.ts';
import type { Tenant, TenantObserved } from './tenant.ts';
import type { Usage } from './usage.ts';

/** Name of the condition that is there only while something deserves a look. */
export const NEEDS_ATTENTION = 'NeedsAttention';
/** So many offenders are named; of the others the number is told. */
const MAX_NAMED = 10;

/** The border of a tenant as it is now. */
export interface AttentionInput {
  readonly tenant: Tenant;
  readonly observed: TenantObserved;
  readonly namespaces: readonly string[];
  readonly egress: TenantEgress;
  /** Use against its budgets. */
  readonly budgets?: readonly Usage[];
}

/**
 * What stops nothing and yet is hardly meant so: a tenant that nobody can use, paths that are half open, and policies
 * from before its border was narrowed. Undefined when there is nothing of the kind.
 */
export function attentionCondition(input: AttentionInput): ConditionInput | undefined {
  const remarks = [
    ...ownerRemarks(input),
    ...policyRemarks(input),
    ...peerRemarks(input),
    ...budgetRemarks(input),
  ];
  const [first] = remarks;
  if (first === undefined) return undefined;
  const message = remarks.map((one) => one.message).join('; ');
  return { type: NEEDS_ATTENTION, status: 'True', reason: first.reason, message };
}

function ownerRemarks({ tenant }: AttentionInput): readonly Problem[] {
  if ((tenant.spec.owners ?? []).length > 0) return [];
  const message = 'spec.owners is empty: nobody but administrators of the cluster can use the tenant';
  return [{ reason: TENANT_REASONS.NoOwners, message }];
}

function policyRemarks(input: AttentionInput): readonly Problem[] {
  const limits = limitsOf(input);
  const offenders = input.observed.foreignPolicies.flatMap((policy) => {
    const excess = excessOf(policy, limits);
    return excess === undefined
      ? []
      : [`${policy.metadata.namespace ?? ''}/${policy.metadata.name} (${excess})`];
  });
  if (offenders.length === 0) return [];
  const what = 'NetworkPolicies from before the border was narrowed still open more than the Tenant allows';
  return [
    {
      reason: TENANT_REASONS.PolicyBeyondBorder,
      message: `${what}; their authors must delete or correct them: ${listed(offenders.toSorted())}`,
    },
  ];
}

function budgetRemarks({ budgets = [] }: AttentionInput): readonly Problem[] {
  const names = nearlyUsed(budgets);
  if (names.length === 0) return [];
  // Without figures, which status.usage has: a message is written whenever it changes.
  const message = `four fifths or more of these budgets are used, and Runs wait when nothing is left: ${names.join(', ')}`;
  return [{ reason: TENANT_REASONS.BudgetNearlyUsed, message }];
}

function limitsOf({ tenant, observed, namespaces, egress }: AttentionInput): Limits {
  return {
    friends: [tenant.metadata.name, ...observed.mutualPeers],
    namespaces,
    egress: egress.rules,
    reserved: egress.reserved,
    hasLoadBalancers: hasLoadBalancers(tenant.spec.quotas),
  };
}

function peerRemarks({ tenant, observed }: AttentionInput): readonly Problem[] {
  const { name } = tenant.metadata;
  const { missing, silent, unanswered } = observed.oneSidedPeers;
  return [
    ...remark(missing, `spec.network.peers names ${listed(missing)}: there is no such tenant`),
    ...remark(
      silent,
      `closed: spec.network.peers names ${listed(silent)}, whose own spec.network.peers lacks ${name}; ask ${contactOf(tenant)}`,
    ),
    ...remark(
      unanswered,
      `closed: ${listed(unanswered)} would talk with this tenant, whose spec.network.peers lacks that name; add it to open the path`,
    ),
  ];
}

function remark(names: readonly string[], message: string): readonly Problem[] {
  return names.length === 0 ? [] : [{ reason: TENANT_REASONS.PeerOneSided, message }];
}

function listed(names: readonly string[]): string {
  const rest = names.length - MAX_NAMED;
  return names.slice(0, MAX_NAMED).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}
