// SPDX-License-Identifier: Apache-2.0

/** What is read of an object, as the API server had it after a write. */
export interface Written {
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly creationTimestamp?: string;
    readonly deletionTimestamp?: string;
    readonly deletionGracePeriodSeconds?: number;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

/** One write that took effect. */
export interface Moment {
  /** Orders all writes of all kinds: they lie in one etcd. */
  readonly version: number;
  readonly atMs: number;
  /** Whether it is the first that was seen of the object. */
  readonly isFirst: boolean;
  /** As `pods`, whatever subresource was written. */
  readonly resource: string;
  readonly object: Written;
}

interface AuditEvent {
  readonly stage?: string;
  readonly verb?: string;
  readonly requestURI?: string;
  readonly stageTimestamp?: string;
  readonly objectRef?: { readonly resource?: string; readonly subresource?: string };
  readonly responseStatus?: { readonly code?: number };
  readonly responseObject?: Partial<Written>;
}

const WRITES: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'delete']);

/**
 * The writes of an audit log that holds bodies. What is no write, was refused, is a dry run or has no object for an answer (a binding, an
 * eviction) is left out; so is a write whose client was killed before the answer, of which the log does not tell whether it was done. What
 * such a one has made is seen by the next write of it, or at the end (`momentOfObject`).
 */
export function momentsOf(lines: readonly string[]): readonly Moment[] {
  return inOrder(lines.flatMap(momentOf));
}

/** What an object is at the end. */
export function momentOfObject(resource: string, object: Written): Moment {
  const version = Number(object.metadata.resourceVersion);
  return { version, atMs: Date.now(), isFirst: false, resource, object };
}

/** Moments in the order in which they were committed; lines of a log are in that of the answers. */
export function inOrder(moments: readonly Moment[]): readonly Moment[] {
  const seen = new Set<string>();
  return moments
    .toSorted((a, b) => a.version - b.version)
    .map((one) => {
      const { uid } = one.object.metadata;
      const isFirst = !seen.has(uid);
      seen.add(uid);
      return { ...one, isFirst };
    });
}

function momentOf(line: string): readonly Moment[] {
  const event = JSON.parse(line) as AuditEvent;
  const { objectRef = {}, responseObject } = event;
  if (!tookEffect(event) || !isWhole(responseObject)) return [];
  return [
    {
      version: Number(responseObject.metadata.resourceVersion),
      atMs: Date.parse(event.stageTimestamp ?? ''),
      isFirst: false,
      resource: objectRef.resource ?? '',
      object: responseObject,
    },
  ];
}

function tookEffect({ stage, verb = '', requestURI = '', responseStatus }: AuditEvent): boolean {
  const code = responseStatus?.code ?? 0;
  const isWrite = stage === 'ResponseComplete' && WRITES.has(verb) && !/[?&]dryRun=/.test(requestURI);
  return isWrite && code >= 200 && code < 300;
}

function isWhole(object: Partial<Written> | undefined): object is Written {
  return object?.metadata?.uid !== undefined && object.metadata.resourceVersion !== undefined;
}

interface PodStatus {
  readonly phase?: string;
  readonly containerStatuses?: readonly {
    readonly state?: {
      readonly running?: { readonly startedAt?: string };
      readonly terminated?: Terminated;
    };
  }[];
}

/** How a container ended, as its node tells. */
export interface Terminated {
  readonly startedAt?: string;
  readonly finishedAt?: string;
  readonly exitCode?: number;
  readonly message?: string;
}

/** The phase of a pod. */
export function phaseOfPod({ status }: Written): string {
  return (status as PodStatus | undefined)?.phase ?? '';
}

/** How the one container of a pod ended; undefined while nothing tells. */
export function endOf({ status }: Written): Terminated | undefined {
  return (status as PodStatus | undefined)?.containerStatuses?.[0]?.state?.terminated;
}

/** Whether a pod holds nothing any more by the rules of Kubernetes: it has ended, or was deleted and nothing of it is to end. */
export function hasEnded(pod: Written): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
  if (['Succeeded', 'Failed'].includes(phaseOfPod(pod))) return true;
  return deletionTimestamp !== undefined && deletionGracePeriodSeconds === 0;
}

/** UID of the Run that a pod carries out; undefined for any other pod. */
export function runUidOf({ metadata }: Written): string | undefined {
  return metadata.labels?.['nexusos.dev/run-uid'];
}

/** The last that was written of each object of a kind, by UID. */
export function lastOf(moments: readonly Moment[], resource: string): ReadonlyMap<string, Written> {
  const written = moments.filter((one) => one.resource === resource);
  return new Map(written.map(({ object }) => [object.metadata.uid, object]));
}

/** The session of a Run; undefined where it is of none. */
export function sessionOf(run: Written | undefined): string | undefined {
  const session = run?.spec?.['session'];
  return typeof session === 'string' ? session : undefined;
}
