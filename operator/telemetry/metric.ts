// SPDX-License-Identifier: Apache-2.0
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Values that a label may take: a closed list, or `ANY` for names that are few by nature (our controllers). */
export type LabelValues = readonly string[] | typeof ANY;
/** A label whose values are not listed. Never for the name of an object. */
export const ANY = 'any';

/** Labels of a metric, by name. */
export type LabelSpec = Readonly<Record<string, LabelValues>>;
/** One value for each label of `Spec`; a value off the list does not compile. */
export type Labels<Spec extends LabelSpec> = {
  readonly [Name in keyof Spec]: Spec[Name] extends readonly (infer Value)[] ? Value & string : string;
};

/** Everything that is said about a metric, once. */
export interface MetricSpec<Spec extends LabelSpec> {
  /** Prometheus name, with unit: `_total`, `_seconds`, `_bytes`. */
  readonly name: string;
  readonly help: string;
  readonly labels: Spec;
}

/** A number that only grows. */
export interface CounterMetric<Spec extends LabelSpec> {
  inc(labels: Labels<Spec>, by?: number): void;
}

/** A number that goes up and down. */
export interface GaugeMetric<Spec extends LabelSpec> {
  set(labels: Labels<Spec>, value: number): void;
}

/** A distribution. */
export interface HistogramMetric<Spec extends LabelSpec> {
  observe(labels: Labels<Spec>, value: number): void;
}

/**
 * Declares metrics in one registry. Known label values start at 0, so that a rate over them is right from the
 * first increment.
 */
export class MetricFactory {
  readonly registry: Registry;
  /** Everything declared, in order: the source of the reference page. */
  readonly declared: MetricSpec<LabelSpec>[] = [];

  constructor(registry: Registry = new Registry()) {
    this.registry = registry;
  }

  /** A counter; its name ends in `_total`. */
  counter<const Spec extends LabelSpec>(spec: MetricSpec<Spec>): CounterMetric<Spec> {
    const metric = new Counter({ ...this.#options(spec), registers: [this.registry] });
    for (const labels of knownLabels(spec.labels)) metric.inc(labels, 0);
    return { inc: (labels, by = 1) => metric.inc(mutable(labels), by) };
  }

  /** A gauge. With `collect`, it is computed whenever somebody reads. */
  gauge<const Spec extends LabelSpec>(spec: MetricSpec<Spec>, collect?: () => number): GaugeMetric<Spec> {
    const metric = new Gauge({
      ...this.#options(spec),
      registers: [this.registry],
      ...(collect !== undefined && {
        collect() {
          this.set(collect());
        },
      }),
    });
    for (const labels of knownLabels(spec.labels)) metric.set(labels, 0);
    return { set: (labels, value) => metric.set(mutable(labels), value) };
  }

  /** A histogram; `buckets` are upper bounds in the metric's unit. */
  histogram<const Spec extends LabelSpec>(
    spec: MetricSpec<Spec>,
    buckets: readonly number[],
  ): HistogramMetric<Spec> {
    const metric = new Histogram({
      ...this.#options(spec),
      buckets: [...buckets],
      registers: [this.registry],
    });
    return { observe: (labels, value) => metric.observe(mutable(labels), value) };
  }

  #options(spec: MetricSpec<LabelSpec>) {
    this.declared.push(spec);
    return { name: spec.name, help: spec.help, labelNames: Object.keys(spec.labels) };
  }
}

/** Metrics that are written out in one turn of the loop: of one with a distribution for each controller that takes a millisecond. */
export const WRITTEN_IN_A_TURN = 4;

/**
 * All metrics of a registry in the format of Prometheus, as the registry itself writes them, but not in one piece: thousands of lines hold up
 * whatever else waits for the loop for as long as fifty verdicts take. Each metric by itself is told as it is at one moment.
 */
export async function textOf(registry: Registry): Promise<string> {
  const parts: string[] = [];
  for (const { name } of registry.getMetricsAsArray()) {
    parts.push(await registry.getSingleMetricAsString(name));
    if (parts.length % WRITTEN_IN_A_TURN === 0) await new Promise((turn) => setImmediate(turn));
  }
  return `${parts.join('\n\n')}\n`;
}

/** Every combination of the closed labels; none when a label is open. */
function knownLabels(spec: LabelSpec): Record<string, string>[] {
  let combinations: Record<string, string>[] = [{}];
  for (const [name, values] of Object.entries(spec)) {
    if (values === ANY) return [];
    combinations = combinations.flatMap((one) => values.map((value) => ({ ...one, [name]: value })));
  }
  return combinations;
}

function mutable(labels: Readonly<Record<string, string>>): Record<string, string> {
  return { ...labels };
}
