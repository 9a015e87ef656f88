// SPDX-License-Identifier: Apache-2.0
import { ANY, type LabelSpec, MetricFactory, type MetricSpec } from '#operator/telemetry/metric';
import { createMetrics } from '#operator/telemetry/metrics';
import { imageMetrics } from '#webhooks/images/metrics';
import { admissionMetrics } from '#webhooks/metrics';
import { packMetrics } from '#webhooks/packs/metrics';
import type { GeneratedFile } from '../file.ts';
import { code, pageHead, table } from './markdown.ts';

/** The page of every metric that the operator declares, and of those that the admission process has beside the common ones. */
export function metricsPage(): GeneratedFile {
  const factory = new MetricFactory();
  admissionMetrics(factory);
  packMetrics(factory);
  imageMetrics(factory, { believed: () => 0, untrusted: () => 0, wanted: () => 0 });
  const text = [
    pageHead('Metrics', 'operator/telemetry/metrics.ts and webhooks/metrics.ts'),
    'Served at `/metrics` in the Prometheus format, beside those of the Node process (`nodejs_*`, `process_*`). No label holds the name of an object.\n',
    metricTable(createMetrics().declared),
    '## Of the admission process alone\n',
    metricTable(factory.declared),
  ].join('\n');
  return { path: 'docs/reference/metrics.md', text };
}

function metricTable(metrics: readonly MetricSpec<LabelSpec>[]): string {
  const rows = metrics.map((metric) => [code(metric.name), labelText(metric.labels), metric.help]);
  return table(['metric', 'labels', 'what it counts'], rows);
}

function labelText(labels: LabelSpec): string {
  return Object.entries(labels)
    .map(([name, values]) => (values === ANY ? code(name) : `${code(name)}: ${values.join(', ')}`))
    .join('; ');
}
