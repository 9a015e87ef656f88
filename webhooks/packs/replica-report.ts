// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS, API_VERSION, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import type { PolicyReplicaStatus } from '#crds/v1alpha1/policy-replica';
import { canonicalJson } from '#operator/core/compare';
import type { KubeObject } from '#operator/core/object';
import { hasStatus } from '#operator/runtime/api-error';
import type { Client } from '#operator/runtime/client';
import { clock } from '#operator/runtime/clock';
import { LEASES, microTime } from '#operator/runtime/lease';
import type { Log } from '#operator/telemetry/log';
import { POLICY_REPLICAS } from '#operator/core/resources';

/** The part of the client that is used. */
export type ReportClient = Pick<Client, 'apply' | 'patch' | 'delete'>;

/** Who reports, where, and what. */
export interface ReplicaReportOptions {
  readonly client: ReportClient;
  readonly namespace: string;
  /** Name of the PolicyReplica and of its Lease; of the pod, where it is one. */
  readonly name: string;
  readonly podUid: string | undefined;
  /** Of the program; undefined where it runs from its sources. */
  readonly version: string | undefined;
  /** Of which time that is that it began from, where that is not what the API server told. */
  readonly beganFrom?: () => string | undefined;
  /** What there is to tell now; undefined before there is anything. */
  readonly status: () => Omit<PolicyReplicaStatus, 'renewedAt'> | undefined;
  readonly log: Log;
  readonly timing?: Partial<ReportTiming>;
}

/** How often is looked, and written. */
export interface ReportTiming {
  /** Between two looks at what there is to tell, which takes longer the more there is. */
  readonly lookMs: number;
  /** Between two writes of what is decided by: a rollback waits for it. */
  readonly urgentMs: number;
  /** Between two writes for images alone: tenants say which, and pods wait for them. */
  readonly imagesMs: number;
  /** Between two writes of figures alone. */
  readonly figuresMs: number;
  readonly renewMs: number;
  readonly leaseMs: number;
  readonly retryMs: number;
}

const TIMING: ReportTiming = {
  lookMs: 100,
  urgentMs: 200,
  imagesMs: 1000,
  figuresMs: 2000,
  renewMs: 3000,
  leaseMs: 12_000,
  retryMs: 1000,
};
const FIELD_MANAGER = 'nexusos-webhooks';
/** Figures and images, which may wait; all else is what others wait for. */
const LESS_URGENT = { comparisons: undefined, violations: undefined, images: undefined };

/**
 * Tells the operator what this replica has loaded and decides by, in an object of its own, and by a Lease that it is alive. Written when
 * it changes and not otherwise; never by who answers a request.
 */
export class ReplicaReport {
  readonly #options: ReplicaReportOptions;
  readonly #timing: ReportTiming;
  #told = '';
  #toldUrgent = '';
  #toldImages = '';
  #toldAt = Number.NEGATIVE_INFINITY;
  #isThere = false;
  #leaseUid: string | undefined;
  #replicaUid: string | undefined;
  #look: NodeJS.Timeout | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer is due. */
  #tellsAt = 0;
  #renewal: NodeJS.Timeout | undefined;
  #work: Promise<void> = Promise.resolve();
  #isOn = false;

  constructor(options: ReplicaReportOptions) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
  }

  /** Begins to tell. */
  start(): void {
    if (this.#isOn) return;
    this.#isOn = true;
    this.#renew();
    this.changed();
  }

  /** There may be something new. Costs nothing: it is said with each evaluation that fails, by whoever makes them fail. */
  changed(): void {
    if (!this.#isOn || this.#look !== undefined) return;
    const waitMs = Math.max(this.#lookedAt + this.#timing.lookMs - performance.now(), 0);
    this.#look = setTimeout(() => {
      this.#look = undefined;
      this.#lookedAt = performance.now();
      this.#plan();
    }, waitMs);
  }

  #plan(): void {
    const dueAt = this.#dueAt();
    // What is urgent does not wait for the turn of figures that are to be told already.
    if (this.#timer !== undefined && this.#tellsAt <= dueAt) return;
    clearTimeout(this.#timer);
    this.#tellsAt = dueAt;
    this.#timer = setTimeout(() => this.#tell(), Math.max(dueAt - performance.now(), 0));
  }

  /** Says that it is no more, so that nobody waits for it. */
  async close(): Promise<void> {
    if (!this.#isOn) return;
    this.#isOn = false;
    clearTimeout(this.#look);
    clearTimeout(this.#timer);
    clearTimeout(this.#renewal);
    await this.#work;
    const { client, namespace, name, log } = this.#options;
    const key = { namespace, name };
    for (const resource of [LEASES, POLICY_REPLICAS]) {
      await client.delete(resource, key).catch((error: unknown) => {
        if (!hasStatus(error, 404)) log.warn({ err: error, kind: resource.kind }, 'cannot be taken back');
      });
    }
  }

  /** What is urgent waits for little, images and figures for their turn. */
  #dueAt(): number {
    const status = this.#options.status();
    const { urgentMs, imagesMs, figuresMs } = this.#timing;
    if (status === undefined || urgentOf(status) !== this.#toldUrgent) return this.#toldAt + urgentMs;
    return this.#toldAt + (imagesOf(status) === this.#toldImages ? figuresMs : imagesMs);
  }

  #tell(): void {
    this.#timer = undefined;
    this.#work = this.#work.then(() => this.#write());
  }

  async #write(): Promise<void> {
    const status = this.#options.status();
    if (status === undefined || !this.#isOn) return;
    const text = canonicalJson(status);
    if (text === this.#told) return;
    if (this.#toldUrgent === urgentOf(status) && this.#dueAt() > performance.now()) {
      this.#plan();
      return;
    }
    try {
      await this.#writeStatus(status);
      this.#told = text;
      this.#toldUrgent = urgentOf(status);
      this.#toldImages = imagesOf(status);
      this.#toldAt = performance.now();
    } catch (error) {
      this.#isThere = false;
      this.#options.log.warn({ err: error }, 'what this replica decides by cannot be told; trying again');
      clearTimeout(this.#timer);
      // However much changes meanwhile, it is not tried before.
      this.#tellsAt = Number.NEGATIVE_INFINITY;
      this.#timer = setTimeout(() => this.#tell(), this.#timing.retryMs);
    }
  }

  async #writeStatus(status: Omit<PolicyReplicaStatus, 'renewedAt'>): Promise<void> {
    const { client, namespace, name, podUid, version } = this.#options;
    if (!this.#isThere) {
      const spec = {
        ...(podUid !== undefined && { podUID: podUid }),
        ...(version !== undefined && { version }),
      };
      const { metadata } = await client.apply(POLICY_REPLICAS, this.#object(spec), FIELD_MANAGER);
      this.#replicaUid = metadata.uid;
    }
    this.#isThere = true;
    const body = { status: { ...status, renewedAt: clock.now().toISOString() } };
    await client.patch(
      POLICY_REPLICAS,
      { namespace, name },
      { fieldManager: FIELD_MANAGER, subresource: 'status', body },
    );
  }

  #object(spec: object): KubeObject {
    const seenAt = this.#options.beganFrom?.();
    const annotations = seenAt === undefined ? {} : { annotations: { [ANNOTATIONS.lastKnown]: seenAt } };
    const metadata = { ...this.#metadata(), ...annotations };
    return { apiVersion: API_VERSION, kind: 'PolicyReplica', metadata, spec };
  }

  #renew(): void {
    if (!this.#isOn) return;
    this.#work = this.#work.then(() => this.#writeLease());
    this.#renewal = setTimeout(() => this.#renew(), this.#timing.renewMs);
  }

  async #writeLease(): Promise<void> {
    const { client, name, log } = this.#options;
    const spec = {
      holderIdentity: name,
      leaseDurationSeconds: Math.ceil(this.#timing.leaseMs / 1000),
      renewTime: microTime(clock.now()),
    };
    const lease = { apiVersion: LEASES.apiVersion, kind: LEASES.kind, metadata: this.#leaseMetadata(), spec };
    try {
      const { metadata } = await client.apply(LEASES, lease, FIELD_MANAGER);
      this.#noteLease(metadata.uid);
    } catch (error) {
      log.warn({ err: error }, 'the Lease of this replica cannot be renewed; trying again');
    }
  }

  /** One that was silent for long is taken for dead, and what it had told is removed: it tells all of it again. */
  #noteLease(uid: string | undefined): void {
    const isAnother = this.#leaseUid !== undefined && this.#leaseUid !== uid;
    this.#leaseUid = uid;
    if (!isAnother) return;
    this.#isThere = false;
    this.#replicaUid = undefined;
    this.#told = '';
    this.#toldUrgent = '';
    this.changed();
  }

  /** Without a pod it goes with what this process tells, which is removed when it is gone. */
  #leaseMetadata(): KubeObject['metadata'] {
    const { podUid, name } = this.#options;
    const uid = this.#replicaUid;
    if (podUid !== undefined || uid === undefined) return this.#metadata();
    const owner = { apiVersion: API_VERSION, kind: 'PolicyReplica', name, uid };
    return { ...this.#metadata(), ownerReferences: [owner] };
  }

  /** What a pod has told goes with it. */
  #metadata(): KubeObject['metadata'] {
    const { namespace, name, podUid } = this.#options;
    const owner = podUid === undefined ? [] : [{ apiVersion: 'v1', kind: 'Pod', name, uid: podUid }];
    return {
      name,
      namespace,
      labels: { [LABELS.managedBy]: MANAGED_BY },
      ...(owner.length > 0 && { ownerReferences: owner }),
    };
  }
}

function urgentOf(status: Omit<PolicyReplicaStatus, 'renewedAt'>): string {
  return canonicalJson({ ...status, ...LESS_URGENT });
}

function imagesOf({ images = [] }: Omit<PolicyReplicaStatus, 'renewedAt'>): string {
  return canonicalJson(images);
}
