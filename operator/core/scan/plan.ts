// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import type { PolicyPackStatus } from '#crds/v1alpha1/policy-pack';
import type { KubeObject } from '../object.ts';
import { DONE, type Plan, removalOf, type Result, statusOnly } from '../plan.ts';

/** What is known of what a pack says of what exists. */
export interface ScanObserved {
  /** undefined: not known yet. Empty where no revision decides. */
  readonly reports: readonly KubeObject[] | undefined;
  /** false: some of it could not be read, so what is not told is not known to be gone. */
  readonly complete: boolean;
  /** Reports of the pack that are there, their metadata at least; undefined where the cluster has no such kind. */
  readonly written: readonly KubeObject[] | undefined;
  /** When to ask again. */
  readonly againMs: number | undefined;
}

/** The pack that a Report is of, as namespace/name. */
export function packOfReport({ metadata }: Pick<KubeObject, 'metadata'>): string | undefined {
  return metadata.annotations?.[ANNOTATIONS.reportOf];
}

/**
 * Writes what a pack says, one Report for each namespace, and removes those that say nothing any more. The pack itself is left as it is: how
 * it stands is no matter of what exists.
 */
export function planScan(
  status: PolicyPackStatus | undefined,
  { reports, complete, written, againMs }: ScanObserved,
): Plan<PolicyPackStatus | undefined> {
  const result: Result =
    againMs === undefined
      ? DONE
      : { kind: 'requeueAfter', afterMs: againMs, why: 'what exists is gone over again and again' };
  if (reports === undefined || written === undefined) return statusOnly(status, result);
  const places = new Set(reports.map(placeOf));
  const gone = complete ? written.filter((one) => !places.has(placeOf(one))) : [];
  return { ...statusOnly(status, result), apply: reports, remove: gone.map(removalOf) };
}

function placeOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}
