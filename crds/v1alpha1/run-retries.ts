// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { attempts, dnsLabel, instant, int, text } from './meta.ts';

/** Ways in which an attempt fails that another one may mend. */
export const RETRYABLE = [
  'ContainerFailed',
  'OutOfMemory',
  'TimedOut',
  'StartFailed',
  'WorkloadDeleted',
] as const;

/** What `spec.retries` of a Run is. */
export const retries = z
  .object({
    limit: int('Attempts after the first that may follow a failed one.', 0, 20),
    reasons: z
      .array(z.enum(RETRYABLE))
      .max(RETRYABLE.length)
      .describe('Failures that are retried.')
      .meta({ 'x-kubernetes-list-type': 'set' })
      .default(['ContainerFailed', 'StartFailed', 'WorkloadDeleted']),
    exitCodes: z
      .array(int('An exit code.', 1, 255))
      .min(1)
      .max(64)
      .describe('ContainerFailed is retried for these exit codes only. Empty: for any.')
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional(),
    backoffSeconds: int(
      'How long the first retry waits. Each further one waits twice as long.',
      0,
      3600,
    ).default(10),
    maxBackoffSeconds: int('At most this long.', 0, 86_400).default(600),
  })
  .describe('What happens when an attempt fails. Empty: the Run fails with it.')
  .meta({
    'x-kubernetes-validations': [
      {
        rule: "!has(self.exitCodes) || !has(self.reasons) || self.reasons.exists(r, r == 'ContainerFailed')",
        message: 'exitCodes needs ContainerFailed among reasons',
        fieldPath: '.exitCodes',
      },
    ],
  });

/** What `status.retries` of a Run is. */
export const retriesStatus = z
  .object({
    spent: int('Attempts that followed a failed one.', 0, 20),
    limit: int('How many may: the lower of what Run and Agent say, as it was at the first admission.', 0, 20),
    notBefore: instant('Only while the next attempt waits: until then.').optional(),
    last: z
      .object({
        attempt: attempts('Number of the attempt.', 1),
        reason: text('Why it failed, in one word.', 128),
        message: text('The same in words.', 1024),
        child: dnsLabel('Name of its workload, which is kept as long as the Run.').optional(),
        failedAt: instant('When that was seen.'),
      })
      .describe('The attempt that failed last, of those that were retried.')
      .optional(),
  })
  .describe('Failed attempts. An attempt that a pause or a lost node cut short is none.');

/** Retries of a Run after defaulting. */
export type Retries = z.output<typeof retries>;
/** What became of them. */
export type RetriesStatus = z.output<typeof retriesStatus>;
