// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import type { KindDescriptor } from '../openapi/kind.ts';
import { AGE, readyColumn, REASON } from './columns.ts';
import { conditions, dnsLabel, instant, int, observedGeneration, sha256, text } from './meta.ts';
import { GROUP, VERSION } from './names.ts';
import { policyBinding } from './policy-binding.ts';
import { policyFacts } from './policy-facts.ts';
import { policyInventory } from './policy-inventory.ts';
import { blastRadius, DEFAULT_ROLLOUT, packComparison, policyRollout } from './policy-rollout.ts';
import { jsonObject, policySource } from './policy-source.ts';

/** The longest name of a PolicyPack: names of its revisions begin with it. */
export const MAX_PACK_NAME = 50;

const version = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[0-9A-Za-z]([-+.0-9A-Za-z]*[0-9A-Za-z])?$/)
  .describe('Version of the pack, for people: 1.4.0. It is part of what a refusal says.');

/** What happens to a request that the pack finds something against, or cannot judge. */
export const policyEnforcement = z
  .enum(['Deny', 'Warn', 'DryRun'])
  .describe(
    'What `deny`, and an evaluation that fails, come to. Deny: the request is refused. Warn: who makes it is told. DryRun: it is only noted.',
  );

/** What `input` of the Rego is. */
export const policyInput = z
  .enum(['Review', 'AdmissionReview'])
  .describe(
    'What `input` is. Review: review, parameters, tenant, namespace and time. AdmissionReview: what the API server sends a webhook.',
  );

/** What one evaluation may take. */
export const policyEvaluation = z
  .object({
    deadlineMs: int(
      'Time of one evaluation; what takes longer is ended and counts as failed. At most 60 are given, so that it is over after 75 where it gets a third of a processor. Where others take more of it, it is not ended before it had one for two fifths of its time.',
      1,
      75,
    ).default(50),
    memoryMiB: int('Memory of one evaluation.', 1, 64).default(16),
  })
  .describe('What one evaluation may take.');

const spec = z
  .object({
    version,
    suspended: z
      .boolean()
      .default(false)
      .describe(
        'true: nothing changes any more. What is active stays active; no source is read, no rollout goes on.',
      ),
    source: policySource,
    regoVersion: z
      .enum(['V0', 'V1'])
      .default('V1')
      .describe(
        'Which Rego the source is. V0: before OPA 1.0, without `if` and `contains`. A bundle says so itself.',
      ),
    binding: policyBinding.default({}),
    parameters: jsonObject('What the rules find as `input.parameters`. At most 16 KiB.').optional(),
    inventory: policyInventory.optional(),
    facts: policyFacts.optional(),
    enforcement: policyEnforcement.default('Deny'),
    input: policyInput.default('Review'),
    rollout: policyRollout.default(DEFAULT_ROLLOUT),
    rollbackTo: dnsLabel(
      'PolicyPackRevision of the pack that is to be active again, at once and whatever the source says. Taken out: the source counts again.',
    ).optional(),
    tests: z
      .object({
        minCoveragePercent: int('Lines of the modules that the tests must reach.', 0, 100).default(0),
      })
      .describe('What the tests of the pack must show. Tests that fail refuse it in any case.')
      .default({ minCoveragePercent: 0 }),
    evaluation: policyEvaluation.default({ deadlineMs: 50, memoryMiB: 16 }),
    revisionHistoryLimit: int(
      'PolicyPackRevisions that are kept beside the active one and the candidate.',
      1,
      20,
    ).default(5),
  })
  .describe('What the pack is, and what it judges.')
  .meta({
    'x-kubernetes-validations': [
      {
        rule: "!has(self.facts) || self.input == 'Review'",
        message:
          'facts are told in input of the form Review: AdmissionReview is what the API server sends, and nothing else',
      },
    ],
  });

const MAX_COUNT = 1_000_000_000;

const stage = z
  .object({
    name: text('What it is in: Shadow, Cohort, Acknowledgement and so on.', 64),
    percent: int('Share that the candidate decides for.', 0, 100),
    startedAt: instant('Since when.'),
    samples: int('Requests that both revisions have judged since.', 0, Number.MAX_SAFE_INTEGER),
  })
  .describe('Where the candidate is.');

/** How a revision ended, or stands. */
export const REVISION_OUTCOMES = ['Active', 'Superseded', 'RolledBack', 'Quarantined', 'Withdrawn'] as const;

const historyEntry = z.object({
  revision: text('Name of the PolicyPackRevision.', 63),
  outcome: z.enum(REVISION_OUTCOMES).describe('What became of it.'),
  reason: text('Why, one word.', 128).optional(),
  message: text('Why, for people.', 512).optional(),
  at: instant('When.'),
});

/** What a pack is in. */
export const PACK_PHASES = [
  'Pending',
  'Verified',
  'Shadow',
  'Cohort',
  'Active',
  'RolledBack',
  'Quarantined',
  'Rejected',
] as const;

/** All that are kept: what `revisionHistoryLimit` allows, with the active one, the one before it and the candidate. */
export const MAX_DECIDED_REVISIONS = 23;

const status = z
  .object({
    observedGeneration: observedGeneration().optional(),
    phase: z.enum(PACK_PHASES).describe('Where the newest version is.').optional(),
    source: z
      .object({
        digest: sha256('Digest of what was read.'),
        revision: text('PolicyPackRevision that it came to.', 63).optional(),
        coveragePercent: int('Lines that its tests reach.', 0, 100).optional(),
        tests: int('Tests that passed.', 0, 1_000_000).optional(),
      })
      .describe('What was last verified.')
      .optional(),
    activeRevision: text('PolicyPackRevision that decides. Empty: none does.', 63).optional(),
    candidateRevision: text('PolicyPackRevision that is on its way.', 63).optional(),
    previousRevision: text(
      'PolicyPackRevision that decided before: replicas keep it loaded, so that the way back is short.',
      63,
    ).optional(),
    stage: stage.optional(),
    comparison: packComparison.optional(),
    report: blastRadius.optional(),
    replicas: z
      .object({
        known: int('Replicas that are alive.', 0, MAX_COUNT),
        prepared: int('Those that have loaded what is to be loaded.', 0, MAX_COUNT),
        enforcing: int('Those that decide by the active revision.', 0, MAX_COUNT),
      })
      .describe('The processes that answer the API server.')
      .optional(),
    history: z
      .array(historyEntry)
      .max(10)
      .describe('The last revisions, newest first.')
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional(),
    rejected: z
      .array(text('Name of a PolicyPackRevision.', 63))
      .max(20)
      .describe('Revisions that were undone: they are not tried again by themselves.')
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional(),
    decided: z
      .array(text('Name of a PolicyPackRevision.', 63))
      .max(MAX_DECIDED_REVISIONS)
      .describe(
        'Revisions that have been active and are still there, newest first: there is a way back to each.',
      )
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional(),
    conditions: conditions(
      'Ready, Verified, Loaded, FloorBound where there is a floor; Reconciling and Stalled only while true.',
    ).optional(),
  })
  .describe('What is.');

/** Reasons of PolicyPack conditions and Events, each with its meaning. */
export const POLICY_PACK_REASONS = {
  /** Every replica decides by the active revision. */
  Enforced: 'Enforced',
  /** The source has been compiled, tested and tried, and is the PolicyPackRevision that the message names. */
  Verified: 'Verified',
  /** The source is being read, compiled or tested. */
  Verifying: 'Verifying',
  /** The pack is suspended: nothing changes. */
  Suspended: 'Suspended',
  /** The namespace belongs to no tenant and is not that of the platform: nobody is judged by the pack. */
  NotBound: 'NotBound',
  /** The binding asks for what only packs of the platform may: other tenants, or namespaces left out. */
  BindingNotAllowed: 'BindingNotAllowed',
  /** The ConfigMap is not there, or the registry has no such artifact. */
  SourceNotFound: 'SourceNotFound',
  /** The pack looks at live objects of a kind that the platform does not keep for packs, or that the pack of a tenant cannot see. */
  InventoryNotAllowed: 'InventoryNotAllowed',
  /** The source cannot be had at the moment. */
  SourceUnavailable: 'SourceUnavailable',
  /** The registry lets nobody read it with the credentials that there are. */
  SourceForbidden: 'SourceForbidden',
  /** The registry has had too many requests; it is asked again when it may be. */
  SourceThrottled: 'SourceThrottled',
  /** What the registry answers is not what the digest says, or not what is taken. */
  SourceCorrupt: 'SourceCorrupt',
  /** The Secret with the credentials is not there, is of another type, or may not be read by the operator. */
  PullSecretUnavailable: 'PullSecretUnavailable',
  /** A policy on images that is enforced refuses the artifact: it is not signed, or not as is asked. */
  ArtifactRefused: 'ArtifactRefused',
  /** It could not be told whether the artifact is as policies on images ask. */
  ArtifactUnknown: 'ArtifactUnknown',
  /** Whether the artifact is as policies on images ask is being found out. */
  VerifyingArtifact: 'VerifyingArtifact',
  /** The file does not have the digest that the spec names. */
  DigestMismatch: 'DigestMismatch',
  /** The address may not be asked: not public, or not https. */
  SourceRefused: 'SourceRefused',
  /** The source is larger, or has more files, than it may. */
  SourceTooLarge: 'SourceTooLarge',
  /** The source is none: an archive, a manifest or a name that is not as it should be. */
  InvalidSource: 'InvalidSource',
  /** The Rego does not compile. */
  CompileFailed: 'CompileFailed',
  /** The source has no rule that anybody would ask: no deny, warn, violation or mutate, and none of the folders. */
  NoRules: 'NoRules',
  /** A test of the pack fails. */
  TestsFailed: 'TestsFailed',
  /** The tests reach less than the spec asks for. */
  CoverageTooLow: 'CoverageTooLow',
  /** The compiler, or the tests, took more time or memory than they may. */
  VerificationTimedOut: 'VerificationTimedOut',
  /** The module is not one that may be run: its imports, its size or its memory. */
  ModuleRefused: 'ModuleRefused',
  /** Tried on plain objects, its evaluation fails: it takes too long or too much memory, or comes to no answer. */
  EvaluationFailed: 'EvaluationFailed',
  /** It could not be verified for a reason that is not the pack's; it is tried again. */
  VerificationFailed: 'VerificationFailed',
  /** It refuses an object of Kubernetes, or of NexusOS itself, and not the same of a tenant. */
  LocksOut: 'LocksOut',
  /** The tenant has more packs than it may; older ones go first. */
  TooManyPacks: 'TooManyPacks',
  /** With this revision, those of the tenant would have more bytes than they may. */
  StorageExceeded: 'StorageExceeded',
  /** The floor is none: a key that nobody knows, a name twice, or text that is no YAML. */
  InvalidFloor: 'InvalidFloor',
  /** A pack of a tenant has a floor: the API server itself holds those of the platform alone. */
  FloorNotAllowed: 'FloorNotAllowed',
  /** The API server will not have the floor, or says that fields it asks for are not there. */
  FloorRefused: 'FloorRefused',
  /** The API server holds the floor of the revision that decides. */
  FloorHeld: 'FloorHeld',
  /** The API server holds the floor, which does not know all exemptions: who is exempt by the others is refused by it. */
  ExemptionsLeftOut: 'ExemptionsLeftOut',
  /** The floor of the revision that decides is not held yet. */
  FloorPending: 'FloorPending',
  /** As many packs have a floor as can. */
  FloorFull: 'FloorFull',
  /** The revision that decides has no floor, unlike one before it. */
  NoFloor: 'NoFloor',
  /** The revision is being made. */
  RevisionPending: 'RevisionPending',
  /** Replicas are loading the revision. */
  Loading: 'Loading',
  /** All replicas have loaded what they are to. */
  Loaded: 'Loaded',
  /** There is no replica that could enforce anything. */
  NoReplicas: 'NoReplicas',
  /** What the revision would do to what exists is being found out. */
  Reporting: 'Reporting',
  /** The report has more than may go on by itself: somebody has to read it, and acknowledge it. */
  AwaitingAcknowledgement: 'AwaitingAcknowledgement',
  /** The candidate is judged beside what is active, without effect. */
  Shadowing: 'Shadowing',
  /** The candidate decides for a share, for some time at least. */
  Soaking: 'Soaking',
  /** The candidate waits for `promoteTo`. */
  AwaitingPromotion: 'AwaitingPromotion',
  /** The candidate has been compared on too few requests, or so far differs by more than it may. */
  AwaitingEvidence: 'AwaitingEvidence',
  /** Some replica does not decide yet by what is active. */
  NotEnforced: 'NotEnforced',
  /** Undone: some replica could not load the candidate in time. */
  LoadFailed: 'LoadFailed',
  /** Undone: replicas have stopped running it, since it did not keep its limits again and again. */
  Quarantined: 'Quarantined',
  /** Undone: it denies what no policy may, system objects or our own. */
  ProtectedDenied: 'ProtectedDenied',
  /** Undone: it was stopped at its deadline again and again. */
  TimedOut: 'TimedOut',
  /** Undone: more of its evaluations fail than `maxErrorPercent` allows. */
  Failing: 'Failing',
  /** Undone: more than every twentieth of its evaluations takes longer than `latencyBudgetMs`. */
  Slow: 'Slow',
  /** Undone: it denies more of what is allowed so far than `maxNewlyDeniedPercent` allows. */
  NewlyDenied: 'NewlyDenied',
  /** Undone: it allows more of what is denied so far than `maxNewlyAllowedPercent` allows. */
  NewlyAllowed: 'NewlyAllowed',
  /** The revision that `rollbackTo` names is not there. */
  RevisionNotFound: 'RevisionNotFound',
  /** `rollbackTo` names a revision that is not known to have been active, and was made of what the source does not name. */
  NeverActive: 'NeverActive',
  /** `rollbackTo` holds the pack at an earlier revision. */
  RolledBack: 'RolledBack',
  /** Another revision decides from now on. */
  RevisionActivated: 'RevisionActivated',
  /** The operator has no compiler. */
  CompilerMissing: 'CompilerMissing',
  /** The API server, or a policy, refuses what the pack needs. */
  RevisionRefused: 'RevisionRefused',
  /** It was deleted, and what it made is being cleared away. */
  Terminating: 'Terminating',
  /** The spec does not parse. */
  InvalidSpec: 'InvalidSpec',
} as const;

/** The PolicyPack kind: policy in Rego, versioned, tried before it decides, and rolled out by cohort. */
export const POLICY_PACK = {
  group: GROUP,
  version: VERSION,
  kind: 'PolicyPack',
  plural: 'policypacks',
  singular: 'policypack',
  shortNames: ['pack'],
  categories: ['nexusos'],
  scope: 'Namespaced',
  description:
    'A PolicyPack is a set of rules in Rego that requests to the API server are judged by: those of all tenants in the namespace of the platform, those of one tenant in a namespace of it, which can only restrict.',
  spec,
  status,
  rules: [
    {
      rule: `self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= ${MAX_PACK_NAME}`,
      message: `the name of a PolicyPack is a DNS label of at most ${MAX_PACK_NAME} characters, since names of its revisions begin with it`,
    },
  ],
  columns: [
    { name: 'Version', type: 'string', jsonPath: '.spec.version', description: 'Version of the source.' },
    {
      name: 'Enforcement',
      type: 'string',
      jsonPath: '.spec.enforcement',
      description: 'What a finding comes to.',
    },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'Where the newest version is.' },
    { name: 'Active', type: 'string', jsonPath: '.status.activeRevision', description: 'What decides.' },
    {
      name: 'Candidate',
      type: 'string',
      jsonPath: '.status.candidateRevision',
      description: 'What is on its way.',
      priority: 1,
    },
    {
      name: 'Percent',
      type: 'integer',
      jsonPath: '.status.stage.percent',
      description: 'Share that the candidate decides for.',
      priority: 1,
    },
    readyColumn('Every replica decides by the active revision, and that is what the source says.'),
    { ...REASON, priority: 1 },
    AGE,
  ],
} as const satisfies KindDescriptor;

/** Spec of a PolicyPack after defaulting. */
export type PolicyPackSpec = z.output<typeof spec>;
/** Status of a PolicyPack. */
export type PolicyPackStatus = z.output<typeof status>;
/** What a pack is in. */
export type PackPhase = (typeof PACK_PHASES)[number];
