// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { ANNOTATIONS, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import type { KubeObject, Resource } from '../object.ts';
import { FINDING_RESULTS, type FindingResult, type ScanFinding } from './verdict.ts';

/** Where reports are written, if the cluster has them: the kinds are those of the OpenReports project. */
export const REPORTS: Resource = {
  apiVersion: 'openreports.io/v1alpha1',
  kind: 'Report',
  plural: 'reports',
  namespaced: true,
};

/** Results that one report tells; the others are counted. */
export const MAX_RESULTS = 100;
const MAX_NAME = 253;

/** The pack that a report is of. */
export interface ReportedPack {
  readonly namespace: string;
  readonly name: string;
  readonly revision: string;
  readonly version: string;
}

/** An object, and something that is said against it. */
export interface ScanResult extends ScanFinding {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid?: string | undefined;
}

/** What a pack says of all objects of a namespace; keeps the first results in the order of a report, and counts the rest. */
export class NamespaceTally {
  readonly #counts: Record<FindingResult, number> = { fail: 0, error: 0, warn: 0, skip: 0 };
  #results: ScanResult[] = [];
  #passed = 0;

  /** One object more, with all that is said against it. */
  add(
    object: Pick<ScanResult, 'apiVersion' | 'kind' | 'name' | 'uid'>,
    findings: readonly ScanFinding[],
  ): void {
    if (findings.length === 0) this.#passed += 1;
    for (const one of findings) {
      this.#counts[one.result] += 1;
      this.#results.push({ ...object, ...one });
    }
    // Not at each one: that would be a sort for each object.
    if (this.#results.length > 4 * MAX_RESULTS) this.#cut();
  }

  get counts(): Readonly<Record<FindingResult | 'pass', number>> {
    return { ...this.#counts, pass: this.#passed };
  }

  get results(): readonly ScanResult[] {
    this.#cut();
    return this.#results;
  }

  #cut(): void {
    this.#results = this.#results.toSorted(byGravity).slice(0, MAX_RESULTS);
  }
}

/**
 * The report of a pack on a namespace; undefined where there is nothing to tell. No times: one would change with every scan, though nothing
 * else has.
 */
export function reportOf(
  pack: ReportedPack,
  namespace: string,
  tally: NamespaceTally,
): KubeObject | undefined {
  const { results, counts } = tally;
  if (results.length === 0) return undefined;
  const { pass, fail, warn, error, skip } = counts;
  return {
    apiVersion: REPORTS.apiVersion,
    kind: REPORTS.kind,
    metadata: {
      name: reportName(pack),
      namespace,
      labels: { [LABELS.managedBy]: MANAGED_BY, [LABELS.pack]: pack.name },
      annotations: { [ANNOTATIONS.reportOf]: `${pack.namespace}/${pack.name}` },
    },
    source: MANAGED_BY,
    configuration: { limits: { maxResults: MAX_RESULTS } },
    summary: { pass, fail, warn, error, skip },
    results: results.map((one) => resultOf(pack, namespace, one)),
  };
}

/** What the report of a pack is called in every namespace: packs of one name are in several. */
export function reportName({ namespace, name }: Pick<ReportedPack, 'namespace' | 'name'>): string {
  const suffix = createHash('sha256').update(`${namespace}/${name}`).digest('hex').slice(0, 8);
  return `nexusos-${name}-${suffix}`.slice(0, MAX_NAME);
}

function resultOf(pack: ReportedPack, namespace: string, one: ScanResult) {
  const { apiVersion, kind, name, uid, rule, result, message, exemption } = one;
  return {
    policy: `${pack.namespace}/${pack.name}`,
    rule,
    result,
    scored: result === 'fail',
    message,
    resources: [{ apiVersion, kind, namespace, name, ...(uid !== undefined && { uid }) }],
    properties: {
      revision: pack.revision,
      version: pack.version,
      ...(exemption !== undefined && { exemption }),
    },
  };
}

function byGravity(a: ScanResult, b: ScanResult): number {
  const grave = FINDING_RESULTS.indexOf(a.result) - FINDING_RESULTS.indexOf(b.result);
  return grave !== 0 ? grave : order(placeOf(a), placeOf(b));
}

function placeOf({ kind, name, rule, message }: ScanResult): string {
  return JSON.stringify([kind, name, rule, message]);
}

function order(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
