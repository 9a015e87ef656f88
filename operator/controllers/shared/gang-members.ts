// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import type { GPUClass } from '../../core/agent/agent.ts';
import { gangServiceName, isGang, type Member, membersOf } from '../../core/run/gang.ts';
import type { KubeObject } from '../../core/object.ts';
import { type MissingDevices, missesDevicesSince } from '../../core/run/no-devices.ts';
import { identityOf, isActive, isOwnedBy, type Run } from '../../core/run/run.ts';
import { type Unmounted, unmountedOf } from '../../core/run/unmounted.ts';
import type { Ledger } from '../../core/tenant/tenant.ts';
import type { Reader } from '../../runtime/controller.ts';
import type { DeviceBook } from './device-book.ts';
import { GPU_CLASSES, SERVICES } from '../../core/resources.ts';
import { CORE_EVENTS, INDEX, PODS, podsOf } from './workloads.ts';

/**
 * The pods of the present attempt of a Run of many. While some are missing that must be there, or are about to be made, only the API
 * server itself can say so. Of a Run of one pod nothing is asked.
 *
 * @throws ApiError when the API server cannot say.
 */
export async function findMembers(run: Run, read: Reader): Promise<readonly Member[]> {
  const { uid = '', namespace = '' } = run.metadata;
  const seen = membersOf(run, podsOf(read, { namespace, uid }));
  const { gang } = run.status ?? {};
  if (gang === undefined || !isActive(run)) return seen;
  const labelSelector = `${LABELS.runUid}=${uid}`;
  const isAll = seen.length >= gang.pods;
  const members = isAll ? seen : membersOf(run, await read.listLive(PODS, { namespace, labelSelector }));
  return members.map((one) => ({ ...one, unmounted: unmountedIn(one.pod, read) }));
}

/** The Service of a Run of many pods that is under way, whose pods are still to be made: undefined when a direct read found none of its own. */
export async function findGangService(run: Run, read: Reader): Promise<KubeObject | undefined> {
  if (!isGang(run) || !isActive(run)) return undefined;
  const { namespace = '' } = run.metadata;
  const found = await read.live(SERVICES, { namespace, name: gangServiceName(identityOf(run)) });
  return found !== undefined && isOwnedBy(found, run) ? found : undefined;
}

/** Whether pods of a Run of many are still to be made. */
export function lacksMembers({ status }: Run, members: readonly Member[]): boolean {
  return status?.gang !== undefined && status.child?.uid === undefined && members.length < status.gang.pods;
}

/** Devices of a Run that its pods look for; undefined where none does. */
export function devicesMissedBy(
  { status }: Run,
  pods: readonly KubeObject[],
  {
    read,
    ledger,
    book,
  }: { readonly read: Reader; readonly ledger: Ledger | undefined; readonly book: DeviceBook },
): MissingDevices | undefined {
  const { gpu, gang } = status ?? {};
  if (gpu === undefined || ledger === undefined) return undefined;
  const gpuClass = read.get(GPU_CLASSES, { name: gpu.class }) as GPUClass | undefined;
  const sinces = pods.map((pod) => missesDevicesSince(pod, gpuClass)).filter((one) => one !== undefined);
  if (sinces.length === 0) return undefined;
  const wanted = { class: gpu.class, count: gpu.count / (gang?.pods ?? 1), pods: sinces.length };
  const isShort = book.isShort(ledger.metadata.name, wanted, read);
  return isShort === undefined ? undefined : { sinceMs: Math.min(...sinces), isShort };
}

/** What cannot be mounted for a pod, as its node says. */
export function unmountedIn({ metadata }: KubeObject, read: Reader): Unmounted | undefined {
  return unmountedOf(read.list(CORE_EVENTS, { index: INDEX.failuresOf, value: metadata.uid ?? '' }));
}
