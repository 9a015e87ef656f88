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

/** Of the policies that a waiver names, those that there are none of. */
export interface WaiverSeen {
  readonly missing: readonly string[];
}

/** Timers of a process count no further than a few weeks. */
const LONGEST_WAIT_MS = 86_400_000;

const { Counts, Expired, NotFound, NotYet, Rejected, Undecided } = IMAGE_WAIVER_REASONS;

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

function standingOf(object: ImageWaiverObject, { missing }: WaiverSeen, now: Date): Standing {
  const { policies, expiresAt } = object.spec;
  if (isOver(expiresAt, now)) {
    const message = `it ran out at ${expiresAt}: images that need it are refused`;
    return { kind: 'stalled', reason: Expired, message };
  }
  if (missing.length === policies.length) {
    const message = `spec.policies: found ${missing.join(', ')}, and no ClusterImagePolicy of that name; wanted is one that there is. Until then nothing is waived.`;
    return { kind: 'stalled', reason: NotFound, message };
  }
  const { message, ...standing } = decidedOf(object, now);
  const more = missing.length === 0 ? '' : `; there is no ClusterImagePolicy ${missing.join(', ')}`;
  return { ...standing, message: `${message}${more}` };
}

/** Of one that names a policy, and has not run out. */
function decidedOf({ metadata, spec }: ImageWaiverObject, now: Date): Standing {
  const { approval, notBefore, expiresAt } = spec;
  const requestedBy = metadata.annotations?.[ANNOTATIONS.createdBy];
  if (approval?.decision === 'Rejected') {
    const by = approval.by === undefined ? '' : ` by ${approval.by}`;
    return { kind: 'stalled', reason: Rejected, message: `it was rejected${by}` };
  }
  if (!isApprovedByAnother({ approval, requestedBy })) {
    const message = 'it counts once somebody else than who asked for it has approved it (spec.approval)';
    return { kind: 'reconciling', reason: Undecided, message };
  }
  if (notBefore !== undefined && !isOver(notBefore, now)) {
    return { kind: 'reconciling', reason: NotYet, message: `it counts from ${notBefore} on` };
  }
  return { kind: 'ready', reason: Counts, message: `it counts until ${expiresAt}` };
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
  const afterMs = Math.min(LONGEST_WAIT_MS, ...waits);
  return { kind: 'requeueAfter', afterMs, why: 'to see whether it counts by then' };
}
