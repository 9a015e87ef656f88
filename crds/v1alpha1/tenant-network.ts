// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { DATA_CLASSES } from './data-classes.ts';
import { dnsLabel, int } from './meta.ts';
import { ALWAYS_RESERVED } from './reserved-ranges.ts';

const port = z
  .object({
    protocol: z.enum(['TCP', 'UDP', 'SCTP']).describe('Protocol of the port. Empty: TCP.').optional(),
    port: int('Port, or first port of a range.', 1, 65_535),
    endPort: int('Last port of a range.', 1, 65_535).optional(),
  })
  .meta({
    'x-kubernetes-validations': [
      {
        rule: '!has(self.endPort) || self.endPort >= self.port',
        message: 'endPort must not be less than port',
      },
    ],
  });

const egress = z.object({
  cidr: z
    .string()
    .min(1)
    .max(43)
    .regex(/^[0-9a-fA-F:.]+\/[0-9]{1,3}$/)
    .describe('Addresses that pods may reach. Reserved ranges inside it stay blocked.')
    .meta({
      'x-kubernetes-validations': [
        { rule: 'isCIDR(self)', message: 'is not an address range such as 203.0.113.0/24 or 2001:db8::/32' },
        {
          rule: `!isCIDR(self) || ![${ALWAYS_RESERVED.map((range) => `'${range}'`).join(', ')}].exists(r, cidr(r).containsCIDR(self))`,
          message: `lies in a reserved range (link-local, metadata, shared and loopback addresses cannot be opened): ${ALWAYS_RESERVED.join(', ')}`,
        },
      ],
    }),
  ports: z.array(port).max(32).describe('Ports that may be reached. Empty: all.').optional(),
});

/** What may cross the tenant's border. */
export const network = z
  .object({
    egress: z
      .array(egress)
      .max(64)
      .describe('Destinations outside the cluster that pods may reach.')
      .optional(),
    peers: z
      .array(dnsLabel('Name of a tenant.', 40))
      .max(64)
      .describe('Tenants that this one talks with. A path opens only when both name each other.')
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional(),
  })
  .describe('Paths through the default-deny border. DNS and the tenant itself are always open.');

/** Where the tenant's data may be. */
export const residency = z
  .object({
    primaryRegion: dnsLabel('Region that the tenant belongs to.'),
    allowedRegions: z
      .array(dnsLabel('A region.'))
      .max(32)
      .describe('Further regions that may hold or process its data.')
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional(),
    maxDataClassification: z
      .enum(DATA_CLASSES)
      .default('internal')
      .describe('Highest class of data that agents may work on.'),
  })
  .describe('Where data of the tenant may be.');
