// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { instant, int, text } from './meta.ts';
import type { FixedPart } from './run-fixed.ts';

/** Longest user name that a decision can be of. */
export const MAX_USER_LENGTH = 512;
/** The most users that are told to be behind a Run. */
export const MAX_BEHIND = 16;
const MAX_REASON = 1024;
const DECISIONS = ['Approved', 'Rejected'] as const;

const approvers = z
  .enum(['Others', 'Anyone'])
  .describe(
    'Who may approve, of those who have the verb approve on runs in the namespace. Others: whoever did not create the Run, nor is behind it.',
  );
const onTimeout = z.enum(['Reject', 'Approve']).describe('What becomes of a Run that nobody decided on.');

/** What `spec.approval` of an Agent is. */
export const approvalPolicy = z
  .object({
    approvers: approvers.default('Others'),
    timeoutSeconds: int(
      'At most how long a Run waits for a decision, from when it asked. Empty: until somebody decides.',
      1,
      31_536_000,
    ).optional(),
    onTimeout: onTimeout.default('Reject'),
  })
  .describe('Each Run waits until somebody approves it. Empty: Runs start without.');

/** What `spec.approval` of a Run is. */
export const approval = z
  .object({
    decision: z.enum(DECISIONS).describe('Whether it may start.'),
    by: text(
      'User name of who decided: the API server accepts no other, and fills it in from Kubernetes 1.36 on.',
      MAX_USER_LENGTH,
    ).optional(),
    reason: text('Why, for people.', MAX_REASON).optional(),
  })
  .describe(
    'The decision on a Run that waits for approval (status.approval). Written once, by who has the verb approve on runs.',
  );

/** That a decision stands. */
export const approvalRule: FixedPart = {
  holds: '!has(oldSelf.approval) || (has(self.approval) && self.approval == oldSelf.approval)',
  message: 'approval: a decision cannot be changed; to take an approval back, cancel the Run',
};

/** What `status.approval` of a Run is. */
export const approvalStatus = z
  .object({
    requestedAt: instant('Since when it waits for a decision.'),
    approvers,
    onTimeout,
    deadline: instant('Until when it waits for one. Empty: for ever.').optional(),
    createdBy: text('User name of who created the Run, if that is known.', MAX_USER_LENGTH).optional(),
    onBehalfOf: z
      .array(text('A user name.', MAX_USER_LENGTH))
      .min(1)
      .max(MAX_BEHIND)
      .describe(
        'User names of who is behind it, as far as that is known: who created the Runs that call it, and who wrote the schedule that started it, or those.',
      )
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional(),
    outcome: z
      .enum(['Approved', 'Rejected', 'TimedOut'])
      .describe('What was decided. Empty: nothing yet.')
      .optional(),
    by: text('User name of who decided. Empty: nobody did in time.', MAX_USER_LENGTH).optional(),
    reason: text('Why, in the words of who decided.', MAX_REASON).optional(),
    decidedAt: instant('When the decision was seen.').optional(),
  })
  .describe(
    'Of a Run that needs approval: what it asks for, as its Agent said when it asked, and what was decided.',
  );

/** What an Agent demands before its Runs start. */
export type ApprovalPolicy = z.output<typeof approvalPolicy>;
/** How it stands with the approval of a Run. */
export type ApprovalStatus = z.output<typeof approvalStatus>;
