// SPDX-License-Identifier: Apache-2.0
import { type ReportedUsage, reportedUsage } from '#crds/v1alpha1/run-result';

const KEYS = Object.keys(reportedUsage.shape) as (keyof ReportedUsage)[];

/** The sum of what was reported, each count up to `most`; undefined for nothing. */
export function addCounts(
  before: ReportedUsage = {},
  more: ReportedUsage = {},
  most: number,
): ReportedUsage | undefined {
  const sums = KEYS.filter((key) => before[key] !== undefined || more[key] !== undefined).map(
    (key) => [key, Math.min((before[key] ?? 0) + (more[key] ?? 0), most)] as const,
  );
  return sums.length === 0 ? undefined : Object.fromEntries(sums);
}
