// SPDX-License-Identifier: Apache-2.0
import type { PolicyReplicaStatus } from '#crds/v1alpha1/policy-replica';
import type { KubeObject } from '../../core/object.ts';
import type { ReplicaView } from '../../core/policy-pack/replicas.ts';
import type { Key, Reader, Watch } from '../../runtime/controller.ts';
import { type LeaseSighting, LEASES, sight } from '../../runtime/lease.ts';
import { POLICY_REPLICAS } from '../../core/resources.ts';

/** Replicas tell of much at one time, every two seconds: packs are looked at once for it. */
const PATIENCE_MS = 250;

const patience = (): number => PATIENCE_MS;

/** What one replica has seen of a lease without one: it has not told yet that it is alive. */
const NEVER: LeaseSighting['seenAtMs'] = -Infinity;

/**
 * The processes that answer the API server, and which of them are alive: as in elections, a process is dead when we have not seen its Lease
 * change for as long as it promised to. Times of other machines are not compared.
 */
export class PolicyReplicas {
  readonly #namespace: string;
  readonly #sightings = new Map<string, LeaseSighting>();
  readonly #firstSeen = new Map<string, number>();

  constructor(platformNamespace: string) {
    this.#namespace = platformNamespace;
  }

  /** What has to be watched for it. `everybody`: whom a replica concerns that comes, goes or tells something. */
  watches(everybody: (read: Reader) => readonly Key[]): readonly Watch[] {
    const namespace = this.#namespace;
    return [
      { resource: POLICY_REPLICAS, namespace, keys: (_, read) => everybody(read), patienceMs: patience },
      { resource: LEASES, namespace, keys: (lease) => this.#see(lease) },
    ];
  }

  /** All replicas that are known. */
  views(read: Reader): readonly ReplicaView[] {
    const nowMs = performance.now();
    return read
      .list(POLICY_REPLICAS, { namespace: this.#namespace })
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .map((one) => viewOf(one, this.#isLive(one, nowMs)));
  }

  /** For how long a replica has not told that it is alive; from when we first looked, where it never did. */
  silentMs({ metadata }: KubeObject): number {
    const { name, uid = '' } = metadata;
    const nowMs = performance.now();
    const firstMs = this.#firstSeen.get(uid) ?? nowMs;
    this.#firstSeen.set(uid, firstMs);
    return nowMs - Math.max(this.#sightings.get(name)?.seenAtMs ?? NEVER, firstMs);
  }

  #isLive({ metadata }: KubeObject, nowMs: number): boolean {
    const { spec, seenAtMs = NEVER } = this.#sightings.get(metadata.name) ?? {};
    const { holderIdentity = '', leaseDurationSeconds = 0 } = spec ?? {};
    return holderIdentity !== '' && nowMs - seenAtMs < leaseDurationSeconds * 1000;
  }

  /** Whoever is alive renews it all the time; nobody is woken by that. */
  #see(lease: KubeObject): readonly Key[] {
    const { name } = lease.metadata;
    this.#sightings.set(name, sight(this.#sightings.get(name), lease, performance.now()));
    return [];
  }
}

function viewOf(replica: KubeObject, live: boolean): ReplicaView {
  const { prepared, enforcing, refused, quarantined, comparisons } = (replica['status'] ??
    {}) as PolicyReplicaStatus;
  return {
    name: replica.metadata.name,
    live,
    prepared: prepared ?? [],
    enforcing: enforcing ?? [],
    refused: refused ?? [],
    quarantined: quarantined ?? [],
    comparisons: comparisons ?? [],
  };
}
