// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS } from '#crds/v1alpha1/run';
import { truncate } from '../conditions.ts';
import { KUEUE_GROUP, KUEUE_MARKS, type KueueSettings } from '../kueue/kueue.ts';
import type { Condition, KubeObject } from '../object.ts';
import type { Run } from './run.ts';
import type { Cause } from './status.ts';

/** What Kueue says of a Run; only where it is served. */
export interface Capacity {
  readonly kueue: KueueSettings;
  /** Its Workload for the pod of the Run, as far as there is one. */
  readonly workload?: KubeObject | undefined;
}

const MAX_WORDS = 512;
/** What is admitted within this time is not worth a write; nor are words of Kueue that have just changed. */
const FIRST_WORDS_MS = 2000;
const OTHER_WORDS_MS = 30_000;

const WAITS = 'its quota is reserved, and it waits for Kueue to admit its pod';

/** Why a Run waits that has passed the first gate. */
export function waitsForCapacity(words?: string): Cause {
  const message = words === undefined ? WAITS : `${WAITS}: ${truncate(words, MAX_WORDS)}`;
  return { reason: RUN_REASONS.WaitingForCapacity, message };
}

/** Why a Run goes back to the queue whose pod waits for what is not there any more. */
export const KUEUE_GONE: Cause = {
  reason: RUN_REASONS.KueueMissing,
  message:
    'Kueue, which was to admit its pod, is not there any more, or is not used any more; it goes back to the queue and spends no retry',
};

/** Whether a pod waits for Kueue. */
export function isGated({ spec }: KubeObject): boolean {
  const { schedulingGates = [] } = (spec ?? {}) as {
    readonly schedulingGates?: readonly { readonly name: string }[];
  };
  // It has another one for pods that are placed by topology, and takes that off when their place is known.
  return schedulingGates.some(({ name }) => name.startsWith(`${KUEUE_GROUP}/`));
}

/** Whether a pod was made to wait for Kueue, and so was there for long, maybe, before it could start. */
export function hasWaited({ metadata }: KubeObject): boolean {
  return metadata.labels?.[KUEUE_MARKS.queue] !== undefined;
}

interface WorkloadStatus {
  readonly conditions?: readonly Condition[];
  readonly admissionChecks?: readonly {
    readonly name: string;
    readonly state: string;
    readonly message?: string;
  }[];
}

/** What Kueue says of a pod that it has not admitted, in its own words. */
export function wordsOfKueue(pod: KubeObject, workload: KubeObject | undefined): string {
  if (workload === undefined) {
    return pod.metadata.labels?.[KUEUE_MARKS.managed] === 'true'
      ? 'it has not looked at it yet'
      : 'it has not taken it up; is its integration of pods on, and does it manage this namespace?';
  }
  const status = (workload['status'] ?? {}) as WorkloadStatus;
  const told =
    conditionOf(status, 'QuotaReserved', 'False') ??
    conditionOf(status, 'Evicted', 'True') ??
    conditionOf(status, 'Admitted', 'False');
  return (
    checksOf(status) ?? (told === undefined ? 'it has not decided yet' : `${told.reason}: ${told.message}`)
  );
}

/** What is left to be checked of what has quota; undefined where nothing is, or there is no quota. */
function checksOf(status: WorkloadStatus): string | undefined {
  const open = (status.admissionChecks ?? []).filter(({ state }) => state !== 'Ready');
  if (open.length === 0 || conditionOf(status, 'QuotaReserved', 'True') === undefined) return undefined;
  const checks = open.map(({ name, state, message = '' }) => `${name} is ${state} ${message}`.trim());
  return `it has quota, and admission checks are open: ${checks.join('; ')}`;
}

function conditionOf(
  { conditions = [] }: WorkloadStatus,
  type: string,
  status: string,
): Condition | undefined {
  return conditions.find((one) => one.type === type && one.status === status);
}

/** When the status of a Run that waits for Kueue is to say `words`, in milliseconds from now; undefined where it says so. */
export function wordsDueMs(
  { status }: Run,
  { words, madeAt = '' }: { readonly words: string; readonly madeAt: string | undefined },
  now: Date,
): number | undefined {
  const told = status?.queue;
  if (told?.message === waitsForCapacity(words).message && status?.child?.uid !== undefined) return undefined;
  const isFirst = told === undefined || told.message === WAITS;
  const dueMs = isFirst ? Date.parse(madeAt) + FIRST_WORDS_MS : Date.parse(told.updatedAt) + OTHER_WORDS_MS;
  return Math.max(0, dueMs - now.getTime());
}
