// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { sumOfMetric } from './metric-text.ts';

const TEXT = `# HELP requests_total Answers.
# TYPE requests_total counter
requests_total{verb="create",code="2xx"} 3
requests_total{verb="get",code="2xx"} 100
requests_total{verb="create",code="4xx"} 1.5e1
requests_total_of_others{verb="create"} 1000
up 1
`;

const isCreate = (labels: string): boolean => labels.includes('verb="create"');

const table: Record<string, { metric: string; counts?: typeof isCreate; want: number }> = {
  'samples whose labels count are added': { metric: 'requests_total', counts: isCreate, want: 18 },
  'of all labels': { metric: 'requests_total', want: 118 },
  'one that has no labels': { metric: 'up', want: 1 },
  'one that is not there': { metric: 'requests', want: 0 },
};

for (const [name, { metric, counts = () => true, want }] of Object.entries(table)) {
  test(`sumOfMetric: ${name}`, (t) => t.is(sumOfMetric(TEXT, metric, counts), want));
}
