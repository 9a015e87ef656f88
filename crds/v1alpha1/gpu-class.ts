// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import type { KindDescriptor } from '../openapi/kind.ts';
import { AGE, REASON, readyColumn } from './columns.ts';
import { conditions, dnsSubdomain, instant, int, observedGeneration, stringMap, text } from './meta.ts';
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
    provisioning: z
      .enum(['Static', 'OnDemand'])
      .default('Static')
      .describe(
        'Static: a Run waits in the queue until a node has its devices free. OnDemand: it is admitted at once, and an autoscaler makes the node that its pod waits for.',
      ),
    share: z
      .object({
        parts: int('Parts of a card that one device is.', 1, 1024),
        of: int('Parts that a card has.', 1, 1024),
      })
      .describe(
        'How much of a card one device is counted as. Empty: a MIG profile as its compute slices of seven, anything else as a whole card.',
      )
      .optional(),
    multiplierPercent: int(
      'Price of a second of a card against the platform base, in percent.',
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
      {
        rule: "!has(self.share) || (self.share.parts <= self.share.of && (self.sharing != 'Exclusive' || self.share.parts == self.share.of))",
        message: 'share is at most a whole card, and just that for Exclusive',
        fieldPath: '.share',
      },
    ],
  });

const MAX_COUNT = 1_000_000_000;

/** Pools that a status tells of; a class with more sums them up all the same. */
export const MAX_POOLS = 64;

const counts = {
  nodes: int('Nodes that have devices of the class.', 0, MAX_COUNT),
  capacity: int('Devices of these nodes.', 0, MAX_COUNT),
  allocated: int('Devices that pods hold, whoever they belong to.', 0, MAX_COUNT),
  free: int('Devices that a pod could have now: not of nodes that are cordoned or not ready.', 0, MAX_COUNT),
  largestFree: int('The most devices that are free on one node: a larger Run waits.', 0, MAX_COUNT),
};

const status = z
  .object({
    observedGeneration: observedGeneration().optional(),
    nodes: counts.nodes.optional(),
    capacity: counts.capacity.optional(),
    allocated: counts.allocated.optional(),
    free: counts.free.optional(),
    largestFree: counts.largestFree.optional(),
    countedAt: instant('When they were counted. They are written every few seconds at most.').optional(),
    pools: z
      .array(
        z.object({ name: text('Label nexusos.dev/node-pool of the nodes; empty without.', 63), ...counts }),
      )
      .max(MAX_POOLS)
      .describe('The same by node pool.')
      .optional(),
    conditions: conditions('Ready; Reconciling and Stalled only while true.').optional(),
  })
  .describe('What is. Two classes that name the same devices count the same ones.');

/** Reasons of GPUClass conditions and Events, each with its meaning. */
export const GPU_CLASS_REASONS = {
  /** Nodes have devices of the class. */
  Available: 'Available',
  /** No node has any now, and an autoscaler is to make one when a pod wants it. */
  OnDemand: 'OnDemand',
  /** No node has devices of the class. */
  NoNodes: 'NoNodes',
  /** The DeviceClass does not exist. */
  DeviceClassNotFound: 'DeviceClassNotFound',
  /** Nodes have devices that cannot be counted by node: Runs do not wait for free ones in the queue. */
  NotCounted: 'NotCounted',
  /** The spec does not parse. */
  InvalidSpec: 'InvalidSpec',
} as const;

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
    { name: 'Capacity', type: 'integer', jsonPath: '.status.capacity', description: 'Devices of its nodes.' },
    { name: 'Free', type: 'integer', jsonPath: '.status.free', description: 'Devices to be had now.' },
    {
      name: 'Largest',
      type: 'integer',
      jsonPath: '.status.largestFree',
      description: 'The most that are free on one node.',
      priority: 1,
    },
    readyColumn('Devices of the class can be had.'),
    { ...REASON, priority: 1 },
    AGE,
  ],
} as const satisfies KindDescriptor;

/** Spec of a GPUClass after defaulting. */
export type GPUClassSpec = z.output<typeof spec>;
/** Status of a GPUClass. */
export type GPUClassStatus = z.output<typeof status>;
