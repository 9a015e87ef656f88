// SPDX-License-Identifier: Apache-2.0
import {
  IMAGE_WAIVER_REASONS,
  type ImageWaiverSpec,
  type ImageWaiverStatus,
} from '#crds/v1alpha1/image-waiver';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import { setStanding, type Standing } from '../conditions.ts';
import type { KubeObject } from '../object.ts';
import { DONE, type Plan, statusOnly } from '../plan.ts';
import { isApprovedByAnother } from '../policy/exemption.ts';

/** An ImageWaiver, as it is in the cluster. */
export type ImageWaiverObject = KubeObject & {
  readonly spec: ImageWaiverSpec;
  readonly status?: ImageWaiverStatus;
};

/** What a waiver is held against. */
export interface WaiverSeen {
  /** Where waivers count. */
  readonly platformNamespace: string;
  /** Of the policies that it names, those that there are none of. */
  readonly missing: readonly string[];
}

const { Counts, Expired, NotFound, NotYet, Rejected, Undecided, WrongNamespace } = IMAGE_WAIVER_REASONS;

/** What a waiver tells of itself: whether it counts. What it does is told where images are judged. */
export function planImageWaiver(
  object: ImageWaiverObject,
  seen: WaiverSeen,
  now: Date,
): Plan<ImageWaiverStatus> {
  const { metadata, spec, status } = object;
  const generation = metadata.generation ?? 0;
  const conditions = setStanding(status?.conditions ?? [], standingOf(object, seen, now), {
    generation,
    now,
  });
  return statusOnly({ observedGeneration: generation, conditions: [...conditions] }, nextLook(spec, now));
}

function standingOf(object: ImageWaiverObject, seen: WaiverSeen, now: Date): Standing {
  return (
    neverOf(object, seen) ?? overOf(object, now) ?? unnamedOf(object, seen) ?? decidedOf(object, seen, now)
  );
}

/** Of one that does not count, and never will. */
function neverOf(
  { metadata, spec: { approval } }: ImageWaiverObject,
  { platformNamespace }: WaiverSeen,
): Standing | undefined {
  // The API server lets none be made elsewhere; it may be older than that, or its guardrails are not in force.
  if (metadata.namespace !== platformNamespace) {
    const message = `metadata.namespace: found ${metadata.namespace ?? 'none'}, where no waiver counts; wanted is ${platformNamespace}, the namespace of the platform: make it there`;
    return { kind: 'stalled', reason: WrongNamespace, message };
  }
  if (approval?.decision !== 'Rejected') return undefined;
  const by = approval.by === undefined ? '' : ` by ${approval.by}`;
  return { kind: 'stalled', reason: Rejected, message: `it was rejected${by}` };
}

/** Of one that has run out: images are refused for it only where it has counted. */
function overOf(object: ImageWaiverObject, now: Date): Standing | undefined {
  const { expiresAt } = object.spec;
  if (!isOver(expiresAt, now)) return undefined;
  const message = isApproved(object)
    ? `it ran out at ${expiresAt}: images that need it are refused`
    : `it ran out at ${expiresAt}, before somebody else than who asked for it had approved it: it has never counted`;
  return { kind: 'stalled', reason: Expired, message };
}

function unnamedOf({ spec: { policies } }: ImageWaiverObject, { missing }: WaiverSeen): Standing | undefined {
  if (missing.length < policies.length) return undefined;
  const message = `spec.policies: found ${missing.join(', ')}, and no ClusterImagePolicy of that name; wanted is one that there is. Until then nothing is waived.`;
  return { kind: 'stalled', reason: NotFound, message };
}

/** Of one that names a policy, and has not run out. */
function decidedOf(object: ImageWaiverObject, { missing }: WaiverSeen, now: Date): Standing {
  const { notBefore, expiresAt } = object.spec;
  const more = missing.length === 0 ? '' : `; there is no ClusterImagePolicy ${missing.join(', ')}`;
  if (!isApproved(object)) {
    const message = 'it counts once somebody else than who asked for it has approved it (spec.approval)';
    return { kind: 'reconciling', reason: Undecided, message: `${message}${more}` };
  }
  if (notBefore !== undefined && !isOver(notBefore, now)) {
    return { kind: 'reconciling', reason: NotYet, message: `it counts from ${notBefore} on${more}` };
  }
  return { kind: 'ready', reason: Counts, message: `it counts until ${expiresAt}${more}` };
}

function isApproved({ metadata, spec: { approval } }: ImageWaiverObject): boolean {
  return isApprovedByAnother({ approval, requestedBy: metadata.annotations?.[ANNOTATIONS.createdBy] });
}

/** An instant that cannot be read is over, as it is where images are judged. */
function isOver(instant: string, now: Date): boolean {
  return !(Date.parse(instant) > now.getTime());
}

function nextLook({ notBefore, expiresAt }: ImageWaiverSpec, now: Date): Plan<ImageWaiverStatus>['result'] {
  const waits = [notBefore, expiresAt].flatMap((one) =>
    one === undefined || isOver(one, now) ? [] : [Date.parse(one) - now.getTime()],
  );
  if (waits.length === 0) return DONE;
  return { kind: 'requeueAfter', afterMs: Math.min(...waits), why: 'to see whether it counts by then' };
}
