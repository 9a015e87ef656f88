// SPDX-License-Identifier: Apache-2.0
import type { MetricFactory } from '#operator/telemetry/metric';

const OUTCOMES = ['admitted', 'refused', 'unknown', 'pending', 'warned'] as const;

/** What became of a pod by its images. */
export type ImagesOutcome = (typeof OUTCOMES)[number];

/** What judging images counts. */
export type ImageMetrics = ReturnType<typeof imageMetrics>;

/** Declares the metrics of judging images. */
export function imageMetrics(
  factory: MetricFactory,
  counted: {
    readonly believed: () => number;
    readonly untrusted: () => number;
    readonly wanted: () => number;
  },
) {
  factory.gauge(
    {
      name: 'nexusos_admission_image_verdicts',
      help: 'Verdicts on images that are believed: signed by the operator, and of the namespace that they are in.',
      labels: {},
    },
    counted.believed,
  );
  factory.gauge(
    {
      name: 'nexusos_admission_image_verdicts_untrusted',
      help: 'Verdicts on images that are there and not believed: not signed by a key of the operator, or of another namespace.',
      labels: {},
    },
    counted.untrusted,
  );
  factory.gauge(
    {
      name: 'nexusos_admission_images_wanted',
      help: 'Images that were asked for, and of which nothing is known yet.',
      labels: {},
    },
    counted.wanted,
  );
  return {
    pods: factory.counter({
      name: 'nexusos_admission_image_decisions_total',
      help: 'Requests for pods with images that a policy is about, by what became of them for that.',
      labels: { outcome: OUTCOMES },
    }),
  };
}
