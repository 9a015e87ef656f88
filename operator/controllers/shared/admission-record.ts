// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import { RUN } from '#crds/v1alpha1/run';
import type { KubeObject } from '../../core/object.ts';
import {
  type AdmissionRecord,
  admittedBy,
  type Early,
  nextChildName,
} from '../../core/run/admission-record.ts';
import { isOwnedBy, phaseOf, type Run } from '../../core/run/run.ts';
import { keyOf, type Reader } from '../../runtime/controller.ts';
import { ledgerOf, PODS, reservationIn } from './workloads.ts';

const { revision, gpu, retries, usage } = RUN.status.shape;

const RECORD = z.object({
  atMs: z.int(),
  revision: revision.unwrap(),
  open: usage.unwrap().shape.open.unwrap(),
  gpu,
  retries,
});

/** The pod of the next attempt of a Run that waits, as far as a watch knows one. */
export interface NextPod {
  /** With what it was made by; undefined where there is no such pod, or it does not say that. */
  readonly early: Early | undefined;
  readonly isMade: boolean;
}

const NO_POD: NextPod = { early: undefined, isMade: false };

/** Looks for a pod that was made before its Run says so. Where no tenant is, none was, whoever says so. */
export function nextPodOf(run: Run, read: Reader): NextPod {
  if (phaseOf(run) !== 'Queued') return NO_POD;
  // Most have none, and this is asked of all that wait.
  const pod = read.get(PODS, { ...keyOf(run), name: nextChildName(run) });
  if (pod === undefined || ledgerOf(read, run.metadata.namespace ?? '') === undefined) return NO_POD;
  return nextPodIn(pod, run);
}

/**
 * The same, by a direct read where a Run that holds a place is to end, or to pause, before it says that it is admitted: it gives that place
 * back, and a pod that another operator has just made may not be in the watch yet.
 */
export async function findNextPod(run: Run, read: Reader): Promise<NextPod> {
  const seen = nextPodOf(run, read);
  return seen.isMade || phaseOf(run) !== 'Queued' || !isToEnd(run) ? seen : readNextPod(run, read);
}

/**
 * The pod of the next attempt of a Run that holds a place, as the API server itself has it: for who is about to give that place away.
 *
 * @throws ApiError when the API server cannot say.
 */
export async function readNextPod(run: Run, read: Reader): Promise<NextPod> {
  const { namespace = '', uid = '' } = run.metadata;
  const ledger = ledgerOf(read, namespace);
  if (ledger === undefined || reservationIn(ledger, uid) === undefined) return NO_POD;
  const pod = await read.live(PODS, { ...keyOf(run), name: nextChildName(run) });
  return pod === undefined ? NO_POD : nextPodIn(pod, run);
}

function nextPodIn(pod: KubeObject, run: Run): NextPod {
  if (!isOwnedBy(pod, run)) return NO_POD;
  const record = recordIn(pod);
  return { early: record && { pod, record }, isMade: true };
}

function isToEnd({ spec, metadata }: Run): boolean {
  return spec.cancel || spec.suspend || metadata.deletionTimestamp !== undefined;
}

/** The Run as its pod knows it: admitted, where that was made before the Run says so. */
export function asItsPodSays(run: Run, read: Reader): Run {
  const { early } = nextPodOf(run, read);
  return early === undefined ? run : admittedBy(run, early);
}

function recordIn({ metadata }: KubeObject): AdmissionRecord | undefined {
  const text = metadata.annotations?.[ANNOTATIONS.admission];
  if (text === undefined) return undefined;
  try {
    return RECORD.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
