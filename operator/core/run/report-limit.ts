// SPDX-License-Identifier: Apache-2.0
import type { ReportedUsage } from '#crds/v1alpha1/run-result';
import type { PodUse } from '#crds/v1alpha1/run-usage';

/** The most that is believed of a container for each second that it ran, or a part of one; far beyond what agents do. */
const PER_SECOND = {
  inputTokens: 1_000_000,
  outputTokens: 1_000_000,
  toolCalls: 100,
  sandboxCalls: 100,
} as const satisfies Record<keyof ReportedUsage, number>;

const KEYS = Object.keys(PER_SECOND) as readonly (keyof ReportedUsage)[];

/** How long a container ran, and the most that any of its attempt can have run. */
interface Span extends Pick<PodUse, 'startedAt' | 'finishedAt'> {
  readonly maxSeconds: number;
}

/**
 * What a container has reported, as far as its time allows it: its words are its own, its times are the kubelet's. So no container uses
 * up in a moment what its tenant has for a month.
 */
export function limitReport(
  reported: ReportedUsage | undefined,
  { startedAt, finishedAt, maxSeconds }: Span,
): ReportedUsage | undefined {
  if (reported === undefined) return undefined;
  const ranSeconds = Math.floor((Date.parse(finishedAt) - Date.parse(startedAt)) / 1000);
  // Times are told in whole seconds: what began in one and ended in the next may have run for less than two.
  const seconds = Math.min(Math.max(ranSeconds, 0), maxSeconds) + 1;
  const kept = KEYS.flatMap((key) => {
    const count = reported[key];
    return count === undefined ? [] : [[key, Math.min(count, PER_SECOND[key] * seconds)] as const];
  });
  return Object.fromEntries(kept);
}

/**
 * What is to be said, after something else, of an attempt of which a container has reported more than is counted; nothing of others.
 * `said` is what the container said, `uses` what is counted.
 */
export function cutNote(said: ReportedUsage | undefined, uses: readonly PodUse[]): string {
  const isCut = uses.some(
    ({ reported }) => said !== undefined && reported !== undefined && !isWhole(said, reported),
  );
  if (!isCut) return '';
  const { toolCalls, inputTokens } = PER_SECOND;
  return `; it reported more usage than its time allows, and only so much is counted: ${toolCalls} calls and ${inputTokens} tokens of a kind for each second`;
}

function isWhole(reported: ReportedUsage, counted: ReportedUsage): boolean {
  return KEYS.every((key) => reported[key] === counted[key]);
}
