// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { DATA_CLASSES } from './data-classes.ts';
import { dnsLabel, text } from './meta.ts';

/** What `spec.entitlements` of an Agent is. */
export const agentEntitlements = z
  .object({
    modelTiers: z
      .array(dnsLabel('A model tier.'))
      .max(32)
      .describe('Model tiers that it may use.')
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional(),
    modelBackends: z
      .array(text('A model backend.', 253).min(1))
      .max(64)
      .describe('Model backends that it may use.')
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional(),
    tools: z
      .array(text('A tool.', 128).min(1))
      .max(256)
      .describe('Tools that it may call.')
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional(),
  })
  .describe('What it may use of what its tenant is entitled to; its containers are told.');

/** What `spec.dataClassification` of an Agent is. */
export const dataClassification = z
  .enum(DATA_CLASSES)
  .describe(
    'Highest class of data that it works on, at most that of the tenant (residency.maxDataClassification). Empty: internal, or what the tenant may have if that is lower.',
  );

/** Kinds of what an Agent may be entitled to. */
export const ENTITLEMENTS = [
  'modelTiers',
  'modelBackends',
  'tools',
] as const satisfies readonly (keyof z.output<typeof agentEntitlements>)[];
/** What an Agent may use. */
export type AgentEntitlements = z.output<typeof agentEntitlements>;
