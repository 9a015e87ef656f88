// SPDX-License-Identifier: Apache-2.0
import type { KubeObject, Resource } from '../core/object.ts';

/** Leases, the objects that elections are held on. */
export const LEASES: Resource = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
};

/** `spec` of a Lease. */
export interface LeaseSpec {
  /** Empty or absent: nobody holds it. */
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

/** A Lease as seen, and when it was first seen like this by a clock of our own that never goes back. */
export interface LeaseSighting {
  readonly lease: KubeObject;
  readonly spec: LeaseSpec;
  readonly seenAtMs: number;
}

/** What a candidate does next. */
export type LeaseStep = 'create' | 'take' | 'renew' | 'wait';

/**
 * What `identity` does at `nowMs`, knowing `seen`. No times of other machines are compared: a holder counts
 * as dead when we have not seen its lease change for the time that it promised to renew it in.
 */
export function nextStep(seen: LeaseSighting | undefined, identity: string, nowMs: number): LeaseStep {
  if (seen === undefined) return 'create';
  const { holderIdentity = '', leaseDurationSeconds = 0 } = seen.spec;
  if (holderIdentity === identity) return 'renew';
  if (holderIdentity === '') return 'take';
  return nowMs - seen.seenAtMs >= leaseDurationSeconds * 1000 ? 'take' : 'wait';
}

/** `lease` as seen at `nowMs`: a sighting from then on, unless `before` was the same. */
export function sight(before: LeaseSighting | undefined, lease: KubeObject, nowMs: number): LeaseSighting {
  const spec = specOf(lease);
  const isSame =
    before?.spec.renewTime === spec.renewTime && before?.spec.holderIdentity === spec.holderIdentity;
  return { lease, spec, seenAtMs: isSame && before !== undefined ? before.seenAtMs : nowMs };
}

/** The spec that `identity` writes at `now` to take or to renew. */
export function heldSpec(
  before: LeaseSpec,
  holder: { readonly identity: string; readonly leaseDurationMs: number },
  now: Date,
): LeaseSpec {
  const isOurs = before.holderIdentity === holder.identity;
  const transitions = before.leaseTransitions ?? 0;
  return {
    holderIdentity: holder.identity,
    leaseDurationSeconds: Math.max(Math.ceil(holder.leaseDurationMs / 1000), 1),
    acquireTime: isOurs && before.acquireTime !== undefined ? before.acquireTime : microTime(now),
    renewTime: microTime(now),
    leaseTransitions: isOurs ? transitions : transitions + 1,
  };
}

/** The spec that gives a lease back, so that the next one need not wait. */
export function releasedSpec(before: LeaseSpec, now: Date): LeaseSpec {
  return { ...before, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime(now) };
}

/** An instant as `metav1.MicroTime` writes it. */
export function microTime(now: Date): string {
  return now.toISOString().replace('Z', '000Z');
}

function specOf(lease: KubeObject): LeaseSpec {
  const { spec } = lease;
  return typeof spec === 'object' && spec !== null ? spec : {};
}
