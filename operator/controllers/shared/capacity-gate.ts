// SPDX-License-Identifier: Apache-2.0
import type { GPUClassSpec } from '#crds/v1alpha1/gpu-class';
import { RUN_REASONS } from '#crds/v1alpha1/run';
import {
  isDecidedByKueue,
  type Kueue,
  KUEUE_GROUP,
  type KueueVersion,
  QUEUE_NAME,
} from '../../core/kueue/kueue.ts';
import type { KubeObject, Resource } from '../../core/object.ts';
import type { Waiting } from '../../core/quota/admit.ts';
import type { Capacity } from '../../core/run/capacity.ts';
import { isForeign } from './tenant-view.ts';
import type { IndexDeclaration, Key, Reader, Watch } from '../../runtime/controller.ts';

const OF_POD = 'workload-of-pod';

/** The kinds of Kueue that we read and write, as they are served. */
export interface KueueKinds {
  readonly clusterQueues: Resource;
  readonly localQueues: Resource;
  readonly flavors: Resource;
  readonly workloads: Resource;
}

/** The kinds of Kueue in a version of its API. */
export function kueueKinds(version: KueueVersion): KueueKinds {
  const apiVersion = `${KUEUE_GROUP}/${version}`;
  const kind = (name: string, namespaced: boolean): Resource => ({
    apiVersion,
    kind: name,
    plural: `${name.toLowerCase()}s`,
    namespaced,
  });
  return {
    clusterQueues: kind('ClusterQueue', false),
    localQueues: kind('LocalQueue', true),
    flavors: kind('ResourceFlavor', false),
    workloads: kind('Workload', true),
  };
}

/** The second gate, where Kueue is to decide on it: what of Kueue is watched, and what it says. Without Kueue it asks for nothing. */
export class CapacityGate {
  readonly #kueue: Kueue | undefined;
  readonly #kinds: KueueKinds | undefined;

  constructor(kueue?: Kueue) {
    this.#kueue = kueue;
    this.#kinds = kueue?.isServed === true ? kueueKinds(kueue.version) : undefined;
  }

  /** Whether somebody else than we decides on devices of a class, or on who asks for none. */
  decides(gpuClass: GPUClassSpec | undefined): boolean {
    return isDecidedByKueue(this.#kueue, gpuClass);
  }

  /** Indexes that Workloads are found by. */
  get indexes(): readonly IndexDeclaration[] {
    if (this.#kinds === undefined) return [];
    return [{ resource: this.#kinds.workloads, name: OF_POD, of: podsOfWorkload }];
  }

  /** A watch on what Kueue says of pods; `keys` is called with the namespace and the name of a pod. */
  watchWorkloads(keys: (pod: Key, read: Reader) => readonly Key[]): readonly Watch[] {
    if (this.#kinds === undefined) return [];
    const ofWorkload: Watch['keys'] = (workload, read) => {
      const { namespace = '', ownerReferences = [] } = workload.metadata;
      return ownerReferences.filter(isPod).flatMap(({ name }) => keys({ namespace, name }, read));
    };
    return [{ resource: this.#kinds.workloads, keys: ofWorkload, trim: trimWorkload }];
  }

  /** A watch on the queues of namespaces. */
  watchQueues(keys: Watch['keys']): readonly Watch[] {
    if (this.#kinds === undefined) return [];
    return [{ resource: this.#kinds.localQueues, keys }];
  }

  /** What Kueue says of a Run with that pod; undefined where Kueue decides on nobody. */
  capacityOf(pod: KubeObject | undefined, read: Reader): Capacity | undefined {
    if (this.#kueue?.isServed !== true || this.#kinds === undefined) return undefined;
    const { uid = '' } = pod?.metadata ?? {};
    const [workload] = uid === '' ? [] : read.list(this.#kinds.workloads, { index: OF_POD, value: uid });
    return { kueue: this.#kueue, workload };
  }

  /** By namespace, what keeps Runs there from the first gate, since they would not get through the second one. */
  obstacles(namespaces: readonly string[], read: Reader): ReadonlyMap<string, Waiting> | undefined {
    if (this.#kueue === undefined) return undefined;
    const found = namespaces.flatMap((namespace) => {
      const obstacle = this.#obstacleIn(namespace, read);
      return obstacle === undefined ? [] : [[namespace, obstacle] as const];
    });
    return new Map(found);
  }

  #obstacleIn(namespace: string, read: Reader): Waiting | undefined {
    if (this.#kinds === undefined) return MISSING;
    const queue = read.get(this.#kinds.localQueues, { namespace, name: QUEUE_NAME });
    return queue === undefined || isForeign(queue) ? QUEUE_NOT_READY : undefined;
  }
}

const MISSING: Waiting = {
  reason: RUN_REASONS.KueueMissing,
  message:
    'the platform has Kueue decide on capacity, and the API server does not serve the kinds of Kueue: it goes on when Kueue is installed; ask the platform team',
};
const QUEUE_NOT_READY: Waiting = {
  reason: RUN_REASONS.QueueNotReady,
  message: `the namespace has no LocalQueue ${QUEUE_NAME} of its tenant: it goes on when that is made; see the conditions of the Tenant`,
};

function isPod({ kind, apiVersion }: { readonly kind: string; readonly apiVersion: string }): boolean {
  return kind === 'Pod' && apiVersion === 'v1';
}

function podsOfWorkload({ metadata }: KubeObject): readonly string[] {
  return (metadata.ownerReferences ?? []).filter(isPod).map(({ uid }) => uid);
}

/** Keeps what Kueue says of pods, and nothing of what else waits in it. */
function trimWorkload({ apiVersion, kind, metadata, status }: KubeObject): KubeObject | undefined {
  const { name, namespace, uid, resourceVersion, ownerReferences } = metadata;
  if (podsOfWorkload({ apiVersion, kind, metadata }).length === 0) return undefined;
  const kept = { name, namespace, uid, resourceVersion, ownerReferences } as KubeObject['metadata'];
  const { conditions, admissionChecks } = (status ?? {}) as Readonly<Record<string, unknown>>;
  return { apiVersion, kind, metadata: kept, status: { conditions, admissionChecks } };
}
