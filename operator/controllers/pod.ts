// SPDX-License-Identifier: Apache-2.0
import { FINALIZERS, LABELS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../core/object.ts';
import { statusOnly } from '../core/plan.ts';
import { planLeave, type PodObserved } from '../core/run/leave.ts';
import type { Run } from '../core/run/run.ts';
import type { Ledger } from '../core/tenant/tenant.ts';
import { type Controller, type Key, keyOf, type Reader } from '../runtime/controller.ts';
import { QUOTA_LEDGERS, RUNS } from '../core/resources.ts';
import { INDEX, ledgerOf, namespacesOf, OF_RUNS, PODS, podsOf, reservationIn } from './shared/workloads.ts';

/**
 * The controller of pods of Runs that are being deleted: it lets them go when their end is known, or nobody is left who would want to know.
 * Here, and not with Runs, since these may be gone by then.
 */
export function podController(): Controller<KubeObject, PodObserved, undefined> {
  return {
    name: 'pod',
    resource: PODS,
    selects: OF_RUNS,
    watches: [
      { resource: RUNS, keys: goingPodsOf },
      { resource: QUOTA_LEDGERS, keys: releasedPodsOf },
    ],
    rbac: [],
    finalizer: FINALIZERS.pod,
    finalizesOnly: true,
    group: (pod, read) => ledgerOf(read, pod.metadata.namespace ?? '')?.metadata.name,
    observe,
    plan: () => statusOnly(undefined),
    finalize: planLeave,
  };
}

async function observe({ metadata }: KubeObject, read: Reader): Promise<PodObserved> {
  const { namespace = '', labels = {} } = metadata;
  const name = labels[LABELS.run] ?? '';
  const uid = labels[LABELS.runUid] ?? '';
  const ledger = ledgerOf(read, namespace);
  const isReserved = ledger !== undefined && reservationIn(ledger, uid) !== undefined;
  const ofUid = (run: KubeObject | undefined) => (run?.metadata.uid === uid ? (run as Run) : undefined);
  const seen = ofUid(read.get(RUNS, { namespace, name }));
  // Of one that is gone, as it seems, the ledger decides first, and asks the API server itself.
  if (seen !== undefined || isReserved) return { run: seen, isReserved };
  return { run: ofUid(await read.live(RUNS, { namespace, name })), isReserved };
}

/** What has become of a Run, or that it is gone. */
function goingPodsOf({ metadata: { namespace = '', uid = '' } }: KubeObject, read: Reader): readonly Key[] {
  return podsOf(read, { namespace, uid })
    .filter((pod) => pod.metadata.deletionTimestamp !== undefined)
    .map((pod) => keyOf(pod));
}

/** Those of Runs that are gone, and hold no reservation any more. */
function releasedPodsOf(object: KubeObject, read: Reader): readonly Key[] {
  // Of an older version the namespaces, and of the present one the reservations: one write may take away the last of both.
  const present = read.get(QUOTA_LEDGERS, keyOf(object)) as Ledger | undefined;
  const isReserved = (uid: string) => present !== undefined && reservationIn(present, uid) !== undefined;
  return namespacesOf(object as Ledger)
    .flatMap((value) => read.list(PODS, { index: INDEX.goingIn, value }))
    .filter(({ metadata: { namespace = '', labels = {} } }) => {
      const isThere = read.get(RUNS, { namespace, name: labels[LABELS.run] ?? '' }) !== undefined;
      return !isThere && !isReserved(labels[LABELS.runUid] ?? '');
    })
    .map((pod) => keyOf(pod));
}
