// SPDX-License-Identifier: Apache-2.0
import { AGENT_REASONS, type AgentSpec } from '#crds/v1alpha1/agent';
import { type AgentEntitlements, ENTITLEMENTS } from '#crds/v1alpha1/agent-entitlements';
import { DATA_CLASSES } from '#crds/v1alpha1/data-classes';
import { literal } from '../run/literal.ts';
import type { Tenant } from '../tenant/tenant.ts';
import type { Agent } from './agent.ts';
import type { Refusal } from './checks.ts';

/** What an Agent wants of models, tools and data that its tenant is not entitled to. */
export function checkEntitlements({ spec }: Agent, tenant: Tenant): Refusal | undefined {
  for (const kind of ENTITLEMENTS) {
    const allowed = tenant.spec.entitlements?.[kind];
    const beyond = (spec.entitlements?.[kind] ?? []).filter((one) => allowed?.includes(one) === false);
    if (beyond.length === 0) continue;
    const message = `spec.entitlements.${kind}: found ${beyond.join(', ')}, which the tenant is not entitled to; allowed are ${allowed?.join(', ') || 'none'}`;
    return { reason: AGENT_REASONS.NotEntitled, message };
  }
  return checkClassification(spec, tenant);
}

/** Of what is said alone: who says nothing works on internal data, or on the highest that its tenant may have if that is lower. */
function checkClassification(
  { dataClassification: found }: AgentSpec,
  { spec }: Tenant,
): Refusal | undefined {
  const most = spec.residency?.maxDataClassification;
  if (found === undefined || most === undefined) return undefined;
  if (DATA_CLASSES.indexOf(found) <= DATA_CLASSES.indexOf(most)) return undefined;
  const message = `spec.dataClassification: found ${found}; the highest that the tenant may work on is ${most} (residency.maxDataClassification)`;
  return { reason: AGENT_REASONS.ClassificationTooHigh, message };
}

/** By kind: the variable that tells a container what it may use. */
const VARIABLES = {
  modelTiers: 'NEXUSOS_MODEL_TIERS',
  modelBackends: 'NEXUSOS_MODEL_BACKENDS',
  tools: 'NEXUSOS_TOOLS',
} as const satisfies Record<keyof AgentEntitlements, string>;

/**
 * Variables that tell a container what it may use, as JSON, and which data it works on: of what its revision says, no more than its tenant
 * is entitled to by now.
 */
export function entitlementVariables(
  { entitlements = {}, dataClassification, remote }: AgentSpec,
  tenant: Tenant | undefined,
): readonly { readonly name: string; readonly value: string }[] {
  // The program that speaks to an endpoint hands tools on, and knows of nothing else.
  const kinds = remote === undefined ? ENTITLEMENTS : (['tools'] as const);
  const lists = kinds.flatMap((kind) => {
    const wanted = entitlements[kind];
    if (wanted === undefined) return [];
    const allowed = tenant?.spec.entitlements?.[kind];
    const value = JSON.stringify(wanted.filter((one) => allowed?.includes(one) !== false));
    return [{ name: VARIABLES[kind], value: literal(value) }];
  });
  if (dataClassification === undefined || remote !== undefined) return lists;
  return [...lists, { name: 'NEXUSOS_DATA_CLASSIFICATION', value: dataClassification }];
}
