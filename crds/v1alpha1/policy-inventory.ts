// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { dnsLabel, int } from './meta.ts';

/** The most kinds that one pack may look at. */
export const MAX_INVENTORY_KINDS = 8;

const kind = z.object({
  apiVersion: z
    .string()
    .min(1)
    .max(253)
    .regex(/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?v[0-9][a-z0-9]*$/)
    .describe('As in manifests: networking.k8s.io/v1.'),
  kind: z
    .string()
    .min(1)
    .max(63)
    .regex(/^[A-Z][A-Za-z0-9]*$/)
    .describe('As in manifests: Ingress.'),
  fields: z
    .array(
      z
        .string()
        .min(1)
        .max(256)
        .regex(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/)
        .describe('Path of a field with dots, through lists as well: spec.rules.host.'),
    )
    .min(1)
    .max(16)
    .describe(
      'Fields that the rules read; apiVersion, kind, metadata.name and metadata.namespace are there in any case. Absent: all. The fewer, the less memory the rules need, and the less often anything has changed for them.',
    )
    .meta({ 'x-kubernetes-list-type': 'set' })
    .optional(),
});

/** What of the cluster the rules of a pack find under `data.inventory`. */
export const policyInventory = z
  .object({
    kinds: z
      .array(kind)
      .min(1)
      .max(MAX_INVENTORY_KINDS)
      .describe(
        'Kinds of objects. Only those that the platform keeps for packs: chart value platform.policyInventory.',
      )
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['apiVersion', 'kind'] }),
    namespaces: z
      .array(dnsLabel('Name of a namespace.'))
      .min(1)
      .max(256)
      .describe(
        'Only objects in these namespaces, and those in none. Absent: in all; of the pack of a tenant, in its own in any case.',
      )
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional(),
    maxAgeSeconds: int(
      'What the rules see is never older. Where it would be, since the API server tells nothing any more, the pack cannot judge, which is an evaluation that failed.',
      90,
      3600,
    ).default(120),
  })
  .describe(
    'Live objects that the rules find as data.inventory: namespace[NAMESPACE][APIVERSION][KIND][NAME] and cluster[APIVERSION][KIND][NAME], as templates of Gatekeeper do.',
  );

/** What of the cluster a pack looks at. */
export type PolicyInventory = z.output<typeof policyInventory>;
