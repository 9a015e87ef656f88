// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import type { KindDescriptor } from '../openapi/kind.ts';
import { callsBudget } from './agent-calls.ts';
import { AGE, REASON } from './columns.ts';
import { estimate } from './budgets.ts';
import { ERROR_CODES } from './error-codes.ts';
import { GANG_COLUMNS, gangStatus, MAX_GANG_DEVICES, MAX_GANG_PODS, startBackoff } from './gang.ts';
import { attempts, conditions, dnsLabel, instant, int, observedGeneration, text, token } from './meta.ts';
import { GROUP, VERSION } from './names.ts';
import { CALL_COLUMNS, callStatus, RUN_FIELDS, PARENT_RULES, parentRef, treeStatus } from './run-calls.ts';
import { approval, approvalRule, approvalStatus } from './run-approval.ts';
import { maxSteps, tools } from './run-bounds.ts';
import { child } from './run-child.ts';
import { dryRun, dryRunStatus } from './run-dry-run.ts';
import { atCreation, fixed, kept, keptOr, priority } from './run-fixed.ts';
import { idempotencyKey, idempotencyKeySeconds, keyHolder } from './run-idempotency.ts';
import { input, inputStatus, parameters } from './run-input.ts';
import { answers, answersRule, questionStatus } from './run-questions.ts';
import { result } from './run-result.ts';
import { retries, retriesStatus } from './run-retries.ts';
import { runUsage } from './run-usage.ts';

/** Fields that stay as a Run was created with. */
const KEPT = [
  'agentRef',
  'revision',
  'parentRef',
  'callsBudget',
  'input',
  'parameters',
  'timeoutSeconds',
  'maxSteps',
  'tools',
  'retries',
  'estimate',
  'startingDeadlineSeconds',
  'session',
  'idempotencyKey',
  'idempotencyKeySeconds',
] as const;

const spec = z
  .object({
    agentRef: z
      .object({ name: dnsLabel('Name of an Agent in the same namespace.') })
      .describe('What to run.'),
    revision: dnsLabel(
      'AgentRevision of that Agent to run. Empty: the one that is active when the Run is first admitted.',
    ).optional(),
    parentRef: parentRef.optional(),
    callsBudget: callsBudget.optional(),
    input: input.optional(),
    parameters: parameters.optional(),
    priority,
    timeoutSeconds: int(
      'At most this long, if shorter than the limit of the Agent.',
      1,
      2_592_000,
    ).optional(),
    maxSteps: maxSteps(
      'At most so many steps of its loop, if fewer than the limit of the Agent; its container is told.',
    ).optional(),
    tools: tools.optional(),
    ttlSecondsAfterFinished: int(
      'The Run is deleted this long after it finished. Empty: kept.',
      0,
      31_536_000,
    ).optional(),
    retries: retries.optional(),
    estimate: estimate.optional(),
    idempotencyKey: idempotencyKey.optional(),
    idempotencyKeySeconds: idempotencyKeySeconds.optional(),
    startingDeadlineSeconds: int(
      'The Run fails if it has not been admitted so long after it was created. Empty: it waits.',
      1,
      31_536_000,
    ).optional(),
    dryRun,
    session: token(
      'Visible ASCII, blanks within. Runs of one session of an Agent start in the order of their creation, one after the other unless its limits.maxRunsPerSession says otherwise.',
    ).optional(),
    suspend: z
      .boolean()
      .describe(
        'true ends its workload and keeps it out of the queue; false takes it up again, from its beginning. It spends no retry.',
      )
      .optional(),
    cancel: z.boolean().describe('true ends the Run. It cannot be taken back.').optional(),
    approval: approval.optional(),
    answers: answers.optional(),
  })
  .describe('What to do.')
  .meta({
    'x-kubernetes-validations': [
      fixed([
        ...KEPT.map(kept),
        keptOr('priority', '0'),
        keptOr('dryRun', 'false'),
        {
          holds: '!has(oldSelf.cancel) || !oldSelf.cancel || (has(self.cancel) && self.cancel)',
          message: 'a cancelled Run cannot be taken up again',
        },
        approvalRule,
        answersRule,
      ]),
      ...PARENT_RULES.map(atCreation),
      atCreation({
        rule: 'has(self.idempotencyKey) || !has(self.idempotencyKeySeconds)',
        message: 'needs idempotencyKey',
        fieldPath: '.idempotencyKeySeconds',
      }),
    ],
  });

const queue = z
  .object({
    position: int(
      'Place among the Runs of the tenant that wait for quota, from 1.',
      1,
      1_000_000_000,
    ).optional(),
    reason: text('One word for programs: why it waits.', 128),
    message: text('What it waits for, and what would unblock it.', 1024),
    since: instant('Since when it waits for this reason.'),
    updatedAt: instant('When this was written. The position is refreshed every few seconds at most.'),
  })
  .describe('Only while the Run waits.');

const error = z
  .object({
    code: z.enum(ERROR_CODES).describe('What kind of failure.'),
    message: text('What happened, for people.', 4096),
    retryable: z.boolean().describe('Whether the same Run might succeed if created again.'),
    exitCode: int('Exit code of the container.', -1, 255).optional(),
    index: int('Of a Run of many pods: index of the one that failed.', 0, MAX_GANG_PODS - 1).optional(),
  })
  .describe('Why the Run failed, or why its workload is being ended so that it will.');

const status = z
  .object({
    observedGeneration: observedGeneration().optional(),
    phase: z
      .enum(['Queued', 'Admitted', 'Running', 'Succeeded', 'Failed', 'Cancelled'])
      .describe('Where the Run is: Queued until all that decides has admitted it. The last three are final.')
      .optional(),
    queue: queue.optional(),
    attempt: attempts(
      'Attempts started, those that a pause cut short included; such a one spends no retry.',
      0,
    ).optional(),
    preemptions: int('Attempts that were ended for Runs of higher priority.', 1, 1_000_000_000).optional(),
    retries: retriesStatus.optional(),
    startBackoff: startBackoff.optional(),
    keyHolder: keyHolder.optional(),
    approval: approvalStatus.optional(),
    question: questionStatus.optional(),
    dryRun: dryRunStatus.optional(),
    input: inputStatus.optional(),
    result: result.optional(),
    usage: runUsage.optional(),
    revision: z
      .object({
        name: dnsLabel('Name of the AgentRevision.'),
        number: int('Its number.', 1, Number.MAX_SAFE_INTEGER),
      })
      .describe('What every attempt of the Run is made from, whatever becomes of the Agent.')
      .optional(),
    gpu: z
      .object({ class: dnsLabel('GPU class.'), count: int('Devices.', 0, MAX_GANG_DEVICES) })
      .describe('Devices that the Run holds, all of its pods together.')
      .optional(),
    child: child.optional(),
    call: callStatus.optional(),
    tree: treeStatus.optional(),
    gang: gangStatus.optional(),
    arrival: int(
      'Version of the Run before anything was written of it: of Runs created in the same second, the one of the lower number is the older.',
      0,
      Number.MAX_SAFE_INTEGER,
    ).optional(),
    admittedAt: instant('When the Run was admitted.').optional(),
    startedAt: instant('When its container started.').optional(),
    finishedAt: instant('When it ended.').optional(),
    error: error.optional(),
    conditions: conditions(
      'Ready and Admitted; Finished once it has ended; QuotaReserved where Kueue decides after the tenant; Approved and InputRequired where that is asked; Stalled only while true.',
    ).optional(),
  })
  .describe('What is.')
  // Written as a whole, by the operator alone. By fields, the managedFields of a Run would be larger than its status.
  .meta({ 'x-kubernetes-map-type': 'atomic' });

/** Reasons of Run conditions, queue and Events, each with its meaning. */
export const RUN_REASONS = {
  /** Waits for its turn: the tenant's concurrent Runs are used up. */
  ConcurrencyExceeded: 'ConcurrencyExceeded',
  /** Waits: the agent's concurrent Runs are used up. */
  AgentConcurrencyExceeded: 'AgentConcurrencyExceeded',
  /** Waits: a Run of the same session that was created earlier goes first. */
  SessionBusy: 'SessionBusy',
  /** Waits: the tenant's devices of the GPU class are used up. */
  GPUQuotaExceeded: 'GPUQuotaExceeded',
  /** Waits: no node has so many devices of the GPU class free, or Runs that have waited longer are to have them. */
  NoFreeDevices: 'NoFreeDevices',
  /** Waits: no node that the tenant may use has so many devices of the GPU class, free or not. */
  NoNodes: 'NoNodes',
  /** Waits, or is paused: a budget of the tenant is used up, or reserved, for its window. */
  BudgetExhausted: 'BudgetExhausted',
  /** Waits: it reserves more than a whole budget of the tenant. */
  BudgetTooSmall: 'BudgetTooSmall',
  /** Waits: compute quota of the tenant is used up. */
  ComputeQuotaExceeded: 'ComputeQuotaExceeded',
  /** Waits: its quota is reserved, and it starts when Runs of lower priority have ended that make room for it. */
  Preempting: 'Preempting',
  /** Ended to make room for a Run of higher priority, and back in the queue. */
  Preempted: 'Preempted',
  /** Waits: its quota is reserved, and Kueue has not admitted its pod. */
  WaitingForCapacity: 'WaitingForCapacity',
  /** Kueue took its place back, and it is back in the queue. */
  Evicted: 'Evicted',
  /** Waits: its namespace has no LocalQueue of its tenant. */
  QueueNotReady: 'QueueNotReady',
  /** Waits: Kueue is to decide on capacity, and is not there. Or it was, and the Run goes back to the queue. */
  KueueMissing: 'KueueMissing',
  /** Waits: not yet looked at by the queue. */
  Pending: 'Pending',
  /** Waits: the tenant is suspended. */
  TenantSuspended: 'TenantSuspended',
  /** Waits: the namespace belongs to no tenant. */
  TenantNotFound: 'TenantNotFound',
  /** Waits: the Agent does not exist. */
  AgentNotFound: 'AgentNotFound',
  /** Waits: the Agent is not Ready. */
  AgentNotReady: 'AgentNotReady',
  /** Waits: the AgentRevision that the Run is bound to does not exist. */
  RevisionNotFound: 'RevisionNotFound',
  /** Waits, or is refused when the queue is full: the tenant's Runs are created faster than it may start them. */
  RateLimited: 'RateLimited',
  /** Waits: a Run with the same idempotency key came first, and this one ends as that one does. */
  Duplicate: 'Duplicate',
  /** Waits: the tenant's ledger can remember no more idempotency keys. */
  TooManyKeys: 'TooManyKeys',
  /** Refused: a Run with the same idempotency key and another spec came first. */
  KeyConflict: 'KeyConflict',
  /** It starts nothing, and how the Run ended that it stands for is not known any more. */
  OutcomeUnknown: 'OutcomeUnknown',
  /** Refused: the tenant's queue is full. */
  QueueFull: 'QueueFull',
  /** The Run may start. */
  Admitted: 'Admitted',
  /** It was a dry run, and status.dryRun says what it would do. */
  DryRun: 'DryRun',
  /** Waits: somebody has to approve it. */
  ApprovalRequired: 'ApprovalRequired',
  /** Somebody has approved it. */
  Approved: 'Approved',
  /** Somebody has rejected it. */
  ApprovalRejected: 'ApprovalRejected',
  /** Nobody has decided on it in time. */
  ApprovalTimedOut: 'ApprovalTimedOut',
  /** Waits: its container has asked something, and somebody has to answer. */
  InputRequired: 'InputRequired',
  /** Somebody has answered its question. */
  Answered: 'Answered',
  /** Nobody has answered its question in time. */
  InputTimedOut: 'InputTimedOut',
  /** Its container has asked more questions than its Agent allows. */
  TooManyQuestions: 'TooManyQuestions',
  /** The workload exists and waits for a node or an image. */
  Starting: 'Starting',
  /** The container runs. */
  Running: 'Running',
  /** The container ended with exit code 0. */
  Succeeded: 'Succeeded',
  /** The container ended with another exit code. */
  ContainerFailed: 'ContainerFailed',
  /** The container was ended for using too much memory. */
  OutOfMemory: 'OutOfMemory',
  /** The Run took longer than allowed. */
  TimedOut: 'TimedOut',
  /** The pod was lost with its node, or had to leave it: the Run goes back to the queue. */
  NodeLost: 'NodeLost',
  /** The pod was deleted by somebody else. */
  WorkloadDeleted: 'WorkloadDeleted',
  /** The workload is refused, by the API server or as what no node can start. */
  WorkloadRefused: 'WorkloadRefused',
  /** The container could not be started for too long: its image was not to be had, for one. Or its node refused it. */
  StartFailed: 'StartFailed',
  /** Cancelled by spec.cancel, or by its deletion. */
  Cancelled: 'Cancelled',
  /** The workload is being ended, since the Run was cancelled or deleted. */
  Cancelling: 'Cancelling',
  /** Paused while the tenant is suspended. */
  Paused: 'Paused',
  /** Paused by spec.suspend. */
  Suspended: 'Suspended',
  /** Its pods could not all be started, in time or at all: those that were are ended, and it waits a while for another try. */
  GangNotStarted: 'GangNotStarted',
  /** Waits before its next attempt, since the last one failed. */
  RetryBackoff: 'RetryBackoff',
  /** It was not admitted before its deadline for starting. */
  StartingDeadlineExceeded: 'StartingDeadlineExceeded',
  /** Its input is not there yet: a ConfigMap, or a key in it. */
  InputNotFound: 'InputNotFound',
  /** Its input is too large, or has another digest. */
  InvalidInput: 'InvalidInput',
  /** Its parameters are not those that the Agent declares. */
  InvalidParameters: 'InvalidParameters',
  /** Refused: it names tools that its Agent is not entitled to. */
  ToolsNotAllowed: 'ToolsNotAllowed',
  /** The Agent is of shape service: it takes requests at its address, and makes no Runs. */
  AgentIsService: 'AgentIsService',
  /** The spec does not parse. */
  InvalidSpec: 'InvalidSpec',
} as const;

/** The Run kind: one execution of an Agent. */
export const RUN = {
  group: GROUP,
  version: VERSION,
  kind: 'Run',
  plural: 'runs',
  singular: 'run',
  shortNames: [],
  categories: ['nexusos'],
  scope: 'Namespaced',
  description: 'A Run is one execution of an Agent: it waits for quota, runs once and keeps the outcome.',
  spec,
  status,
  rules: [
    {
      rule: "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 63",
      message:
        'the name of a Run is a DNS label of at most 63 characters, since it becomes a label of its pods',
    },
  ],
  columns: [
    { name: 'Agent', type: 'string', jsonPath: '.spec.agentRef.name', description: 'What runs.' },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'Where the Run is.' },
    {
      name: 'Queue',
      type: 'integer',
      jsonPath: '.status.queue.position',
      description: 'Place in the queue.',
    },
    { ...REASON, description: 'Why it is in this phase.' },
    {
      name: 'Message',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].message',
      description: 'The same in words.',
      priority: 1,
    },
    {
      name: 'Revision',
      type: 'integer',
      jsonPath: '.status.revision.number',
      description: 'Number of the AgentRevision that it is made from.',
      priority: 1,
    },
    {
      name: 'Units',
      type: 'string',
      jsonPath: '.status.usage.total.runUnits',
      description: 'Run units of its attempts that have ended.',
      priority: 1,
    },
    {
      name: 'Cost',
      type: 'string',
      jsonPath: '.status.usage.total.cost',
      description: 'What these have cost.',
      priority: 1,
    },
    ...CALL_COLUMNS,
    ...GANG_COLUMNS,
    {
      name: 'Finished',
      type: 'date',
      jsonPath: '.status.finishedAt',
      description: 'When it ended.',
      priority: 1,
    },
    AGE,
  ],
  selectableFields: RUN_FIELDS,
} as const satisfies KindDescriptor;

/** Spec of a Run after defaulting. */
export type RunSpec = z.output<typeof spec>;
/** Status of a Run. */
export type RunStatus = z.output<typeof status>;
