// SPDX-License-Identifier: Apache-2.0
import { MAX_EXEMPTION_DAYS } from '#crds/v1alpha1/policy-exemption';
import { floorExemptions, MAX_EXEMPTIONS } from '#operator/core/policy-floor/exemptions';
import type { AdmissionRequest, Refusal } from '../review.ts';
import type { Facts } from './facts.ts';
import type { TenantSettings } from './tenant.ts';
import type { Verdict } from './verdict.ts';

const DAY_MS = 86_400_000;

interface Spec {
  readonly expiresAt: string;
  readonly packRef: { readonly namespace: string; readonly name: string };
}

/** Whether an exemption counts where it is, and for a time that is not over or too long. */
export function judgePolicyExemption(
  { object, namespace, operation }: AdmissionRequest,
  facts: Facts,
  { platformNamespace }: TenantSettings,
): Verdict {
  const spec = object?.['spec'] as Spec | undefined;
  if (spec === undefined) return {};
  const { expiresAt, packRef } = spec;
  const refusals = [
    ...(namespace === platformNamespace ? [] : [elsewhere(namespace, platformNamespace)]),
    ...(operation === 'CREATE' ? expiryProblems(expiresAt, facts.now()) : []),
  ];
  const isThere = facts.policyPack(packRef.namespace, packRef.name) !== undefined;
  return {
    refusals,
    warnings: [
      ...(isThere ? [] : [`spec.packRef: namespace ${packRef.namespace} has no PolicyPack ${packRef.name}`]),
      ...crowding(packRef, facts),
    ],
  };
}

/** The floor of a pack, which holds when nobody answers, has room for so many alone. */
function crowding(packRef: Spec['packRef'], facts: Facts): readonly string[] {
  const { exemptions } = floorExemptions(facts.exemptions(), packRef, facts.now());
  if (exemptions.length < MAX_EXEMPTIONS) return [];
  return [
    `spec.packRef: ${packRef.namespace}/${packRef.name} has ${MAX_EXEMPTIONS} exemptions or more that count; if it has a floor, that knows those that expire first, and refuses who is exempt by the others`,
  ];
}

function elsewhere(namespace: string, platformNamespace: string): Refusal {
  const field = 'metadata.namespace';
  const message = `${field}: found ${namespace}; allowed is ${platformNamespace}: elsewhere an exemption counts for nothing. Ask your platform team.`;
  return { code: 'forbidden', message, field };
}

function expiryProblems(expiresAt: string, now: Date): readonly Refusal[] {
  const latest = new Date(now.getTime() + MAX_EXEMPTION_DAYS * DAY_MS);
  const at = new Date(expiresAt);
  if (at > now && at <= latest) return [];
  const field = 'spec.expiresAt';
  const message = `${field}: found ${expiresAt}; allowed is a time after now and before ${latest.toISOString()}, which is in ${MAX_EXEMPTION_DAYS} days`;
  return [{ code: 'invalid_request', message, field }];
}
