// SPDX-License-Identifier: Apache-2.0
import type { ReportedUsage } from '#crds/v1alpha1/run-result';
import type { PodUse, Rate } from '#crds/v1alpha1/run-usage';
import { FORMULA } from '../amounts.ts';

const START = Date.parse('2026-11-21T12:00:00Z');

/** A rate that holds nothing, but for what a case says. */
export function makeRate(rate: Partial<Rate> = {}): Rate {
  return {
    formula: FORMULA,
    tier: 'standard',
    tierPercent: 100,
    cpuMillicores: 0,
    memoryBytes: 0,
    maxSeconds: 2_592_000,
    ...rate,
  };
}

/** A container that ran for `seconds`, and what it reported. */
export function makeUse(seconds: number, reported?: ReportedUsage): PodUse {
  return {
    uid: 'pod-uid',
    startedAt: new Date(START).toISOString(),
    finishedAt: new Date(START + seconds * 1000).toISOString(),
    basis: 'ContainerStatus',
    ...(reported !== undefined && { reported }),
  };
}
