// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { WINDOWS } from './budgets.ts';
import { counts, dnsLabel, int, quantities, quantity } from './meta.ts';

const window = z.enum(WINDOWS).describe('Window that the limit holds for, in UTC.');

/** Whom Runs of a tenant may end to have their place. */
export const PREEMPTIONS = ['Never', 'LowerPriority'] as const;

function budget(description: string, unit: string) {
  return z
    .array(z.object({ window, limit: quantity(`At most this much in one window, in ${unit}.`) }))
    .max(4)
    .meta({ description, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['window'] })
    .optional();
}

const gpus = z
  .array(
    z.object({
      class: dnsLabel('Name of a GPUClass.'),
      count: int('Devices of the class in use at one time, over all namespaces.', 0, 100_000),
    }),
  )
  .max(32)
  .describe('GPUs by class. A class that is not listed cannot be used.')
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['class'] });

const runs = z
  .object({
    maxConcurrent: int('Runs admitted at one time, over all namespaces.', 0, 100_000).optional(),
    maxQueued: int(
      'Runs that may wait; further ones are refused with quota_exceeded.',
      0,
      1_000_000,
    ).optional(),
    createPerSecond: int(
      'Runs that may start in a second, on average. What is created faster waits its turn.',
      1,
      10_000,
    ).optional(),
    createBurst: int(
      'Runs that may start at once, if none did for a while. Empty: as many as in a second.',
      1,
      100_000,
    ).optional(),
    priorityAgingSeconds: int(
      'Each so many seconds of waiting outweigh one point of priority. 0: the higher priority goes first however long others wait. Empty: 60.',
      0,
      86_400,
    ).optional(),
    preemption: z
      .enum(PREEMPTIONS)
      .describe(
        'LowerPriority: a Run that lacks quota of the tenant takes over from Runs of lower priority, which are ended and go back to the queue. Empty: Never.',
      )
      .optional(),
  })
  .describe('How many Runs.')
  .meta({
    'x-kubernetes-validations': [
      {
        rule: 'has(self.createPerSecond) || !has(self.createBurst)',
        message: 'needs createPerSecond',
        fieldPath: '.createBurst',
      },
    ],
  });

/** Limits of a tenant, each over all its namespaces together. */
export const quotas = z
  .object({
    compute: quantities(
      'Compute and storage by the names of ResourceQuota: requests.cpu, limits.memory, requests.storage. GPUs go under gpus.',
    )
      .meta({
        'x-kubernetes-validations': [
          {
            rule: "self.all(k, k in ['cpu', 'memory', 'ephemeral-storage', 'requests.cpu', 'requests.memory', 'requests.ephemeral-storage', 'limits.cpu', 'limits.memory', 'limits.ephemeral-storage', 'requests.storage', 'persistentvolumeclaims'] || k.matches('^[a-z0-9.-]{1,63}[.]storageclass[.]storage[.]k8s[.]io/(requests[.]storage|persistentvolumeclaims)$') || k.matches('^hugepages-[0-9]+(Ki|Mi|Gi)$'))",
            message:
              'keys are cpu, memory, ephemeral-storage, requests.* or limits.* of these, requests.storage, persistentvolumeclaims, <class>.storageclass.storage.k8s.io/..., hugepages-<size>',
          },
          {
            rule: "!('persistentvolumeclaims' in self) || quantity(string(self['persistentvolumeclaims'])).isInteger()",
            message: 'persistentvolumeclaims must be a whole number',
          },
        ],
      })
      .optional(),
    objects: counts(
      'Number of objects by the names of ResourceQuota: pods, services, count/deployments.apps. Whole numbers; what NexusOS itself makes counts too.',
    )
      .meta({
        'x-kubernetes-validations': [
          {
            rule: "self.all(k, k in ['pods', 'services', 'services.nodeports', 'services.loadbalancers', 'replicationcontrollers', 'resourcequotas', 'secrets', 'configmaps', 'persistentvolumeclaims'] || k.matches('^count/[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$'))",
            message:
              'keys are pods, services, services.nodeports, services.loadbalancers, replicationcontrollers, resourcequotas, secrets, configmaps, persistentvolumeclaims or count/<resource>.<group>',
          },
        ],
      })
      .optional(),
    gpus: gpus.optional(),
    runs: runs.optional(),
    runUnits: budget(
      'Run units by window. A Run waits until what it reserves fits into all of them.',
      'run units',
    ),
    tokens: budget('Model tokens by window, read and written, as Runs report them.', 'tokens'),
    cost: budget(
      'Cost by window, where the platform has a price for the plan of the tenant. A Run waits until what it reserves fits into all of them.',
      'units of the platform currency',
    ),
    toolCallsPerMinute: int('Tool calls in a minute.', 0, 1_000_000_000).optional(),
    memoryBytes: quantity('Bytes that agents may remember.').optional(),
  })
  .describe('Limits, each over all namespaces of the tenant together.');

/** Quotas of a Tenant after defaulting. */
export type TenantQuotas = z.output<typeof quotas>;
