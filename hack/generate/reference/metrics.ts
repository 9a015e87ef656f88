// SPDX-License-Identifier: Apache-2.0
import { ANY, type LabelSpec } from '#operator/telemetry/metric';
import { createMetrics } from '#operator/telemetry/metrics';
import type { GeneratedFile } from '../file.ts';
import { code, pageHead, table } from './markdown.ts';

/** The page of every metric that the operator declares. */
export function metricsPage(): GeneratedFile {
  const rows = createMetrics().declared.map((metric) => [
    code(metric.name),
    labelText(metric.labels),
    metric.help,
  ]);
  const text = [
    pageHead('Metrics', 'operator/telemetry/metrics.ts'),
    'Served at `/metrics` in the Prometheus format, beside those of the Node process (`nodejs_*`, `process_*`). No label holds the name of an object.\n',
    table(['metric', 'labels', 'what it counts'], rows),
  ].join('\n');
  return { path: 'docs/reference/metrics.md', text };
}

function labelText(labels: LabelSpec): string {
  return Object.entries(labels)
    .map(([name, values]) => (values === ANY ? code(name) : `${code(name)}: ${values.join(', ')}`))
    .join('; ');
}
