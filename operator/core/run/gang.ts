// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import type { KubeObject, ObjectMeta } from '../object.ts';
import type { Unmounted } from './unmounted.ts';
import {
  attemptsOf,
  identityOf,
  isOwnedBy,
  memberName,
  type Run,
  type RunIdentity,
  uidDigest,
} from './run.ts';

/** One of the pods of a Run of many. */
export interface Member {
  readonly index: number;
  readonly pod: KubeObject;
  /** What its node could not mount for it lately. */
  readonly unmounted?: Unmounted | undefined;
}

/** Whether the present attempt of a Run has many pods. Of a Run that waits it is not told. */
export function isGang({ status }: Run): boolean {
  return status?.gang !== undefined;
}

/** The attempt that a pod says to be of; undefined of a Run of one pod, where its name says it. */
export function attemptLabelOf({ metadata }: KubeObject): number | undefined {
  const attempt = metadata.labels?.[LABELS.attempt];
  return attempt === undefined ? undefined : Number(attempt);
}

/** The index that a pod says to have. */
export function indexOf({ metadata }: KubeObject): number {
  return Number(metadata.labels?.[LABELS.index]);
}

/** Whether a pod has the name of that attempt and the index that it says to be of. */
export function isNamedAsSaid(pod: KubeObject, identity: RunIdentity): boolean {
  const attempt = attemptLabelOf(pod);
  return attempt !== undefined && pod.metadata.name === memberName(identity, attempt, indexOf(pod));
}

/** Those of `pods` that are of the present attempt of a Run of many, by index. */
export function membersOf(run: Run, pods: readonly KubeObject[]): readonly Member[] {
  const identity = identityOf(run);
  return pods
    .filter(
      (pod) => attemptLabelOf(pod) === attemptsOf(run) && isNamedAsSaid(pod, identity) && isOurs(pod, run),
    )
    .map((pod) => ({ index: indexOf(pod), pod }))
    .toSorted((a, b) => a.index - b.index);
}

/** Once all were seen made, they need no owner: an orphan deletion of the Run takes that off pods which still run. */
function isOurs(pod: KubeObject, run: Run): boolean {
  if (isOwnedBy(pod, run)) return true;
  return run.status?.child?.uid !== undefined && pod.metadata.labels?.[LABELS.runUid] === run.metadata.uid;
}

/**
 * The name of the Service by which the pods of a Run find each other. Its prefix is ours alone, and it begins with a letter, as that of a
 * Run need not.
 */
export function gangServiceName({ uid }: RunIdentity): string {
  return `nexusos-gang-${uidDigest(uid)}`;
}

/**
 * Gives each pod of a Run a name in the DNS of the cluster, as soon as it has an address. One for all attempts: their pods have names of
 * their own.
 */
export function gangService(identity: RunIdentity, metadata: ObjectMeta): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...metadata, name: gangServiceName(identity) },
    spec: {
      clusterIP: 'None',
      // They meet before anybody could call them ready.
      publishNotReadyAddresses: true,
      selector: { [LABELS.runUid]: identity.uid },
    },
  };
}

/** Which pod of how many it is that something is made for. */
export interface Seat {
  readonly index: number;
  readonly pods: number;
  readonly attempt: number;
  readonly namespace: string;
}

/** Variables by which a pod knows its place among the others, and where to find the first. */
export function rendezvous(identity: RunIdentity, { index, pods, attempt, namespace }: Seat) {
  const leader = `${memberName(identity, attempt, 0)}.${gangServiceName(identity)}.${namespace}.svc`;
  return [
    { name: 'NEXUSOS_INDEX', value: String(index) },
    { name: 'NEXUSOS_WORKERS', value: String(pods) },
    { name: 'NEXUSOS_LEADER', value: leader },
  ];
}
