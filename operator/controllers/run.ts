// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { LABELS } from '#crds/v1alpha1/names';
import type { KeyRecord, Reservation } from '#crds/v1alpha1/quota-ledger';
import { RUN, RUN_REASONS, type RunStatus } from '#crds/v1alpha1/run';
import type { Agent, GPUClass } from '../core/agent/agent.ts';
import type { KubeObject } from '../core/object.ts';
import { handoverPlace } from '../core/quota/handover.ts';
import { leavesPlace } from '../core/run/admission.ts';
import { askingOf } from '../core/run/approval.ts';
import type { Place, RunObserved } from '../core/run/observed.ts';
import { isGang, type Member } from '../core/run/gang.ts';
import { planHeldUp } from '../core/run/hold-up.ts';
import { isToldToEnd } from '../core/run/interruption.ts';
import { isPodFinished } from '../core/run/outcome.ts';
import { leftoversOf, planRefused, planRun } from '../core/run/plan.ts';
import {
  attemptsOf,
  childName,
  identityOf,
  isActive,
  isFinished,
  isOwnedBy,
  isWorkloadOf,
  phaseOf,
  type Run,
} from '../core/run/run.ts';
import type { Ledger, PlatformSettings, Tenant } from '../core/tenant/tenant.ts';
import type { Controller, Key, PolicyRule, Reader, Watch } from '../runtime/controller.ts';
import type { Urgency } from '../runtime/fair-queue.ts';
import { keyOf, parseWith } from '../runtime/controller.ts';
import { type NextPod, findNextPod, readNextPod } from './shared/admission-record.ts';
import type { DeviceBook } from './shared/device-book.ts';
import { find } from './shared/find.ts';
import {
  devicesMissedBy,
  findGangService,
  findMembers,
  lacksMembers,
  unmountedIn,
} from './shared/gang-members.ts';
import { AGENTS, CONFIG_MAPS, GPU_CLASSES, QUOTA_LEDGERS, RUNS, TENANTS } from '../core/resources.ts';
import { findSource, watchRevisions } from './shared/revisions.ts';
import { TenantQueues, type Trial } from './shared/tenant-queue.ts';
import { findParent, kinshipIn, relativesOf, startersOf, treeOf, untoldTrees } from './shared/trees.ts';
import {
  keyRecordIn,
  ledgerOf,
  PODS,
  podsOf,
  reservationIn,
  runsWithKeyOf,
  watchFailedMounts,
  watchPods,
} from './shared/workloads.ts';

/** The controller of Runs: each waits, becomes a pod and ends. */
export function runController(
  book: DeviceBook,
  { remoteImage }: Pick<PlatformSettings, 'remoteImage'> = {},
  queues = new TenantQueues(book),
): Controller<Run, RunObserved, RunStatus | undefined> {
  return {
    name: 'run',
    resource: RUNS,
    watches: [...WATCHES, ...book.gate.watchWorkloads(runOfPodKey)],
    rbac: RBAC,
    // A pod, a place and devices may be held by what somebody else's finalizer keeps.
    plansWhileDeleting: true,
    parse: parseWith(z.object({ spec: RUN.spec })),
    group: (run, read) => ledgerOf(read, run.metadata.namespace ?? '')?.metadata.name,
    isUrgent: urgencyOf,
    tells: ({ type, reason }) => type === 'Warning' || reason === TOLD_REASON,
    observe: async (run, read) => ({ ...(await observe(run, read, { queues, book })), remoteImage }),
    plan: planRun,
    refused: planRefused,
    heldUp: planHeldUp,
    waitsForQuota: true,
    wakesItself: (wake) => queues.onNews(wake),
  };
}

/** Told as an Event beside what goes wrong. Of what goes as it should the status says all, and an Event is a write for each Run. */
const TOLD_REASON = RUN_REASONS.Cancelled;

const WATCHES: readonly Watch[] = [
  watchPods(runOfPod),
  watchFailedMounts(runOfEvent),
  { resource: QUOTA_LEDGERS, keys: runsOfLedger },
  { resource: TENANTS, keys: runsOfTenant },
  { resource: RUNS, keys: duplicatesOf },
  { resource: RUNS, keys: relativesOf },
  // Read, and looked at again by the queue; a change of them wakes no Run by itself.
  { resource: AGENTS, keys: () => [] },
  watchRevisions(() => []),
  { resource: GPU_CLASSES, keys: () => [] },
];

const RBAC: readonly PolicyRule[] = [
  { apiGroups: ['nexusos.dev'], resources: ['runs'], verbs: ['delete'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['create', 'delete'] },
  { apiGroups: [''], resources: ['configmaps', 'services'], verbs: ['create', 'get'] },
  { apiGroups: ['resource.k8s.io'], resources: ['resourceclaimtemplates'], verbs: ['create', 'get'] },
];

/** What the passes of all Runs share. */
interface Shared {
  readonly queues: TenantQueues;
  readonly book: DeviceBook;
}

async function observe(run: Run, read: Reader, shared: Shared): Promise<RunObserved> {
  const next = await findNextPod(run, read);
  const observed = await observeWith(run, read, { ...shared, next });
  if (next.isMade || !leavesPlace(run, observed)) return observed;
  // Another operator may have made it when all was there, and the watch has not told of it yet.
  const made = await readNextPod(run, read);
  return made.isMade ? observeWith(run, read, { ...shared, next: made }) : observed;
}

async function observeWith(
  run: Run,
  read: Reader,
  { queues, book, next }: Shared & { readonly next: NextPod },
): Promise<RunObserved> {
  const ledger = ledgerOf(read, run.metadata.namespace ?? '');
  const standing = standingOf(run, ledger, { read, queues, next });
  const { reservation } = standing;
  const pod = await podOf(run, read);
  const members = await findMembers(run, read);
  const presentPod = next.early?.pod ?? pod;
  const told = ledger && toldBy(ledger, run);
  return {
    ...next,
    ...told,
    keyHolder: await findKeyHolder(run, told?.keyRecord, read),
    tenant: ledger && (read.get(TENANTS, { name: ledger.metadata.name }) as Tenant | undefined),
    parent: await findParent(run, read),
    tree: treeOf(run, ledger, read),
    kin: kinshipIn(ledger, read),
    ...standing,
    asking: askingOf(run, agentIn(run, read), () => startersOf(run, read)),
    ...(await findIngredients(run, { read, pod, members, reservation, book, next })),
    pod,
    members,
    leftovers: leftoversOf(
      run,
      podsOf(read, { namespace: run.metadata.namespace ?? '', uid: run.metadata.uid ?? '' }),
    ),
    missing: devicesMissedBy(run, presentPods(run, pod, members), { read, ledger, book }),
    capacity: book.gate.capacityOf(pod, read),
    // Not for the pod of an attempt that is over, while that of the next is there.
    unmounted: presentPod && unmountedIn(presentPod, read),
  };
}

/** What the ledger says of a Run beside its place. */
function toldBy(ledger: Ledger, run: Run): Pick<RunObserved, 'keyRecord' | 'price' | 'isClosed'> {
  const { price, suspended } = ledger.spec;
  return { keyRecord: keyRecordIn(ledger, run), price, isClosed: suspended };
}

/** The pods of the present attempt: one, or those of a Run of many. */
function presentPods(
  run: Run,
  pod: KubeObject | undefined,
  members: readonly Member[],
): readonly KubeObject[] {
  if (isGang(run)) return members.map((one) => one.pod);
  return pod === undefined ? [] : [pod];
}

function agentIn(run: Run, read: Reader): Agent | undefined {
  return read.get(AGENTS, { ...keyOf(run), name: run.spec.agentRef.name }) as Agent | undefined;
}

/** The Run that an idempotency key is of, where that is another one and this one waits. */
async function findKeyHolder(
  run: Run,
  record: KeyRecord | undefined,
  read: Reader,
): Promise<Run | undefined> {
  const holder = run.status?.keyHolder ?? record;
  if (holder === undefined || holder.uid === run.metadata.uid || phaseOf(run) !== 'Queued') return undefined;
  const key = { ...keyOf(run), name: holder.name };
  const seen = read.get(RUNS, key);
  const found = seen?.metadata.uid === holder.uid ? seen : await read.live(RUNS, key);
  return found?.metadata.uid === holder.uid ? (found as Run) : undefined;
}

/** Waiting Runs that have the idempotency key of a Run that was started. */
function duplicatesOf(object: KubeObject, read: Reader): readonly Key[] {
  const first = object as Run;
  if (attemptsOf(first) === 0) return [];
  return runsWithKeyOf(first, read)
    .filter((one) => phaseOf(one) === 'Queued' && attemptsOf(one) === 0)
    .map((one) => keyOf(one));
}

/**
 * Thousands may wait; those that hold a place are what they wait for. An end goes before a start: it gives a place back, and while it is not told, more
 * is under way than has to be, of which each write of the ledger speaks again.
 */
function urgencyOf(run: Run, read: Reader): Urgency {
  const { namespace = '', uid = '' } = run.metadata;
  if (!isFinished(run) && podsOf(read, { namespace, uid }).some(isPodFinished)) return 'first';
  return isActive(run) || holdsPlace(run, read);
}

function holdsPlace({ metadata }: Run, read: Reader): boolean {
  const ledger = ledgerOf(read, metadata.namespace ?? '');
  return ledger !== undefined && reservationIn(ledger, metadata.uid ?? '') !== undefined;
}

interface Starting {
  readonly book: DeviceBook;
  readonly read: Reader;
  readonly pod: KubeObject | undefined;
  readonly members: readonly Member[];
  readonly reservation: Reservation | undefined;
  readonly next: NextPod;
}

/** What a workload is made from; only looked for when one is about to be made. */
async function findIngredients(run: Run, starting: Starting) {
  if (!needsWorkload(run, starting)) return NO_INGREDIENTS;
  const { read, reservation, book } = starting;
  const className = isActive(run) ? run.status?.gpu?.class : reservation?.gpuClass;
  const source = await findSource(run, read);
  const gpuClass = className === undefined ? undefined : await find(GPU_CLASSES, { name: className }, read);
  const made = await findMade(run, read);
  const inputSource = made === undefined ? await findInputSource(run, read) : undefined;
  const nodes = gpuClass && book.nodesFor(run.metadata.uid ?? '', read);
  return {
    ...source,
    gpuClass: gpuClass as GPUClass | undefined,
    inputSource,
    made,
    nodes,
    service: await findGangService(run, read),
  };
}

/** The ConfigMap that the Run takes its input from. */
async function findInputSource(run: Run, read: Reader): Promise<KubeObject | undefined> {
  const { configMapKeyRef } = run.spec.input ?? {};
  return configMapKeyRef && read.live(CONFIG_MAPS, { ...keyOf(run), name: configMapKeyRef.name });
}

/** The ConfigMap of an attempt that was admitted before, whose workload could not be made whole. */
async function findMade(run: Run, read: Reader): Promise<KubeObject | undefined> {
  if (!isActive(run) || run.status?.child?.uid !== undefined) return undefined;
  const name = childName(identityOf(run), attemptsOf(run));
  const found = await read.live(CONFIG_MAPS, { ...keyOf(run), name });
  return found !== undefined && isOwnedBy(found, run) ? found : undefined;
}

const NO_INGREDIENTS = {
  agent: undefined,
  revision: undefined,
  gpuClass: undefined,
  inputSource: undefined,
  made: undefined,
};

function needsWorkload(run: Run, { pod, members, reservation, next }: Starting): boolean {
  if (next.early !== undefined) return false;
  // The pod of a Run that is back in the queue is that of an attempt that is over.
  if (!isActive(run))
    return reservation !== undefined && reservation.awaits === undefined && !isFinished(run);
  if (isGang(run)) return lacksMembers(run, members);
  return pod === undefined || !isWorkloadOf(pod, run);
}

interface Queued {
  readonly read: Reader;
  readonly queues: TenantQueues;
  readonly next: NextPod;
}

/** Where a Run stands in its queue, and what is reserved for it; of a dry run, what would be. */
function standingOf(run: Run, ledger: Ledger | undefined, { read, queues, next }: Queued): Trial {
  const isAsking = run.spec.dryRun && phaseOf(run) === 'Queued';
  if (isAsking && ledger !== undefined) return queues.tryOut(run, ledger, read);
  const reservation = ledger && reservationIn(ledger, run.metadata.uid ?? '');
  if (next.early !== undefined || mayStart(run, reservation)) return { place: NEXT, reservation };
  return { place: placeOf(run, ledger, { read, queues, reservation }), reservation };
}

const NEXT: Place = { kind: 'next' };

/** Whether a Run stands in no queue any more: what is reserved is for its next attempt, and waits for nobody. */
function mayStart(run: Run, reservation: Reservation | undefined): boolean {
  return (
    reservation !== undefined && reservation.awaits === undefined && reservation.attempt > attemptsOf(run)
  );
}

interface Standing extends Omit<Queued, 'next'> {
  readonly reservation: Reservation | undefined;
}

function placeOf(run: Run, ledger: Ledger | undefined, { read, queues, reservation }: Standing): Place {
  if (ledger === undefined) return { kind: 'none' };
  const taking = handoverPlace(reservation, ledger.status?.reservations ?? []);
  if (taking !== undefined) return taking;
  return phaseOf(run) === 'Queued' ? queues.placeOf(run, ledger, read) : NEXT;
}

/** The pod of the present attempt. While one must be there, only the API server itself can say that there is none. */
async function podOf(run: Run, read: Reader): Promise<KubeObject | undefined> {
  const attempt = attemptsOf(run);
  if (attempt === 0 || isGang(run)) return undefined;
  const key = { namespace: run.metadata.namespace ?? '', name: childName(identityOf(run), attempt) };
  return isActive(run) ? find(PODS, key, read) : read.get(PODS, key);
}

function runOfPod({ metadata }: KubeObject): readonly Key[] {
  const name = metadata.labels?.[LABELS.run];
  const { namespace } = metadata;
  return name === undefined || namespace === undefined ? [] : [{ namespace, name }];
}

function runOfPodKey(key: Key, read: Reader): readonly Key[] {
  const pod = read.get(PODS, key);
  return pod === undefined ? [] : runOfPod(pod);
}

function runOfEvent(event: KubeObject, read: Reader): readonly Key[] {
  const involved = event['involvedObject'] as { readonly kind?: string; readonly name?: string } | undefined;
  const { namespace } = event.metadata;
  if (involved?.kind !== 'Pod' || involved.name === undefined || namespace === undefined) return [];
  return runOfPodKey({ namespace, name: involved.name }, read);
}

/**
 * Those who hold a reservation and have not started, or are to be ended or to pause: everybody else looks after himself. Who is told to end already does not pause.
 */
function runsOfLedger(object: KubeObject, read: Reader): readonly Key[] {
  const ledger = object as Ledger;
  const reservations = ledger.status?.reservations ?? [];
  const pauses = ledger.spec.suspended && isPausing(ledger, read);
  const concerned = reservations.filter(({ namespace, name, overspent, preemptedBy }) => {
    const run = read.get(RUNS, { namespace, name }) as Run | undefined;
    if (run === undefined) return false;
    if (phaseOf(run) === 'Queued' || (overspent ?? preemptedBy) !== undefined) return true;
    return pauses && !isToldToEnd(run);
  });
  return [...concerned, ...untoldTrees(ledger, read)];
}

function isPausing({ metadata: { name } }: Ledger, read: Reader): boolean {
  const tenant = read.get(TENANTS, { name }) as Tenant | undefined;
  return tenant?.spec.suspended === true && tenant.spec.suspendPolicy === 'Pause';
}

/** Who is running when the tenant is suspended may have to pause, where its ledger was told before. */
function runsOfTenant(tenant: KubeObject, read: Reader): readonly Key[] {
  const { spec, metadata } = tenant as Tenant;
  if (!spec.suspended) return [];
  const ledger = read.get(QUOTA_LEDGERS, { name: metadata.name }) as Ledger | undefined;
  return (ledger?.status?.reservations ?? []).map(({ namespace, name }) => ({ namespace, name }));
}
