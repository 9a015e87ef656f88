// SPDX-License-Identifier: Apache-2.0
import { WEBHOOKS_NAME } from '#crds/v1alpha1/names';
import type { PolicyRule } from '#operator/runtime/controller';
import {
  AGENTS,
  GPU_CLASSES,
  MUTATING_CONFIGURATIONS,
  NAMESPACES,
  POLICY_PACKS,
  TENANTS,
  VALIDATING_CONFIGURATIONS,
} from './resources.ts';

/** What the admission process reads in the whole cluster: the one source of its ClusterRole. It writes nothing. */
export const WEBHOOK_READS = [AGENTS, GPU_CLASSES, NAMESPACES, POLICY_PACKS, TENANTS] as const;

/** What it reads by name alone. */
export const WEBHOOK_READS_BY_NAME = [
  { resource: VALIDATING_CONFIGURATIONS, name: WEBHOOKS_NAME },
  { resource: MUTATING_CONFIGURATIONS, name: WEBHOOKS_NAME },
] as const;

/** What it may do in the platform namespace besides reading its certificate. */
export const WEBHOOK_PLATFORM_RULES: readonly PolicyRule[] = [];
