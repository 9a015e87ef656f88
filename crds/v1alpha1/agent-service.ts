// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { dnsLabel, instant, int, quantity, text } from './meta.ts';

const MAX_REPLICAS = 1000;
const ZERO = "['0', '0%']";

function path(description: string): z.ZodString {
  return z
    .string()
    .min(1)
    .max(1024)
    .regex(/^\/[!-~]*$/)
    .describe(description);
}

/** A number of pods, or a part of them in percent. */
function numberOrPercent(description: string) {
  return z.union([z.int(), z.string().max(4)]).meta({
    description,
    'x-kubernetes-int-or-string': true,
    pattern: '^(100|[1-9]?[0-9])%$',
    minimum: 0,
    maximum: MAX_REPLICAS,
  });
}

const replicas = z
  .object({
    min: int(
      'Pods that there are at least; without autoscaling just as many. 0 runs nothing, and keeps the address.',
      0,
      MAX_REPLICAS,
    ).default(1),
    max: int('Pods that autoscaling may make at most.', 1, MAX_REPLICAS).optional(),
  })
  .describe('How many pods there are.');

const podMetric = z
  .object({
    name: z
      .string()
      .min(1)
      .max(253)
      .regex(/^[A-Za-z_][A-Za-z0-9_.:-]*$/)
      .describe(
        'Name of a metric of its pods, as custom.metrics.k8s.io serves it in the namespace: http_requests_per_second, queue_length.',
      ),
    averageValue: quantity('How much of it each pod should have.'),
  })
  .describe(
    'By what the pods tell of themselves, such as requests or the length of a queue. Needs a metrics adapter.',
  )
  .meta({
    'x-kubernetes-validations': [
      {
        rule: "quantity(string(self.averageValue)).isGreaterThan(quantity('0'))",
        message:
          'podMetric.averageValue: found 0; allowed is anything more, as no number of pods has none of it',
      },
    ],
  });

const autoscaling = z
  .object({
    cpuUtilizationPercent: int(
      'Processor time that pods should use, of what they request. Needs the metrics server.',
      1,
      1000,
    ).optional(),
    podMetric: podMetric.optional(),
  })
  .describe('By what the number of pods goes up and down, from replicas.min to replicas.max.')
  .meta({
    'x-kubernetes-validations': [
      {
        rule: 'has(self.cpuUtilizationPercent) || has(self.podMetric)',
        message: 'autoscaling: found nothing to go by; allowed are cpuUtilizationPercent, podMetric or both',
      },
    ],
  });

const rollout = z
  .object({
    maxUnavailable: numberOrPercent(
      'Pods that may be missing while a revision is rolled out; parts are rounded down.',
    ).default('25%'),
    maxSurge: numberOrPercent(
      'Pods that there may be beyond the number while a revision is rolled out; parts are rounded up. Quota is needed for them.',
    ).default('25%'),
  })
  .describe('How a new revision takes the place of the old one.')
  .meta({
    'x-kubernetes-validations': [
      {
        rule: `!(string(self.maxUnavailable) in ${ZERO} && string(self.maxSurge) in ${ZERO})`,
        message:
          'rollout: maxUnavailable and maxSurge are both 0, so no pod could ever be replaced; one of them must be more',
      },
    ],
  });

const ROLLOUT = { maxUnavailable: '25%', maxSurge: '25%' } as const;

/** What `spec.service` of an Agent is. */
export const service = z
  .object({
    port: int('Port that the container listens on, and that the Service has.', 1, 65_535).default(8080),
    readinessPath: path(
      'Path that answers GET with 200 to 399 when a pod can take requests. Empty: as soon as it takes connections.',
    ).optional(),
    livenessPath: path(
      'Path that answers GET with 200 to 399 as long as a container is well; else it is started again. Empty: not asked.',
    ).optional(),
    replicas: replicas.default({ min: 1 }),
    autoscaling: autoscaling.optional(),
    rollout: rollout.default(ROLLOUT),
  })
  .describe('How an agent of shape service stands. Empty: one pod at port 8080.')
  .meta({
    'x-kubernetes-validations': [
      {
        rule: 'has(self.autoscaling) == has(self.replicas.max)',
        message:
          'service: autoscaling and replicas.max are given together, or neither; without autoscaling there are replicas.min pods',
      },
      {
        rule: '!has(self.autoscaling) || self.replicas.min > 0',
        message: 'service.replicas.min: found 0; with autoscaling it must be at least 1',
      },
      {
        rule: '!has(self.replicas.max) || self.replicas.max >= self.replicas.min',
        message: 'service.replicas.max must not be less than replicas.min',
      },
    ],
  });

/** The part of it that pods are made from, and so part of a revision. */
export const serviceTemplate = service
  .pick({ port: true, readinessPath: true, livenessPath: true })
  .describe('How the pods of a service answer.');

/** What an agent of shape service is that does not say more. */
export const PLAIN_SERVICE: ServiceSpec = { port: 8080, replicas: { min: 1 }, rollout: ROLLOUT };

function onlyJobs(field: string, why: string) {
  return {
    rule: `self.shape != 'service' || !has(self.${field})`,
    message: `${field}: found with shape service; allowed with shape job alone: ${why}`,
  };
}

const OF_RUNS = 'it is about Runs, and a service has none';

/** What an Agent of one shape can say and one of another cannot. */
export const shapeRules = [
  {
    rule: "self.shape == 'service' || !has(self.service)",
    message: 'service: found with another shape; allowed with shape: service alone',
  },
  onlyJobs(
    'gpu',
    'devices are counted by class for Runs, and not yet for services, whose quota would have a hole',
  ),
  ...['schedule', 'parameters', 'estimate', 'approval', 'questions', 'history', 'gang'].map((field) =>
    onlyJobs(field, OF_RUNS),
  ),
  ...['maxRunsPerSession', 'maxConcurrentRuns', 'maxRetries', 'maxSteps'].map((field) =>
    onlyJobs(`limits.${field}`, OF_RUNS),
  ),
  {
    rule: "self.shape != 'service' || self.limits.timeoutSeconds == 3600",
    message: `limits.timeoutSeconds: found with shape service; allowed with shape job alone: ${OF_RUNS}`,
  },
  {
    rule: "self.shape != 'service' || self.preemptible",
    message: `preemptible: found false with shape service; allowed with shape job alone: ${OF_RUNS}`,
  },
  {
    rule: "self.shape != 'service' || self.tier == 'standard'",
    message:
      'tier: found another than standard with shape service; the tier is the price of Runs, and a service has none',
  },
];

const count = (description: string) => int(description, 0, 1_000_000);

/** What `status.service` of an Agent is. */
export const serviceStatus = z
  .object({
    address: text('Where it answers within the tenant: http://<name>.<namespace>.svc:<port>.', 300),
    desiredReplicas: count('Pods that there should be: by replicas.min, or by its autoscaler.'),
    replicas: count('Pods that there are, old and new.'),
    updatedReplicas: count('Pods of the active revision.'),
    readyReplicas: count('Pods that take requests.'),
    revision: dnsLabel('The AgentRevision that was last rolled out whole.').optional(),
    rolledOutAt: instant('When it was.').optional(),
  })
  .describe('Of an agent of shape service: how it stands.');

/** Reasons of the conditions Ready and Available of an Agent of shape service, each with its meaning. */
export const AGENT_SERVICE_REASONS = {
  /** The active revision is rolled out, and as many pods as there should be take requests. */
  Available: 'Available',
  /** What it is made of is being made, changed or rolled out. */
  Progressing: 'Progressing',
  /** What an Agent of the same name left, or what is being deleted, must go first. */
  Replacing: 'Replacing',
  /** Pods of it do not come to take requests: the message says why. */
  Unavailable: 'Unavailable',
  /** The tenant's quota has no room for its pods: the message says for how much. */
  QuotaExceeded: 'QuotaExceeded',
  /** The API server, a policy, or a ResourceQuota of somebody else refuses its pods. */
  PodsRefused: 'PodsRefused',
  /** It is to have no pods: service.replicas.min is 0. */
  ScaledToZero: 'ScaledToZero',
  /** Something of its name is there that NexusOS did not make for it. */
  NameTaken: 'NameTaken',
  /** The API server, or a policy, refuses a write that it needs. */
  WriteRefused: 'WriteRefused',
  /** Autoscaling by processor time needs a request of it. */
  NothingToScaleBy: 'NothingToScaleBy',
} as const;

/** Service of an Agent after defaulting. */
export type ServiceSpec = z.output<typeof service>;
/** What is said of it. */
export type ServiceStatus = z.output<typeof serviceStatus>;
