// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import type { KindDescriptor } from '../openapi/kind.ts';
import { AGE } from './columns.ts';
import { dnsSubdomain, int, stringMap, text } from './meta.ts';
import { GROUP, VERSION } from './names.ts';

const toleration = z.object({
  key: text('Taint key.', 316).min(1),
  operator: z.enum(['Exists', 'Equal']).describe('How the value is compared. Empty: Equal.').optional(),
  value: text('Taint value, for Equal.', 63).optional(),
  effect: z
    .enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute'])
    .describe('Taint effect. Empty: all.')
    .optional(),
});

const spec = z
  .object({
    description: text('What the class is, for people.', 256).optional(),
    resourceName: z
      .string()
      .max(316)
      .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/)
      .describe('Extended resource that a device plugin offers: nvidia.com/gpu, nvidia.com/mig-3g.20gb.')
      .optional(),
    deviceClassName: dnsSubdomain(
      'DeviceClass of dynamic resource allocation, instead of resourceName.',
    ).optional(),
    nodeSelector: stringMap('Labels of the nodes that have the class.', 16).optional(),
    tolerations: z
      .array(toleration)
      .max(16)
      .describe('Taints of these nodes that its pods tolerate.')
      .optional(),
    sharing: z
      .enum(['Exclusive', 'Partitioned', 'Shared'])
      .default('Exclusive')
      .describe(
        'Exclusive: whole cards. Partitioned: MIG. Shared: time-sliced or MPS, refused to tenants of tier Hard.',
      ),
    multiplierPercent: int(
      'Price of a device-second against the platform base, in percent.',
      1,
      100_000,
    ).default(100),
  })
  .describe('How a class is found on the cluster.')
  .meta({
    'x-kubernetes-validations': [
      {
        rule: 'has(self.resourceName) != has(self.deviceClassName)',
        message: 'exactly one of resourceName and deviceClassName is needed',
      },
    ],
  });

const status = z.object({}).describe('Nothing yet.');

/** The GPUClass kind: a platform-level name for a kind of accelerator. Tenants choose a name and nothing else. */
export const GPU_CLASS = {
  group: GROUP,
  version: VERSION,
  kind: 'GPUClass',
  plural: 'gpuclasses',
  singular: 'gpuclass',
  shortNames: ['gpuc'],
  categories: ['nexusos'],
  scope: 'Cluster',
  description:
    'A GPUClass is the platform name of a kind of accelerator. Tenants choose a name and never node selectors.',
  spec,
  status,
  rules: [
    {
      rule: "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 63",
      message: 'the name of a GPUClass is a DNS label of at most 63 characters',
    },
  ],
  columns: [
    { name: 'Resource', type: 'string', jsonPath: '.spec.resourceName', description: 'Extended resource.' },
    {
      name: 'DeviceClass',
      type: 'string',
      jsonPath: '.spec.deviceClassName',
      description: 'DRA device class.',
    },
    {
      name: 'Sharing',
      type: 'string',
      jsonPath: '.spec.sharing',
      description: 'Whole, partitioned or shared.',
    },
    AGE,
  ],
} as const satisfies KindDescriptor;

/** Spec of a GPUClass after defaulting. */
export type GPUClassSpec = z.output<typeof spec>;
