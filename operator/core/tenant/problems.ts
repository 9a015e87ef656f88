// SPDX-License-Identifier: Apache-2.0
import { TENANT_REASONS } from '#crds/v1alpha1/tenant';
import { type Claim, confirmationCommand, heldOf } from './namespaces.ts';
import { pullSecretProblem, sourceNamespace } from './pull-secrets.ts';
import { queueProblems } from './queues.ts';
import { nativeTotals } from './quotas.ts';
import type { PlatformSettings, Tenant, TenantObserved } from './tenant.ts';

/** Something that only a person can put right. */
export interface Problem {
  readonly reason: keyof typeof TENANT_REASONS;
  /** A sentence that names field or object, found and allowed. */
  readonly message: string;
}

/** What problems are found in. */
export interface ProblemInput {
  readonly tenant: Tenant;
  readonly settings: PlatformSettings;
  readonly observed: TenantObserved;
  readonly claims: readonly Claim[];
  /** Destinations that cannot be granted, in words. */
  readonly egressRefusals: readonly string[];
}

/** Everything that keeps a tenant from being as its spec says until somebody changes something. */
export function findProblems(input: ProblemInput): readonly Problem[] {
  const { tenant, settings, observed, claims, egressRefusals } = input;
  const { spec } = tenant;
  const { missingClasses } = nativeTotals(spec.quotas, observed.gpuClasses);
  const secrets = (spec.imagePullSecrets ?? []).flatMap(({ name }) => {
    const problem = pullSecretProblem(name, observed.pullSecretSources.get(name), sourceNamespace(settings));
    return problem === undefined ? [] : [problem];
  });
  return [
    ...claims.flatMap((claim) => (claim.kind === 'refused' ? [claim] : [])),
    ...secrets.map((message) => ({ reason: TENANT_REASONS.PullSecretUnavailable, message })),
    ...missingClasses.map((name) => ({
      reason: TENANT_REASONS.GPUClassNotFound,
      message: `spec.quotas.gpus names class ${name}, which does not exist; see kubectl get gpuclasses`,
    })),
    ...missingRuntimeClass(tenant, observed),
    ...egressRefusals.map((message) => ({ reason: TENANT_REASONS.EgressRefused, message })),
    ...namesTaken(observed, claims),
    ...queueProblems({ observed }),
    ...unconfirmedDeletion(tenant, claims),
  ];
}

function missingRuntimeClass({ spec }: Tenant, { hasRuntimeClass }: TenantObserved): readonly Problem[] {
  if (hasRuntimeClass) return [];
  const message = `spec.isolation.runtimeClassName is ${spec.isolation.runtimeClassName}, which does not exist, so the API server refuses every pod; see kubectl get runtimeclasses`;
  return [{ reason: TENANT_REASONS.RuntimeClassNotFound, message }];
}

function namesTaken({ quotasInTheWay }: TenantObserved, claims: readonly Claim[]): readonly Problem[] {
  const held = new Set(heldOf(claims).map(({ name }) => name));
  const inTheWay = quotasInTheWay.filter(({ metadata }) => held.has(metadata.namespace ?? ''));
  return inTheWay.map(({ metadata: { name, namespace = '' } }) => ({
    reason: TENANT_REASONS.NameTaken,
    message: `ResourceQuota ${name} in namespace ${namespace} does not belong to this tenant and bears the name that NexusOS needs for the quota of the namespace; rename it, or delete it with: kubectl -n ${namespace} delete resourcequota ${name}`,
  }));
}

function unconfirmedDeletion(tenant: Tenant, claims: readonly Claim[]): readonly Problem[] {
  const names = claims.flatMap((claim) => (claim.kind === 'hold' && claim.unconfirmed ? [claim.name] : []));
  if (names.length === 0) return [];
  const what = `no longer in the spec and kept until their deletion is confirmed: ${names.join(', ')}`;
  const message = `${what}; confirm with: ${confirmationCommand(tenant, names)}`;
  return [{ reason: TENANT_REASONS.DeletionNotConfirmed, message }];
}
