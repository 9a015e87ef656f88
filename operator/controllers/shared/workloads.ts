// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import type { KeyRecord, Reservation } from '#crds/v1alpha1/quota-ledger';
import { withDevices } from '../../core/capacity/pod-devices.ts';
import type { KubeObject, Resource } from '../../core/object.ts';
import { askerOf, refusedAmounts } from '../../core/quota/refusals.ts';
import { isPodFinished } from '../../core/run/outcome.ts';
import { keyDigest } from '../../core/run/idempotency.ts';
import { isFinished, type Run } from '../../core/run/run.ts';
import type { Ledger } from '../../core/tenant/tenant.ts';
import type { IndexDeclaration, Key, Reader, Watch } from '../../runtime/controller.ts';
import { AGENTS, QUOTA_LEDGERS, RUNS } from '../../core/resources.ts';

export const PODS: Resource = { apiVersion: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };
/** Events as the controllers of Kubernetes write them. */
export const CORE_EVENTS: Resource = { apiVersion: 'v1', kind: 'Event', plural: 'events', namespaced: true };

/** Names of indexes on what Runs are made of. */
export const INDEX = {
  /** Runs that are not finished, by namespace. */
  liveRunsOf: 'live-runs-of-namespace',
  /** The same by `agentKey`. */
  liveRunsOfAgent: 'live-runs-of-agent',
  /** Runs by namespace and idempotency key, the finished ones too. */
  runsOfKey: 'runs-of-idempotency-key',
  /** Runs that another one calls, by the uid of that. */
  childrenOf: 'runs-of-parent',
  /** Runs that schedules have started, by the uid of the Agent. */
  scheduledRuns: 'runs-of-schedule',
  /** Ledgers by the namespaces that share, or still hold, their totals. */
  ledgerOf: 'ledger-of-namespace',
  agentsByClass: 'agents-by-gpu-class',
  /** Pods by namespace and uid of their Run. */
  podsOf: 'pods-of-run',
  /** Pods of Runs that are being deleted, by namespace. */
  goingIn: 'going-pods-in-namespace',
  /** Refusals by ResourceQuota, by namespace. */
  refusedIn: 'refused-in-namespace',
  /** Whatever could not be made, or mounted, for an object, by the uid of that object. */
  failuresOf: 'failures-of',
} as const;

/** Indexes that ledger, Runs and Agents look things up by. */
export const WORKLOAD_INDEXES: readonly IndexDeclaration[] = [
  { resource: RUNS, name: INDEX.liveRunsOf, of: (run) => (isLive(run) ? namespaceOf(run) : []) },
  {
    resource: RUNS,
    name: INDEX.liveRunsOfAgent,
    of: (run) => (isLive(run) ? namespaceOf(run).map((one) => `${one}/${agentOf(run)}`) : []),
  },
  { resource: RUNS, name: INDEX.runsOfKey, of: (run) => present(keyDigest(run as Run)) },
  { resource: RUNS, name: INDEX.childrenOf, of: (run) => present((run as Run).spec.parentRef?.uid) },
  {
    resource: RUNS,
    name: INDEX.scheduledRuns,
    of: ({ metadata }) => present(metadata.labels?.[LABELS.scheduledBy]),
  },
  { resource: QUOTA_LEDGERS, name: INDEX.ledgerOf, of: (ledger) => namespacesOf(ledger as Ledger) },
  {
    resource: AGENTS,
    name: INDEX.agentsByClass,
    of: ({ spec }) => {
      const { gpu } = spec as { readonly gpu?: { readonly class: string } };
      return gpu === undefined ? [] : [gpu.class];
    },
  },
  { resource: PODS, name: INDEX.podsOf, of: ({ metadata }) => present(runOfPod(metadata)) },
  {
    resource: PODS,
    name: INDEX.goingIn,
    of: (pod) => (isOfRun(pod) && pod.metadata.deletionTimestamp !== undefined ? namespaceOf(pod) : []),
  },
  {
    resource: CORE_EVENTS,
    name: INDEX.refusedIn,
    of: (event) => (refusedAmounts(event) === undefined ? [] : namespaceOf(event)),
  },
  { resource: CORE_EVENTS, name: INDEX.failuresOf, of: (event) => [askerOf(event)] },
];

/** Pods of Runs; little of their specs is kept. */
export const OF_RUNS = { labelSelector: LABELS.runUid, trim: withDevices } as const;

/** A watch on the pods of Runs. */
export function watchPods(keys: Watch['keys']): Watch {
  return { resource: PODS, ...OF_RUNS, keys };
}

/** A watch on what the controllers of Kubernetes could not make. */
export function watchFailedCreates(keys: Watch['keys']): Watch {
  return { resource: CORE_EVENTS, fieldSelector: 'reason=FailedCreate', keys };
}

/** A watch on volumes that nodes could not mount. */
export function watchFailedMounts(keys: Watch['keys']): Watch {
  return { resource: CORE_EVENTS, fieldSelector: 'reason=FailedMount,involvedObject.kind=Pod', keys };
}

/** The ledger of the tenant that a namespace belongs to, or still holds quota of. */
export function ledgerOf(read: Reader, namespace: string): Ledger | undefined {
  return read.list(QUOTA_LEDGERS, { index: INDEX.ledgerOf, value: namespace })[0] as Ledger | undefined;
}

/** Reservations of a version of a ledger, by the uid of their Run: every Run of a tenant looks for its own in it. */
const reservationsOf = new WeakMap<Ledger, ReadonlyMap<string, Reservation>>();

/** What `ledger` has reserved for the Run of that uid. */
export function reservationIn(ledger: Ledger, runUid: string): Reservation | undefined {
  let byUid = reservationsOf.get(ledger);
  if (byUid === undefined) {
    byUid = new Map((ledger.status?.reservations ?? []).map((one) => [one.uid, one]));
    reservationsOf.set(ledger, byUid);
  }
  return byUid.get(runUid);
}

/** Idempotency keys of a version of a ledger, by digest. */
const keysOf = new WeakMap<Ledger, ReadonlyMap<string, KeyRecord>>();

/** What `ledger` remembers of the idempotency key of a Run. */
export function keyRecordIn(ledger: Ledger, run: Run): KeyRecord | undefined {
  const key = keyDigest(run);
  if (key === undefined) return undefined;
  let byKey = keysOf.get(ledger);
  if (byKey === undefined) {
    byKey = new Map((ledger.status?.keys ?? []).map((one) => [one.key, one]));
    keysOf.set(ledger, byKey);
  }
  return byKey.get(key);
}

/** All Runs that have the idempotency key of `run`, itself included; none when it has no key. */
export function runsWithKeyOf(run: Run, read: Reader): readonly Run[] {
  const value = keyDigest(run);
  return value === undefined ? [] : (read.list(RUNS, { index: INDEX.runsOfKey, value }) as readonly Run[]);
}

/** Wakes the ledger of an object's namespace. */
export function ledgerOfObject(object: KubeObject, read: Reader): readonly Key[] {
  const { namespace } = object.metadata;
  const ledger = namespace === undefined ? undefined : ledgerOf(read, namespace);
  return ledger === undefined ? [] : [{ name: ledger.metadata.name }];
}

/** What names a Run for its pods. */
interface PodOwner {
  readonly namespace: string;
  readonly uid: string;
}

/** Pods of a Run that were seen last: in its namespace, since elsewhere anybody may say to be of it where no guardrail is. */
export function podsOf(read: Reader, { namespace, uid }: PodOwner): readonly KubeObject[] {
  return read.list(PODS, { index: INDEX.podsOf, value: `${namespace}/${uid}` });
}

function runOfPod({ namespace = '', labels }: KubeObject['metadata']): string | undefined {
  const uid = labels?.[LABELS.runUid];
  return uid === undefined ? undefined : `${namespace}/${uid}`;
}

/**
 * Pods of a Run that have not ended. Where none was seen the API server itself is asked, since a watch may lag: for who
 * is about to give a place to somebody else.
 *
 * @throws ApiError when the API server cannot say.
 */
export async function livePodsOf(read: Reader, run: PodOwner): Promise<readonly KubeObject[]> {
  const seen = podsOf(read, run).filter((pod) => !isPodFinished(pod));
  if (seen.length > 0) return seen;
  const labelSelector = `${LABELS.runUid}=${run.uid}`;
  const found = await read.listLive(PODS, { namespace: run.namespace, labelSelector });
  return found.filter((pod) => !isPodFinished(pod));
}

/** Namespaces with a share, a grant or a reservation: it is one tenant's as long as it has any of these. */
export function namespacesOf({ spec, status }: Ledger): readonly string[] {
  return [
    ...new Set([
      ...(spec.namespaces ?? []),
      ...(status?.grants ?? []).map(({ namespace }) => namespace),
      ...(status?.reservations ?? []).map(({ namespace }) => namespace),
    ]),
  ];
}

function isOfRun({ metadata }: KubeObject): boolean {
  return metadata.labels?.[LABELS.runUid] !== undefined;
}

function isLive(run: KubeObject): boolean {
  return !isFinished(run as Run);
}

function agentOf(run: KubeObject): string {
  return (run as Run).spec.agentRef.name;
}

function namespaceOf({ metadata }: KubeObject): readonly string[] {
  return present(metadata.namespace);
}

function present(value: string | undefined): readonly string[] {
  return value === undefined ? [] : [value];
}
