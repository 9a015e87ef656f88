// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import type { KindDescriptor } from '../openapi/kind.ts';
import { calls, callsRule } from './agent-calls.ts';
import { agentEntitlements, dataClassification } from './agent-entitlements.ts';
import { environment } from './agent-environment.ts';
import { agentParameters } from './agent-parameters.ts';
import { schedule, scheduleStatus } from './agent-schedule.ts';
import { remote, remoteRules } from './agent-remote.ts';
import { service, serviceStatus, shapeRules } from './agent-service.ts';
import { estimate } from './budgets.ts';
import { AGE, readyColumn, REASON } from './columns.ts';
import { gang } from './gang.ts';
import {
  conditions,
  dnsLabel,
  instant,
  int,
  notAbove,
  observedGeneration,
  quantities,
  spelt,
  text,
} from './meta.ts';
import { GROUP, VERSION } from './names.ts';
import { approvalPolicy } from './run-approval.ts';
import { maxSteps } from './run-bounds.ts';
import { agentHistory } from './run-history.ts';
import { questionPolicy } from './run-questions.ts';
import { TIERS } from './run-usage.ts';

/** A reference as container engines read it: `[host[:port]/]path[:tag][@digest]`. What they cannot read never starts. */
const IMAGE =
  '^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]+)?/)?[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@[a-z0-9]+([+._-][a-z0-9]+)*:[0-9a-f]{32,128})?$';
const IMAGE_WORDS =
  'wanted is an image as container engines read it, such as registry.example/team/app:1.4 or registry.example/team/app@sha256:... with 64 hex digits: a name has lower-case letters and digits, with . _ or - in between, and neither blanks nor a scheme like https://; a tag has letters, digits, . _ and -';

const container = z
  .object({
    image: spelt(z.string().min(1).max(512), IMAGE, IMAGE_WORDS).describe(
      'Image of the agent: registry and path, with a tag or a digest.',
    ),
    command: z
      .array(text('A word.', 4096))
      .max(64)
      .describe('Entry point, instead of that of the image.')
      .optional(),
    args: z.array(text('A word.', 4096)).max(256).describe('Arguments.').optional(),
    env: environment.optional(),
    resources: z
      .object({
        requests: quantities('What is reserved: cpu, memory, ephemeral-storage.', 4).optional(),
        limits: quantities('What is the most: cpu, memory, ephemeral-storage.', 4).optional(),
      })
      .describe('Compute of one Run, or of one pod of a service. GPUs go under gpu.')
      .meta({
        'x-kubernetes-validations': [
          {
            rule: "(!has(self.requests) || self.requests.all(k, k in ['cpu', 'memory', 'ephemeral-storage'])) && (!has(self.limits) || self.limits.all(k, k in ['cpu', 'memory', 'ephemeral-storage']))",
            message: 'keys are cpu, memory and ephemeral-storage; GPUs go under spec.gpu',
          },
          notAbove('requests', 'limits'),
        ],
      })
      .optional(),
  })
  .describe('What runs. Not with shape remote.');

const gpu = z
  .object({
    class: dnsLabel('Name of a GPUClass that the tenant has quota for.'),
    count: int('Devices of the class for one pod: for one Run, unless it has many.', 1, 64).default(1),
  })
  .describe('Accelerators of one Run.');

const limits = z
  .object({
    timeoutSeconds: int('A Run that takes longer is ended with timeout.', 1, 2_592_000).default(3600),
    maxRunsPerSession: int('Runs of one session admitted at one time. Empty: 1.', 1, 100_000).optional(),
    maxConcurrentRuns: int('Runs of this agent admitted at one time.', 0, 100_000).optional(),
    maxRetries: int('The most retries that a Run can ask for.', 0, 20).optional(),
    maxSteps: maxSteps('The most steps of its loop that a Run may take; its container is told.').optional(),
    terminationGracePeriodSeconds: int(
      'How long a container that is told to end may take. Empty: 30.',
      0,
      3600,
    ).optional(),
  })
  .describe('Limits of each Run, and of all together.');

const spec = z
  .object({
    description: text('What the agent does, for people.', 1024).optional(),
    shape: z
      .enum(['job', 'service', 'remote'])
      .default('job')
      .describe(
        'job: each Run has pods of its own, one for each attempt. service: pods that stand behind one address, and take requests instead of Runs. remote: an endpoint elsewhere that speaks A2A; each attempt of a Run is one task there, and a small pod here that follows it.',
      ),
    tier: z.enum(TIERS).default('standard').describe('Price tier: standard 1.0, heavy 1.5, ultra 3.0.'),
    container: container.optional(),
    parameters: agentParameters.optional(),
    gpu: gpu.optional(),
    gang: gang.optional(),
    entitlements: agentEntitlements.optional(),
    dataClassification: dataClassification.optional(),
    estimate: estimate.optional(),
    limits: limits.default({ timeoutSeconds: 3600 }),
    calls: calls.optional(),
    schedule: schedule.optional(),
    approval: approvalPolicy.optional(),
    questions: questionPolicy.optional(),
    history: agentHistory.optional(),
    preemptible: z
      .boolean()
      .default(true)
      .describe(
        'false: its Runs are not ended for Runs of higher priority, where the tenant allows that (quotas.runs.preemption).',
      ),
    service: service.optional(),
    remote: remote.optional(),
    revisionHistoryLimit: int(
      'AgentRevisions that are kept beside the active one. Those that a Run which has not ended uses are kept in any case.',
      0,
      100,
    ).default(10),
  })
  .describe('What the agent is.')
  .meta({ 'x-kubernetes-validations': [...shapeRules, ...remoteRules, callsRule] });

const activeRevision = z
  .object({
    name: dnsLabel('Name of the AgentRevision.'),
    number: int('Its number.', 1, Number.MAX_SAFE_INTEGER),
    generation: int(
      'Generation of the Agent that was found to be of that template.',
      0,
      Number.MAX_SAFE_INTEGER,
    ),
    since: instant('When it became the active one.'),
  })
  .describe('The AgentRevision that new Runs are made from.');

const status = z
  .object({
    observedGeneration: observedGeneration().optional(),
    runs: z
      .object({
        queued: int('Runs that wait.', 0, 1_000_000_000),
        active: int('Runs admitted and not finished.', 0, 1_000_000_000),
        countedAt: instant('When they were counted. They are written every few seconds at most.'),
      })
      .describe('Runs of the agent.')
      .optional(),
    schedule: scheduleStatus.optional(),
    service: serviceStatus.optional(),
    activeRevision: activeRevision.optional(),
    lastRevision: int(
      'Number of the last AgentRevision that was made.',
      0,
      Number.MAX_SAFE_INTEGER,
    ).optional(),
    conditions: conditions(
      'Ready; Scheduled if there is a schedule; Available of a service; ImageVerified where a policy is about its image; Reconciling and Stalled only while true.',
    ).optional(),
  })
  .describe('What is.');

/** Reasons of Agent conditions and Events, each with its meaning. */
export const AGENT_REASONS = {
  /** Runs of the agent can be admitted. */
  Accepted: 'Accepted',
  /** The namespace belongs to no tenant, or its tenant is gone. */
  TenantNotFound: 'TenantNotFound',
  /** The tenant is suspended. */
  TenantSuspended: 'TenantSuspended',
  /** The GPU class does not exist. */
  GPUClassNotFound: 'GPUClassNotFound',
  /** The tenant has no, or not enough, quota for the GPU class. */
  GPUClassNotAllowed: 'GPUClassNotAllowed',
  /** The image comes from a registry that the tenant is not entitled to. */
  RegistryNotAllowed: 'RegistryNotAllowed',
  /** It wants models or tools that the tenant is not entitled to. */
  NotEntitled: 'NotEntitled',
  /** It works on data of a higher class than the tenant may. */
  ClassificationTooHigh: 'ClassificationTooHigh',
  /** One Run asks for more than the tenant's whole quota. */
  NeverFits: 'NeverFits',
  /** The platform has turned agents of shape remote off. */
  RemoteDisabled: 'RemoteDisabled',
  /** Its AgentRevision is being made. */
  RevisionPending: 'RevisionPending',
  /** Another AgentRevision is the active one: Runs that start from now on are made from it. */
  RevisionActivated: 'RevisionActivated',
  /** The API server, or a policy, refuses its AgentRevision, or the name of that is taken. */
  RevisionRefused: 'RevisionRefused',
  /** The account by which its Runs call others is being made. */
  CallerPending: 'CallerPending',
  /** The API server, or a policy, refuses the account by which its Runs call others, or the name of that is taken. */
  CallerRefused: 'CallerRefused',
  /** Policies on images are content with its image. */
  ImageVerified: 'ImageVerified',
  /** A policy on images that is enforced refuses its image: admission refuses pods of its Runs. */
  ImageRefused: 'ImageRefused',
  /** It could not be told whether its image is as policies on images ask. */
  ImageUnknown: 'ImageUnknown',
  /** Whether its image is as policies on images ask is being found out. */
  VerifyingImage: 'VerifyingImage',
  /** It was deleted, and a finalizer of somebody else keeps it. */
  Terminating: 'Terminating',
  /** The spec does not parse. */
  InvalidSpec: 'InvalidSpec',
} as const;

/** The Agent kind: a named capability that Runs call. */
export const AGENT = {
  group: GROUP,
  version: VERSION,
  kind: 'Agent',
  plural: 'agents',
  singular: 'agent',
  shortNames: ['ag'],
  categories: ['nexusos'],
  scope: 'Namespaced',
  description:
    'An Agent is a named capability of a tenant: what runs, on which accelerators, within which limits.',
  spec,
  status,
  rules: [
    {
      rule: "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 63",
      message:
        'the name of an Agent is a DNS label of at most 63 characters, since it becomes a label of its pods',
    },
    {
      rule: "self.spec.shape != 'service' || self.metadata.name.matches('^[a-z]')",
      message: 'the name of an Agent of shape service starts with a letter, since its Service has the same',
    },
  ],
  columns: [
    { name: 'Shape', type: 'string', jsonPath: '.spec.shape', description: 'How it runs.' },
    { name: 'GPU', type: 'string', jsonPath: '.spec.gpu.class', description: 'GPU class.' },
    readyColumn('Runs can be admitted, or a service takes requests.'),
    { name: 'Revision', type: 'integer', jsonPath: '.status.activeRevision.number', description: 'Active.' },
    { name: 'Active', type: 'integer', jsonPath: '.status.runs.active', description: 'Runs admitted.' },
    { name: 'Queued', type: 'integer', jsonPath: '.status.runs.queued', description: 'Runs that wait.' },
    { ...REASON, priority: 1 },
    {
      name: 'Pods',
      type: 'integer',
      jsonPath: '.status.service.readyReplicas',
      description: 'Pods of a service that take requests.',
      priority: 1,
    },
    {
      name: 'Address',
      type: 'string',
      jsonPath: '.status.service.address',
      description: 'Where a service answers.',
      priority: 1,
    },
    {
      name: 'Schedule',
      type: 'string',
      jsonPath: '.spec.schedule.cron',
      description: 'When Runs start by themselves.',
      priority: 1,
    },
    {
      name: 'Last Start',
      type: 'date',
      jsonPath: '.status.schedule.lastScheduleTime',
      description: 'The last such start.',
      priority: 1,
    },
    {
      name: 'Next Start',
      type: 'string',
      jsonPath: '.status.schedule.nextScheduleTime',
      description: 'The next one.',
      priority: 1,
    },
    AGE,
  ],
} as const satisfies KindDescriptor;

/** Spec of an Agent after defaulting. */
export type AgentSpec = z.output<typeof spec>;
/** Status of an Agent. */
export type AgentStatus = z.output<typeof status>;
