// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import type { RunStatus } from '#crds/v1alpha1/run';
import { defined, type KubeObject } from '../object.ts';
import { attemptsOf, childName, identityOf, type Run } from './run.ts';
import { admittedStatus } from './status.ts';

/** What a Run was admitted by, as its pod keeps it until the Run says so itself: what is fixed then, and when that was. */
export interface AdmissionRecord extends Pick<RunStatus, 'gpu' | 'retries'> {
  readonly atMs: number;
  readonly revision: NonNullable<RunStatus['revision']>;
  readonly open: NonNullable<NonNullable<RunStatus['usage']>['open']>;
}

/** A pod of an attempt of which its Run does not tell yet, and what it says of the admission. */
export interface Early {
  readonly pod: KubeObject;
  readonly record: AdmissionRecord;
}

/** The name that the pod of the next attempt of `run` has. */
export function nextChildName(run: Run): string {
  return childName(identityOf(run), attemptsOf(run) + 1);
}

/**
 * Workload that is made before `status` says that the Run is admitted: the pod says it until then. What decided on the admission is the
 * ledger, and the name of the pod makes it the only one. Undefined where more than the pod is made, which has to be made out of the same.
 */
export function madeFirst(
  workload: readonly KubeObject[],
  { revision, gpu, retries, usage }: RunStatus,
  now: Date,
): readonly KubeObject[] | undefined {
  const [pod, ...others] = workload;
  const open = usage?.open;
  if (pod === undefined || others.length > 0 || revision === undefined || open === undefined)
    return undefined;
  const record: AdmissionRecord = {
    atMs: now.getTime(),
    revision,
    open,
    ...defined({ gpu, retries }),
  };
  const annotations = { ...pod.metadata.annotations, [ANNOTATIONS.admission]: JSON.stringify(record) };
  return [{ ...pod, metadata: { ...pod.metadata, annotations } }];
}

/** The Run as it is by what its pod says: admitted. */
export function admittedBy(run: Run, { record }: Early): Run {
  const { atMs, open, revision, gpu, retries } = record;
  const { rate, reservation: serial } = open;
  const facts = {
    revision,
    rate,
    attempt: attemptsOf(run) + 1,
    childName: nextChildName(run),
    ...defined({ serial, gpu, retries }),
  };
  return { ...run, status: admittedStatus(run, facts, new Date(atMs)) };
}
