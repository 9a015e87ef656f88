// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { labelSelector } from './label-selector.ts';
import { dnsLabel } from './meta.ts';

const resource = z
  .string()
  .min(1)
  .max(128)
  .regex(/^(\*|[a-z0-9-]+)(\/(\*|[a-z]+))?$/)
  .describe('Plural name, with /subresource where one is meant; * for all.');

const apiGroup = z
  .string()
  .max(253)
  .regex(/^(\*|([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?)$/)
  .describe('Name of an API group, empty for the core group; * for all.');

/** What is asked about, in the words of webhook configurations. */
export const POLICY_OPERATIONS = ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'] as const;

const rule = z.object({
  apiGroups: z
    .array(apiGroup)
    .min(1)
    .max(32)
    .describe('API groups.')
    .meta({ 'x-kubernetes-list-type': 'set' }),
  resources: z.array(resource).min(1).max(64).describe('Resources of these groups.').meta({
    'x-kubernetes-list-type': 'set',
  }),
  operations: z
    .array(z.enum(POLICY_OPERATIONS))
    .min(1)
    .max(4)
    .describe('What is done to them.')
    .meta({ 'x-kubernetes-list-type': 'set' })
    .optional(),
});

const tenants = z
  .object({
    names: z
      .array(dnsLabel('Name of a Tenant.'))
      .max(256)
      .describe('By name.')
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional(),
    plans: z
      .array(dnsLabel('A plan tier.'))
      .max(32)
      .describe('By plan tier.')
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional(),
    selector: labelSelector('By labels of the Tenant.').optional(),
  })
  .describe(
    'Tenants whose namespaces are meant: those that one of these fields names. Empty: all. Only in the namespace of the platform.',
  );

/** What `spec.binding` of a PolicyPack is. */
export const policyBinding = z
  .object({
    rules: z
      .array(rule)
      .min(1)
      .max(64)
      .describe(
        'Requests that are judged, without operations: CREATE and UPDATE. Empty: workloads, Agents and Runs.',
      )
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional(),
    namespaceSelector: labelSelector('Namespaces, by their labels. Empty: all.').optional(),
    objectSelector: labelSelector(
      'Objects, by their labels, before or after the change. Empty: all.',
    ).optional(),
    tenants: tenants.optional(),
    excludedNamespaces: z
      .array(
        z
          .string()
          .min(1)
          .max(64)
          .regex(/^\*?[-a-z0-9]*\*?$/)
          .describe(
            'A namespace, or with * at one end or both what its name ends with, starts with or holds.',
          ),
      )
      .max(128)
      .describe('Namespaces that are left out. Not for packs of tenants.')
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional(),
  })
  .describe('Which requests the pack judges. Empty: workloads, Agents and Runs wherever it may.')
  // Taken over whole from one manifest: of two that each name a part, the pack would bind what neither asked for.
  .meta({ 'x-kubernetes-map-type': 'atomic' });

/** Resources that a pack judges whose binding has no rules, each created or updated. */
export const DEFAULT_POLICY_RULES: readonly z.output<typeof rule>[] = [
  {
    apiGroups: [''],
    resources: ['pods', 'pods/ephemeralcontainers', 'replicationcontrollers', 'podtemplates'],
  },
  { apiGroups: ['apps'], resources: ['daemonsets', 'deployments', 'replicasets', 'statefulsets'] },
  { apiGroups: ['batch'], resources: ['cronjobs', 'jobs'] },
  { apiGroups: ['nexusos.dev'], resources: ['agents', 'runs'] },
];

/** Which requests a PolicyPack judges. */
export type PolicyBinding = z.output<typeof policyBinding>;
