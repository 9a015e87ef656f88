// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { dnsLabel, instant, int, text } from './meta.ts';
import { RUN } from './run.ts';
import { priority } from './run-fixed.ts';

const LIST = (item: string) => `(${item})(,(${item}))*`;
/** One field of a cron line: `*`, a value or a range, each with a step if need be, or several of these. */
const FIELD = (value: string) => LIST(`([*?]|(${value})(-(${value}))?)(/[0-9]{1,2})?`);
const MONTHS = 'jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec';
const DAYS = 'sun|mon|tue|wed|thu|fri|sat';
const FIELDS = [
  '[0-5]?[0-9]',
  '[01]?[0-9]|2[0-3]',
  '0?[1-9]|[12][0-9]|3[01]',
  `0?[1-9]|1[0-2]|(?i:${MONTHS})`,
  `[0-7]|(?i:${DAYS})`,
].map(FIELD);
/** Cron lines that are read: what is left to find wrong is a range that ends before it begins, a step, or a day that never comes. */
const CRON = `^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|${FIELDS.join(' +')})$`;
/** Names of the IANA time zone database. */
const TIME_ZONE = /^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+){0,2}$/;

const OURS = "k.startsWith('nexusos.dev/') || k == 'app.kubernetes.io/managed-by'";

function marks(description: string, max: number, value: z.ZodString) {
  return z.record(z.string(), value).meta({
    description,
    maxProperties: max,
    'x-kubernetes-validations': [
      {
        rule: `self.all(k, !(${OURS}))`,
        message:
          'keys that start with nexusos.dev/, and app.kubernetes.io/managed-by, are set by NexusOS alone',
      },
    ],
  });
}

const runMetadata = z
  .object({
    labels: marks('Labels of each Run.', 32, text('A value.', 63)).optional(),
    annotations: marks('Annotations of each Run.', 32, text('A value.', 4096)).optional(),
  })
  .describe('Labels and annotations of each Run, beside those that NexusOS sets.');

const runSpec = RUN.spec
  // One key for all of them would start the first alone, a dry run starts nothing, nobody decides or answers beforehand, and nobody calls them.
  .omit({
    agentRef: true,
    approval: true,
    answers: true,
    cancel: true,
    dryRun: true,
    idempotencyKey: true,
    idempotencyKeySeconds: true,
    parentRef: true,
  })
  .extend({
    priority,
    // Shorter, and the Run could be gone before it is on record that it was made.
    ttlSecondsAfterFinished: int(
      'A Run is deleted this long after it finished, if its history limit leaves it so long.',
      300,
      31_536_000,
    ).optional(),
  })
  .describe('What each Run says. The Agent is this one.');

const HISTORY = 100;

/** What `spec.schedule` of an Agent is. */
export const schedule = z
  .object({
    cron: z
      .string()
      .min(1)
      .max(128)
      .describe(
        'When Runs are started: minute, hour, day of the month, month and day of the week, as in crontab; or @yearly, @monthly, @weekly, @daily or @hourly.',
      )
      .meta({
        'x-kubernetes-validations': [
          {
            rule: `self.matches('${CRON}')`,
            message:
              'allowed are five fields (minute 0-59, hour 0-23, day of the month 1-31, month 1-12 or jan-dec, day of the week 0-7 or sun-sat) of values, ranges, lists and steps with blanks between them, or @yearly, @monthly, @weekly, @daily, @hourly; the time zone goes under timeZone',
          },
        ],
      }),
    timeZone: z
      .string()
      .min(1)
      .max(64)
      .regex(TIME_ZONE)
      .default('UTC')
      .describe('Time zone that cron is read in, by its IANA name: Europe/Berlin.'),
    concurrencyPolicy: z
      .enum(['Allow', 'Forbid', 'Replace'])
      .default('Forbid')
      .describe(
        'What a start does while an earlier Run of the schedule has not ended. Allow: start beside it; Forbid: wait for its end; Replace: delete it, and start then.',
      ),
    suspend: z
      .boolean()
      .default(false)
      .describe('true starts nothing. What falls due meanwhile is not made up for.'),
    startingDeadlineSeconds: int(
      'A start that is later than this is not made any more. Empty: the last one that was missed is made, however late.',
      10,
      31_536_000,
    ).optional(),
    successfulRunsHistoryLimit: int(
      'Runs of the schedule that are kept after they succeeded.',
      0,
      HISTORY,
    ).default(3),
    failedRunsHistoryLimit: int(
      'Runs of the schedule that are kept after they failed or were cancelled.',
      0,
      HISTORY,
    ).default(1),
    runTemplate: z
      .object({ metadata: runMetadata.optional(), spec: runSpec.optional() })
      .describe('The Runs that are started.')
      .optional(),
  })
  .describe('When Runs are started by themselves. Empty: never.');

/** What `status.schedule` of an Agent is. */
export const scheduleStatus = z
  .object({
    cron: text('The schedule that the rest speaks of.', 128),
    timeZone: text('Its time zone.', 64),
    since: instant('What fell due before is not made up for: when it was created, changed or resumed.'),
    starting: z
      .object({
        scheduledTime: instant('When it was due.'),
        run: dnsLabel('Name of the Run.'),
      })
      .describe('Only while a Run is being created.')
      .optional(),
    lastScheduleTime: instant('The last start that was made: when it was due.').optional(),
    lastRun: z
      .object({ name: dnsLabel('Its name.'), uid: text('Its UID.', 64) })
      .describe('The Run of that start.')
      .optional(),
    lastMissedTime: instant('The last start that was not made: when it was due.').optional(),
    lastSuccessfulTime: instant('When a Run of the schedule last succeeded.').optional(),
    nextScheduleTime: instant(
      'When the next start is due; in the past while it waits for an earlier Run. Empty while there is none.',
    ).optional(),
    active: int('Runs of the schedule that have not ended.', 0, 1_000_000_000),
  })
  .describe('Runs that are started by themselves.');

/** Reasons of the condition Scheduled of an Agent and of Events about its schedule, each with its meaning. */
export const AGENT_SCHEDULE_REASONS = {
  /** Runs are started as the schedule says. */
  Scheduled: 'Scheduled',
  /** The cron line or the time zone cannot be read, or there is no such day. */
  InvalidSchedule: 'InvalidSchedule',
  /** Suspended by spec.schedule.suspend. */
  ScheduleSuspended: 'ScheduleSuspended',
  /** A start is due and waits until an earlier Run of the schedule has ended. */
  PreviousRunActive: 'PreviousRunActive',
  /** A Run was deleted to make room for the next one. */
  RunReplaced: 'RunReplaced',
  /** A start was not made in time. */
  StartMissed: 'StartMissed',
  /** The API server, or a policy, refuses the Run, or its name is taken. */
  StartRefused: 'StartRefused',
} as const;

/** Schedule of an Agent after defaulting. */
export type Schedule = z.output<typeof schedule>;
/** What is said of it. */
export type ScheduleStatus = z.output<typeof scheduleStatus>;
