// SPDX-License-Identifier: Apache-2.0

/**
 * The sum of the samples of a metric, in the text format of Prometheus, whose labels `counts` accepts.
 *
 * sumOfMetric('a_total{x="1"} 2\na_total{x="2"} 3', 'a_total', () => true) -> 5
 */
export function sumOfMetric(text: string, metric: string, counts: (labels: string) => boolean): number {
  let sum = 0;
  for (const line of text.split('\n')) {
    const [, name, labels = '', value] = /^([a-zA-Z_:][\w:]*)(\{.*\})? ([^ ]+)/.exec(line) ?? [];
    if (name === metric && counts(labels)) sum += Number(value);
  }
  return sum;
}
