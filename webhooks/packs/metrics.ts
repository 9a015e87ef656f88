// SPDX-License-Identifier: Apache-2.0
import type { MetricFactory } from '#operator/telemetry/metric';

const OUTCOMES = ['allowed', 'warned', 'refused', 'unavailable'] as const;
const SHADOW = ['compared', 'sampled_out', 'not_judged'] as const;
const DROPS = ['queue_full', 'too_large', 'sampled_out', 'write_failed'] as const;

/** How packs together have answered. */
export type PolicyOutcome = (typeof OUTCOMES)[number];
/** What became of a request that two revisions were to be compared on. */
export type ShadowOutcome = (typeof SHADOW)[number];
/** Why an event of the decision log was not written. */
export type LogDrop = (typeof DROPS)[number];

/** What is counted of decisions by packs. */
export type PackMetrics = ReturnType<typeof packMetrics>;

/** Figures of exemptions that count now; they lapse by themselves, so they are asked for when somebody reads. */
export interface ExemptionFigures {
  readonly count: () => number;
  readonly oldestSeconds: () => number;
}

const NONE: ExemptionFigures = { count: () => 0, oldestSeconds: () => 0 };

/** Declares the metrics of decisions by packs. */
export function packMetrics(factory: MetricFactory, exemptions: ExemptionFigures = NONE) {
  return {
    decisions: factory.counter({
      name: 'nexusos_policy_decisions_total',
      help: 'Requests that packs were asked about, by what they came to together.',
      labels: { outcome: OUTCOMES },
    }),
    shadow: factory.counter({
      name: 'nexusos_policy_shadow_total',
      help: 'Requests that two revisions of a pack were to be compared on, by what became of that. Under load some are left out.',
      labels: { outcome: SHADOW },
    }),
    passedOver: factory.counter({
      name: 'nexusos_policy_candidates_passed_over_total',
      help: 'Requests of a cohort on which the candidate gave no answer, so that what is active judged them instead.',
      labels: {},
    }),
    behind: factory.gauge({
      name: 'nexusos_policy_packs_behind',
      help: 'Packs that this replica does not judge by the revision that is active, since it cannot load it.',
      labels: {},
    }),
    packs: factory.gauge({
      name: 'nexusos_policy_packs',
      help: 'Packs that this replica judges by.',
      labels: {},
    }),
    exemptions: factory.gauge(
      {
        name: 'nexusos_policy_exemptions',
        help: 'Exemptions that are approved and have not expired.',
        labels: {},
      },
      exemptions.count,
    ),
    oldestExemption: factory.gauge(
      {
        name: 'nexusos_policy_exemption_oldest_seconds',
        help: 'Age of the oldest exemption that counts; 0 where there is none.',
        labels: {},
      },
      exemptions.oldestSeconds,
    ),
    logged: factory.counter({
      name: 'nexusos_policy_decision_log_events_total',
      help: 'Events that were written to the decision log.',
      labels: {},
    }),
    logDropped: factory.counter({
      name: 'nexusos_policy_decision_log_dropped_total',
      help: 'Events that were not written to the decision log, by why. Refusals are never sampled out.',
      labels: { reason: DROPS },
    }),
  };
}
