// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import type { NamespaceFacts } from './facts.ts';
import { type LabelSelector, selects } from './selector.ts';

/** Shares are told apart to a hundredth of a percent. */
const BUCKETS = 10_000;

/** Where a request stands in a rollout. */
export interface CohortSubject {
  readonly tenant: string | undefined;
  readonly namespace: NamespaceFacts | undefined;
}

/** How far a rollout has come. */
export interface CohortStage {
  readonly packUid: string;
  readonly percent: number;
  readonly critical?: LabelSelector | undefined;
}

/**
 * The place of a namespace in the order in which a pack reaches namespaces, from 0 to 9,999. It follows from names alone, so all replicas
 * agree on it without a word, and it stays; and from the pack, so the same tenant is not the first to try everything.
 */
export function bucketOf(packUid: string, { tenant, namespace }: CohortSubject): number {
  const name = JSON.stringify([packUid, tenant ?? '', namespace?.name ?? '']);
  return createHash('sha256').update(name).digest().readUInt32BE(0) % BUCKETS;
}

/**
 * Whether the new revision decides for a request. A larger percent only ever adds: nobody goes back and forth while a rollout goes
 * on. Critical namespaces come last: at 100.
 */
export function isInCohort({ packUid, percent, critical }: CohortStage, subject: CohortSubject): boolean {
  if (percent >= 100) return true;
  if (critical !== undefined && selects(critical, subject.namespace?.labels ?? {})) return false;
  return bucketOf(packUid, subject) < percent * (BUCKETS / 100);
}
