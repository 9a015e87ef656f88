// SPDX-License-Identifier: Apache-2.0
import { WEBHOOKS_NAME } from '#crds/v1alpha1/names';
import { GROUP } from '#crds/v1alpha1/names';
import type { PolicyRule } from '#operator/runtime/controller';
import {
  AGENTS,
  CLUSTER_IMAGE_POLICIES,
  GPU_CLASSES,
  IMAGE_POLICIES,
  IMAGE_VERDICTS,
  MUTATING_CONFIGURATIONS,
  NAMESPACES,
  POLICY_PACK_REVISIONS,
  POLICY_PACKS,
  TENANTS,
  VALIDATING_CONFIGURATIONS,
} from '#operator/core/resources';

/** What the admission process reads in the whole cluster: the one source of its ClusterRole. It writes nothing. */
export const WEBHOOK_READS = [
  AGENTS,
  CLUSTER_IMAGE_POLICIES,
  GPU_CLASSES,
  IMAGE_POLICIES,
  IMAGE_VERDICTS,
  NAMESPACES,
  POLICY_PACK_REVISIONS,
  POLICY_PACKS,
  TENANTS,
] as const;

/** What it reads by name alone. */
export const WEBHOOK_READS_BY_NAME = [
  { resource: VALIDATING_CONFIGURATIONS, name: WEBHOOKS_NAME },
  { resource: MUTATING_CONFIGURATIONS, name: WEBHOOKS_NAME },
] as const;

const READ = ['get', 'list', 'watch'] as const;

/**
 * What it may do in the platform namespace besides reading its certificate: read modules of packs and exemptions, and tell, in an object
 * and a Lease of its own, what it decides by. It writes nothing else, and nothing while it answers.
 */
export const WEBHOOK_PLATFORM_RULES: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['configmaps'], verbs: READ },
  { apiGroups: [GROUP], resources: ['policyexemptions'], verbs: READ },
  { apiGroups: [GROUP], resources: ['policyreplicas'], verbs: ['create', 'patch', 'delete'] },
  { apiGroups: [GROUP], resources: ['policyreplicas/status'], verbs: ['patch'] },
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create', 'patch', 'delete'] },
];
