// SPDX-License-Identifier: Apache-2.0
import { collectDefaultMetrics } from 'prom-client';
import { ANY, MetricFactory, textOf } from './metric.ts';

/** Seconds, from a millisecond to a minute. */
const LATENCY_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

const RESULTS = ['success', 'requeue', 'requeue_after', 'conflict', 'error', 'terminal_error'] as const;
const EFFECTS = ['status', 'apply', 'replace', 'create', 'remove', 'finalizer'] as const;
const VERBS = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'] as const;
const CODES = ['2xx', '3xx', '4xx', '5xx', 'none'] as const;
const WATCH_ENDS = ['closed', 'cut', 'idle', 'expired', 'refused', 'malformed'] as const;
const TIERS = ['standard', 'heavy', 'ultra'] as const;
const SHARD_CHANGES = ['gained', 'lost'] as const;
const EVENT_OUTCOMES = ['written', 'aggregated', 'dropped', 'failed'] as const;

const POLICY_SCOPES = ['platform', 'tenant'] as const;
const POLICY_OUTCOMES = [
  ...(['value', 'undefined', 'Timeout', 'OutOfMemory', 'Abort', 'Builtin', 'Trap', 'StackOverflow'] as const),
  ...([
    'ResultTooLarge',
    'InputTooLarge',
    'BadResult',
    'Entrypoint',
    'Overloaded',
    'Quarantined',
    'Lost',
  ] as const),
] as const;
const VERIFICATIONS = ['verified', 'refused', 'failed'] as const;
const REGISTRY_OUTCOMES = ['ok', 'absent', 'refused', 'throttled', 'unreachable', 'broken'] as const;
/** What a policy says of an image. */
const IMAGE_OUTCOMES = ['Verified', 'Refused', 'Unknown'] as const;
const WORKER_ENDS = ['deadline', 'stuck', 'memory', 'crash', 'closed'] as const;
/** Seconds, from a hundredth of a millisecond to the longest that an evaluation may take. */
const EVALUATION_BUCKETS = [
  0.00001, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075,
];

const ENFORCEMENTS = ['Deny', 'Warn', 'DryRun'] as const;
const SCAN_RESULTS = ['fail', 'error', 'warn', 'skip'] as const;
const ARCHIVED = ['taken', 'refused', 'failed'] as const;

/** What became of an object that was sent to the archive. */
export type ArchiveOutcome = (typeof ARCHIVED)[number];
/** How one reconcile ended, for counting. */
export type ReconcileResult = (typeof RESULTS)[number];
/** What a reconcile wrote. */
export type EffectKind = (typeof EFFECTS)[number];
/** What a request does. */
export type RequestVerb = (typeof VERBS)[number];
/** Class of an answer; `none` when there was none. */
export type CodeClass = (typeof CODES)[number];
/** Why a watch connection ended. */
export type WatchEnd = (typeof WATCH_ENDS)[number];

/** All metrics of a process. */
export type Metrics = ReturnType<typeof createMetrics>;

/**
 * Declares every metric in a registry of its own. With `process`, those of the Node process as well; they hold
 * timers, so a test leaves them out.
 */
export function createMetrics(options: { readonly process?: boolean } = {}) {
  const factory = new MetricFactory();
  if (options.process === true) collectDefaultMetrics({ register: factory.registry });
  return {
    /** For the HTTP server. */
    text: () => textOf(factory.registry),
    contentType: factory.registry.contentType,
    /** For the reference page. */
    declared: factory.declared,
    /** For metrics that a part of the operator declares for itself. */
    factory,
    ...loopMetrics(factory),
    ...leadMetrics(factory),
    ...queueMetrics(factory),
    ...watchMetrics(factory),
    ...requestMetrics(factory),
    ...policyMetrics(factory),
    ...registryMetrics(factory),
    ...imageMetrics(factory),
  };
}

function loopMetrics(factory: MetricFactory) {
  return {
    reconcileTotal: factory.counter({
      name: 'controller_runtime_reconcile_total',
      help: 'Reconciles, by how they ended.',
      labels: { controller: ANY, result: RESULTS },
    }),
    reconcileErrorsTotal: factory.counter({
      name: 'controller_runtime_reconcile_errors_total',
      help: 'Reconciles that failed; conflicts are not failures.',
      labels: { controller: ANY },
    }),
    reconcileSeconds: factory.histogram(
      {
        name: 'controller_runtime_reconcile_time_seconds',
        help: 'Time that a reconcile took.',
        labels: { controller: ANY },
      },
      LATENCY_BUCKETS,
    ),
    activeWorkers: factory.gauge({
      name: 'controller_runtime_active_workers',
      help: 'Reconciles under way.',
      labels: { controller: ANY },
    }),
    effectsTotal: factory.counter({
      name: 'nexusos_effects_total',
      help: 'Writes that plans asked for and that were sent. Stands still in steady state.',
      labels: { controller: ANY, effect: EFFECTS },
    }),
    eventsTotal: factory.counter({
      name: 'nexusos_events_total',
      help: 'Events of the recorder, by what became of them.',
      labels: { outcome: EVENT_OUTCOMES },
    }),
    runUnitsTotal: factory.counter({
      name: 'nexusos_run_units_total',
      help: 'Run units of attempts that were counted while this process led. Tenants beyond a cap (setting namedTenants) are told as _other.',
      labels: { tenant: ANY, tier: TIERS },
    }),
    costMicroTotal: factory.counter({
      name: 'nexusos_cost_micro_total',
      help: 'Cost of the same attempts, in millionths of the currency of the platform; of those that had a price when they were admitted. Tenants as in nexusos_run_units_total.',
      labels: { tenant: ANY, tier: TIERS },
    }),
    runChildrenTotal: factory.counter({
      name: 'nexusos_run_children_total',
      help: 'Runs that others have called, and that were given a place while this process led; what is tried again does not count again. Tenants as in nexusos_run_units_total.',
      labels: { tenant: ANY },
    }),
    archivedTotal: factory.counter({
      name: 'nexusos_archived_total',
      help: 'Finished Runs that were sent to the archive, by its answer. What is refused, or failed, stays in the cluster; what failed is sent again.',
      labels: { outcome: ARCHIVED },
    }),
  };
}

/** What this process works on, of all of them. */
function leadMetrics(factory: MetricFactory) {
  return {
    leader: factory.gauge({
      name: 'nexusos_leader',
      help: '1 while this process may write. With shards: while it does what spans tenants.',
      labels: {},
    }),
    shards: factory.gauge({
      name: 'nexusos_shards',
      help: 'Shards of tenants that this process works on. 0 without shards.',
      labels: {},
    }),
    shardTenants: factory.gauge({
      name: 'nexusos_shard_tenants',
      help: 'Tenants in the shards that this process works on. 0 without shards.',
      labels: {},
    }),
    shardChangesTotal: factory.counter({
      name: 'nexusos_shard_changes_total',
      help: 'Shards that this process began to work on, and ceased to.',
      labels: { change: SHARD_CHANGES },
    }),
  };
}

function queueMetrics(factory: MetricFactory) {
  const labels = { name: ANY } as const;
  return {
    queueDepth: factory.gauge({ name: 'workqueue_depth', help: 'Keys that wait.', labels }),
    queueAddsTotal: factory.counter({ name: 'workqueue_adds_total', help: 'Keys that were added.', labels }),
    queueRetriesTotal: factory.counter({
      name: 'workqueue_retries_total',
      help: 'Keys that were added again after a failure, or to try again what was refused.',
      labels,
    }),
    queueSeconds: factory.histogram(
      { name: 'workqueue_queue_duration_seconds', help: 'Time that a key waited.', labels },
      LATENCY_BUCKETS,
    ),
    workSeconds: factory.histogram(
      { name: 'workqueue_work_duration_seconds', help: 'Time from taking a key to being done.', labels },
      LATENCY_BUCKETS,
    ),
  };
}

function watchMetrics(factory: MetricFactory) {
  const labels = { resource: ANY } as const;
  return {
    watchEventsTotal: factory.counter({
      name: 'nexusos_watch_events_total',
      help: 'Changes that watches told.',
      labels,
    }),
    watchListsTotal: factory.counter({
      name: 'nexusos_watch_lists_total',
      help: 'Times that everything was read anew.',
      labels,
    }),
    watchEndsTotal: factory.counter({
      name: 'nexusos_watch_ends_total',
      help: 'Watch connections that ended, by why.',
      labels: { resource: ANY, why: WATCH_ENDS },
    }),
    watchObjects: factory.gauge({ name: 'nexusos_watch_objects', help: 'Objects in a store.', labels }),
  };
}

function requestMetrics(factory: MetricFactory) {
  return {
    requestsTotal: factory.counter({
      name: 'nexusos_api_requests_total',
      help: 'Answers of the API server, every try counted.',
      labels: { verb: VERBS, code: CODES },
    }),
    requestSeconds: factory.histogram(
      {
        name: 'nexusos_api_request_duration_seconds',
        help: 'Time to an answer of the API server; for watches, to the first byte.',
        labels: { verb: VERBS },
      },
      LATENCY_BUCKETS,
    ),
  };
}

function policyMetrics(factory: MetricFactory) {
  return {
    policyViolations: factory.gauge({
      name: 'nexusos_policy_violations',
      help: 'Findings of active packs on objects that exist, as of the last scan: fail would be refused now, error could not be judged, warn is only told, skip is exempt.',
      labels: { enforcement: ENFORCEMENTS, result: SCAN_RESULTS },
    }),
    policyScannedObjects: factory.gauge({
      name: 'nexusos_policy_scanned_objects',
      help: 'Objects that some pack is about, as of the last scan.',
      labels: {},
    }),
    policyScanSeconds: factory.gauge({
      name: 'nexusos_policy_scan_seconds',
      help: 'What the last scan of objects that exist took.',
      labels: {},
    }),
    policyEvaluations: factory.counter({
      name: 'nexusos_policy_evaluations_total',
      help: 'Evaluations of compiled policies, by what they came to: a value, none, or a failure.',
      labels: { scope: POLICY_SCOPES, outcome: POLICY_OUTCOMES },
    }),
    policyEvaluationSeconds: factory.histogram(
      {
        name: 'nexusos_policy_evaluation_seconds',
        help: 'Time of a processor that an evaluation took in its worker.',
        labels: { scope: POLICY_SCOPES },
      },
      EVALUATION_BUCKETS,
    ),
    policyWorkerRestarts: factory.counter({
      name: 'nexusos_policy_worker_restarts_total',
      help: 'Workers that were replaced: since an evaluation passed its deadline, its builtins took too much memory, they hung while they gave memory back, or they crashed.',
      labels: { reason: WORKER_ENDS },
    }),
    packVerificationsTotal: factory.counter({
      name: 'nexusos_policy_pack_verifications_total',
      help: 'Sources of PolicyPacks that were verified, by what came of it. What failed was no fault of the pack.',
      labels: { outcome: VERIFICATIONS },
    }),
    packVerificationSeconds: factory.histogram(
      {
        name: 'nexusos_policy_pack_verification_seconds',
        help: 'Time that it took to read, compile, test and try a PolicyPack.',
        labels: {},
      },
      LATENCY_BUCKETS,
    ),
    policyQuarantined: factory.gauge({
      name: 'nexusos_policy_quarantined_modules',
      help: 'Modules that are not evaluated any more, since they failed too often.',
      labels: {},
    }),
  };
}

function imageMetrics(factory: MetricFactory) {
  return {
    imageVerificationsTotal: factory.counter({
      name: 'nexusos_image_verifications_total',
      help: 'What policies said of images that were looked at, by outcome and reason; None where all was as asked.',
      labels: { outcome: IMAGE_OUTCOMES, reason: ANY },
    }),
    imageVerificationSeconds: factory.histogram(
      {
        name: 'nexusos_image_verification_seconds',
        help: 'Time that it took to look at an image by all policies that are about it, with what registries took.',
        labels: {},
      },
      LATENCY_BUCKETS,
    ),
  };
}

function registryMetrics(factory: MetricFactory) {
  return {
    registryRequestsTotal: factory.counter({
      name: 'nexusos_registry_requests_total',
      help: 'Requests of registries, by what came of them: an answer, that it is not there, or why it could not be told.',
      labels: { outcome: REGISTRY_OUTCOMES },
    }),
    registryRequestSeconds: factory.histogram(
      {
        name: 'nexusos_registry_request_seconds',
        help: 'Time that a request of a registry took, redirects and tokens included.',
        labels: {},
      },
      LATENCY_BUCKETS,
    ),
  };
}
