// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { instant, int } from './meta.ts';

/** The most pods that one Run has. */
export const MAX_GANG_PODS = 64;
/** The most devices that one Run holds: as many as a pod can have, for each of its pods. */
export const MAX_GANG_DEVICES = 64 * MAX_GANG_PODS;

/** What `spec.gang` of an Agent is. */
export const gang = z
  .object({
    pods: int(
      'Pods of one Run, all or none: each is of the same container, and has the compute and the devices that the Agent says. The container finds its number in NEXUSOS_INDEX, that of all in NEXUSOS_WORKERS, and the address of the first one in NEXUSOS_LEADER.',
      2,
      MAX_GANG_PODS,
    ),
    startTimeoutSeconds: int(
      'When not all of them have started so long after the admission, those that have are ended, and the Run goes back to the queue. It spends no retry.',
      10,
      86_400,
    ).default(300),
  })
  .describe('Each Run has many pods that work together. Empty: it has one.');

/** The part of it that pods are made from, and so part of a revision. */
export const gangTemplate = gang
  .pick({ pods: true })
  .describe('The part of the gang that makes other pods when it is changed.');

/** What `status.gang` of a Run is. */
export const gangStatus = z
  .object({
    pods: int('Pods of the attempt.', 2, MAX_GANG_PODS),
    startBefore: instant('When not all of them have started by then, the Run goes back to the queue.'),
    running: int('Pods whose container runs.', 0, MAX_GANG_PODS),
    succeeded: int('Pods whose container ended well.', 0, MAX_GANG_PODS),
    countedAt: instant('When they were counted. They are written every few seconds at most.'),
  })
  .describe('Only of a Run of many pods, from its admission on: how they stand.');

/** What `status.startBackoff` of a Run is. */
export const startBackoff = z
  .object({
    failed: int('Attempts in a row that were given up since not all pods started.', 1, 1_000_000_000),
    notBefore: instant('Only while the next attempt waits: until then.').optional(),
  })
  .describe('Of a Run of many pods that could not all be started.');

/** What `kubectl get runs -o wide` shows of them. */
export const GANG_COLUMNS = [
  {
    name: 'Pods',
    type: 'integer',
    jsonPath: '.status.gang.pods',
    description: 'Pods of a Run of many.',
    priority: 1,
  },
  {
    name: 'Up',
    type: 'integer',
    jsonPath: '.status.gang.running',
    description: 'Those whose container runs.',
    priority: 1,
  },
] as const;

/** How many pods of one Run there are, and how they start. */
export type Gang = z.output<typeof gang>;
/** How the pods of a Run stand. */
export type GangStatus = z.output<typeof gangStatus>;
/** How often a Run was not started whole. */
export type StartBackoff = z.output<typeof startBackoff>;
