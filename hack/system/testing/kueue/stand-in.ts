// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { AttachedCluster } from '../../../cluster/attached-cluster.ts';
import { eventually } from '../../../tools/eventually.ts';
import { KUEUE, kueueObjects, MARKS } from './installed.ts';
import { GROUP, type Versions } from './kinds.ts';
import { type Ask, type ClusterQueue, fitInto, type Flavor } from './quota.ts';
import { type Requests, requestsAs } from './requests.ts';

interface Metadata {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly { readonly uid: string }[];
}

interface Pod {
  readonly metadata: Metadata;
  readonly spec: {
    readonly nodeSelector?: Readonly<Record<string, string>>;
    readonly schedulingGates?: readonly { readonly name: string }[];
    readonly containers: readonly {
      readonly resources?: { readonly requests?: Readonly<Record<string, string>> };
    }[];
  };
  readonly status?: { readonly phase?: string };
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

interface Workload {
  readonly metadata: Metadata;
  readonly status?: {
    readonly conditions?: readonly Condition[];
    readonly flavors?: Readonly<Record<string, string>>;
  };
}

interface LocalQueue {
  readonly metadata: Metadata;
  readonly spec: { readonly clusterQueue: string };
}

/** All that is looked at in a pass. */
interface Seen {
  readonly pods: readonly Pod[];
  readonly workloads: readonly Workload[];
  readonly localQueues: readonly LocalQueue[];
  readonly clusterQueues: readonly ClusterQueue[];
  readonly flavors: readonly Flavor[];
}

const ROUND_MS = 100;

/**
 * Stands in for Kueue, which cannot be had where these tests run. It follows what Kueue's integration of plain pods has published: the marks on
 * pods, a Workload for each, its conditions in their order, the gate that comes off, and how a pod is evicted. It admits by the nominal quotas of
 * ClusterQueues, in no order, and knows neither borrowing nor preemption, admission checks nor topology. With the identity of Kueue's controller,
 * so that what may not be done to a pod of a Run is refused to it as well.
 */
export class KueueStandIn {
  /** While it is true, nothing is admitted. */
  isHolding = false;
  readonly #requests: Requests;
  readonly #base: string;
  #isStopped = false;
  readonly #working: Promise<void>;
  readonly #faults: string[] = [];

  private constructor(requests: Requests, version: string) {
    this.#requests = requests;
    this.#base = `/apis/${GROUP}/${version}`;
    this.#working = this.#work();
  }

  /** Installs the kinds of Kueue and what belongs to them, and waits until they are served. */
  static async install(cluster: AttachedCluster, versions: Versions = ['v1beta2', 'v1beta1']): Promise<void> {
    const objects = kueueObjects(versions).map((one) => JSON.stringify(one));
    const applied = await cluster.kubectl(['apply', '--server-side', '-f', '-'], {
      stdin: objects.join('\n---\n'),
    });
    if (applied.code !== 0) throw new Error(applied.stderr);
    for (const version of versions) {
      await eventually(`${version} of Kueue is served`, async () => {
        const { status } = await cluster.admin.send('GET', `/apis/${GROUP}/${version}/clusterqueues`);
        return status === 200;
      });
    }
  }

  /** Takes away the kinds of Kueue, with all objects of them. */
  static async uninstall(cluster: AttachedCluster): Promise<void> {
    const names = ['clusterqueues', 'localqueues', 'resourceflavors', 'workloads'].map(
      (one) => `crd/${one}.${GROUP}`,
    );
    const policies = [
      'mutatingadmissionpolicybinding/kueue-stand-in',
      'mutatingadmissionpolicy/kueue-stand-in',
    ];
    const deleted = await cluster.kubectl(['delete', ...policies, ...names, '--ignore-not-found']);
    if (deleted.code !== 0) throw new Error(deleted.stderr);
  }

  /** Begins to work. */
  static async start(cluster: AttachedCluster, version = 'v1beta2'): Promise<KueueStandIn> {
    return new KueueStandIn(await requestsAs(cluster, KUEUE), version);
  }

  /** Ends its work. Throws when something was refused to it that its contract has it do. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#working;
    await this.#requests.close();
    const faults = this.#faults.splice(0);
    if (faults.length > 0) throw new Error(`the stand-in of Kueue could not work:\n${faults.join('\n')}`);
  }

  /** Takes back what a pod was admitted to, as by preemption. */
  async evict({ namespace, name }: { readonly namespace: string; readonly name: string }): Promise<void> {
    const pod = (await this.#requests.send('GET', podPath({ namespace, name }))) as Pod;
    const workload = (await this.#list<Workload>('workloads')).find((one) => isFor(one, pod));
    if (workload === undefined) throw new Error(`pod ${name} has no Workload`);
    const message = 'Preempted to accommodate a workload due to prioritization in the ClusterQueue';
    await this.#tell(workload, [
      { type: 'Evicted', status: 'True', reason: 'Preempted', message },
      { type: 'QuotaReserved', status: 'False', reason: 'Pending', message },
      {
        type: 'Admitted',
        status: 'False',
        reason: 'NoReservation',
        message: 'The workload has no reservation',
      },
    ]);
    const condition = { type: MARKS.evicted, status: 'True', reason: 'WorkloadEvicted', message };
    const conditions = [{ ...condition, lastTransitionTime: now() }];
    const value = { metadata: { uid: pod.metadata.uid }, status: { conditions } };
    await this.#requests.send('PATCH', `${podPath(pod.metadata)}/status`, {
      type: 'strategic-merge-patch+json',
      value,
    });
    await this.#requests.send('DELETE', podPath(pod.metadata));
  }

  async #work(): Promise<void> {
    while (!this.#isStopped) {
      try {
        await this.#pass();
      } catch (error) {
        this.#faults.push(String(error));
      }
      await delay(ROUND_MS);
    }
  }

  async #pass(): Promise<void> {
    const label = encodeURIComponent(`${MARKS.managed}=true`);
    const pods = (await this.#requests.send('GET', `/api/v1/pods?labelSelector=${label}`)) as List<Pod>;
    const seen: Seen = {
      pods: pods.items,
      workloads: await this.#list<Workload>('workloads'),
      localQueues: await this.#list<LocalQueue>('localqueues'),
      clusterQueues: await this.#list<ClusterQueue>('clusterqueues'),
      flavors: await this.#list<Flavor>('resourceflavors'),
    };
    const taken = new Map<string, Map<string, number>>();
    const admitted = seen.pods.filter((pod) => isAdmitted(seen.workloads.find((one) => isFor(one, pod))));
    for (const pod of admitted.filter((one) => !hasEnded(one))) book(pod, seen, taken);
    for (const pod of seen.pods) await this.#attend(pod, seen, taken);
  }

  async #attend(pod: Pod, seen: Seen, taken: Map<string, Map<string, number>>): Promise<void> {
    const workload = seen.workloads.find((one) => isFor(one, pod));
    if (hasEnded(pod)) return this.#letGo(pod, workload);
    if (workload === undefined) return this.#enqueue(pod);
    if (isAdmitted(workload)) return this.#letIn(pod, workload, seen);
    await this.#decide(pod, workload, { seen, taken });
  }

  async #enqueue({ metadata, spec }: Pod): Promise<void> {
    const hash = createHash('sha256').update(metadata.uid).digest('hex').slice(0, 5);
    const { name, namespace, uid } = metadata;
    const owner = { apiVersion: 'v1', kind: 'Pod', name, uid, controller: true, blockOwnerDeletion: true };
    const value = {
      apiVersion: `${GROUP}/${this.#base.split('/').at(-1)}`,
      kind: 'Workload',
      metadata: { name: `pod-${name}-${hash}`, namespace, ownerReferences: [owner] },
      spec: {
        queueName: metadata.labels?.[MARKS.queue],
        podSets: [{ name: 'main', count: 1, template: { spec: { containers: spec.containers } } }],
      },
    };
    await this.#requests.send('POST', this.#path('workloads', namespace), { type: 'json', value });
  }

  async #decide(
    pod: Pod,
    workload: Workload,
    { seen, taken }: { readonly seen: Seen; readonly taken: Map<string, Map<string, number>> },
  ): Promise<void> {
    const queue = queueOf(pod, seen);
    const refusal = this.#refusal(queue, pod);
    const fit = queue === undefined || refusal !== undefined ? refusal : book(pod, seen, taken);
    if (typeof fit !== 'object') {
      const waits = {
        type: 'QuotaReserved',
        status: 'False',
        reason: 'WaitingForQuota',
        message: fit ?? 'unknown',
      };
      return this.#tell(workload, [waits]);
    }
    const message = `Quota reserved in ClusterQueue ${queue?.metadata.name}`;
    const admits = {
      type: 'Admitted',
      status: 'True',
      reason: 'Admitted',
      message: 'The workload is admitted',
    };
    const reserves = { type: 'QuotaReserved', status: 'True', reason: 'QuotaReserved', message };
    await this.#tell(workload, [reserves, admits], fit.flavors);
  }

  #refusal(queue: ClusterQueue | undefined, { metadata }: Pod): string | undefined {
    if (queue === undefined) return `LocalQueue ${metadata.labels?.[MARKS.queue]} doesn't exist`;
    if ((queue.spec.stopPolicy ?? 'None') !== 'None')
      return `ClusterQueue ${queue.metadata.name} is inactive`;
    return this.isHolding ? 'insufficient unused quota, since the test holds it' : undefined;
  }

  /** Adds the labels of the nodes of its flavors to what a pod selects, and takes its gate off. */
  async #letIn({ metadata, spec }: Pod, workload: Workload, { flavors }: Seen): Promise<void> {
    const gates = spec.schedulingGates ?? [];
    if (!gates.some(({ name }) => name === MARKS.gate)) return;
    const chosen = new Set(Object.values(workload.status?.flavors ?? {}));
    const labels = flavors
      .filter((one) => chosen.has(one.metadata.name))
      .map((one) => one.spec.nodeLabels ?? {});
    const value = {
      metadata: { uid: metadata.uid, labels: { 'kueue.x-k8s.io/podset': 'main' } },
      spec: {
        nodeSelector: Object.assign({ ...spec.nodeSelector }, ...labels) as object,
        schedulingGates: gates.filter(({ name }) => name !== MARKS.gate),
      },
    };
    await this.#requests.send('PATCH', podPath(metadata), { type: 'merge-patch+json', value });
  }

  async #letGo({ metadata }: Pod, workload: Workload | undefined): Promise<void> {
    const { finalizers = [] } = metadata;
    const finished = { type: 'Finished', status: 'True', reason: 'Succeeded', message: 'the pod has ended' };
    if (workload !== undefined) await this.#tell(workload, [finished]);
    if (!finalizers.includes(MARKS.managed)) return;
    const rest = finalizers.filter((one) => one !== MARKS.managed);
    // Of that very version: others take theirs off at the same moment.
    const value = { metadata: { resourceVersion: metadata.resourceVersion, finalizers: rest } };
    await this.#requests.send('PATCH', podPath(metadata), { type: 'merge-patch+json', value });
  }

  /** Writes conditions of a Workload that are not so already. */
  async #tell(
    { metadata, status = {} }: Workload,
    told: readonly Condition[],
    flavors?: object,
  ): Promise<void> {
    const { conditions = [] } = status;
    const isSaid = (one: Condition) =>
      conditions.some(
        ({ type, status: is, message }) => type === one.type && is === one.status && message === one.message,
      );
    if (told.every(isSaid)) return;
    const others = conditions.filter(({ type }) => !told.some((one) => one.type === type));
    const stamped = told.map((one) => ({ ...one, lastTransitionTime: now() }));
    const value = {
      status: { conditions: [...others, ...stamped], ...(flavors !== undefined && { flavors }) },
    };
    const path = `${this.#path('workloads', metadata.namespace)}/${metadata.name}/status`;
    await this.#requests.send('PATCH', path, { type: 'merge-patch+json', value });
  }

  async #list<T>(plural: string): Promise<readonly T[]> {
    const list = (await this.#requests.send('GET', `${this.#base}/${plural}`)) as List<T> | undefined;
    return list?.items ?? [];
  }

  #path(plural: string, namespace: string): string {
    return `${this.#base}/namespaces/${namespace}/${plural}`;
  }
}

interface List<T> {
  readonly items: readonly T[];
}

/** Books a pod into its ClusterQueue, if it fits; says why not, if it does not. */
function book(pod: Pod, seen: Seen, taken: Map<string, Map<string, number>>): ReturnType<typeof fitInto> {
  const queue = queueOf(pod, seen);
  if (queue === undefined) return 'its queue is not there';
  const used = taken.get(queue.metadata.name) ?? new Map<string, number>();
  const fit = fitInto(queue, askOf(pod), { flavors: seen.flavors, taken: used });
  if (typeof fit === 'string') return fit;
  for (const [key, amount] of fit.takes) used.set(key, (used.get(key) ?? 0) + amount);
  taken.set(queue.metadata.name, used);
  return fit;
}

function askOf({ spec }: Pod): Ask {
  const requests = Object.assign(
    {},
    ...spec.containers.map((one) => one.resources?.requests ?? {}),
  ) as Ask['requests'];
  return { requests, nodeSelector: spec.nodeSelector ?? {} };
}

function queueOf({ metadata }: Pod, { localQueues, clusterQueues }: Seen): ClusterQueue | undefined {
  const local = localQueues.find(
    (one) =>
      one.metadata.namespace === metadata.namespace && one.metadata.name === metadata.labels?.[MARKS.queue],
  );
  return clusterQueues.find((one) => one.metadata.name === local?.spec.clusterQueue);
}

function isFor({ metadata }: Workload, pod: Pod): boolean {
  return metadata.ownerReferences?.some(({ uid }) => uid === pod.metadata.uid) === true;
}

function isAdmitted(workload: Workload | undefined): boolean {
  const { conditions = [] } = workload?.status ?? {};
  return conditions.some(({ type, status }) => type === 'Admitted' && status === 'True');
}

function hasEnded({ metadata, status }: Pod): boolean {
  const { phase } = status ?? {};
  return phase === 'Succeeded' || phase === 'Failed' || metadata.deletionTimestamp !== undefined;
}

function podPath({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `/api/v1/namespaces/${namespace}/pods/${name}`;
}

function now(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`;
}
