// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS, LABELS } from '#crds/v1alpha1/names';
import { POLICY_PACK_REASONS } from '#crds/v1alpha1/policy-pack';
import { type ConditionInput, findCondition, type Standing } from '../conditions.ts';
import type { Condition, KubeObject } from '../object.ts';
import type { PlanEvent } from '../plan.ts';
import type { PolicyPackRevision } from '../policy-pack/pack.ts';
import { MAX_EXEMPTIONS } from './exemptions.ts';
import { MAX_FLOORS } from './names.ts';
import { policyNameOf, revisionOf } from './plan.ts';

const { ExemptionsLeftOut, FloorHeld, FloorPending, FloorFull, NoFloor } = POLICY_PACK_REASONS;
/** The condition of a pack that says what the API server itself holds of it. */
const FLOOR_BOUND = 'FloorBound';

/** What there is of floors. */
export interface FloorsSeen {
  readonly policies: readonly KubeObject[];
  readonly bindings: readonly KubeObject[];
}

/** What a pack says of its floor. */
export interface FloorStanding {
  /** Undefined: it has none, and never had. */
  readonly condition: ConditionInput | undefined;
  /** Undefined: nothing to wait for. */
  readonly waiting: Standing | undefined;
  /** What somebody is to be told, once. */
  readonly events: readonly PlanEvent[];
}

/** What a pack says of its floor whose `revision` decides. */
export function floorStanding(
  {
    metadata,
    status,
  }: {
    readonly metadata: KubeObject['metadata'];
    readonly status?: { conditions?: readonly Condition[] | undefined } | undefined;
  },
  revision: PolicyPackRevision | undefined,
  seen: FloorsSeen,
): FloorStanding {
  const floor = revision?.spec.floor;
  if (revision === undefined || floor === undefined) return withoutFloor(status?.conditions ?? []);
  const binding = seen.bindings.find((one) => one.metadata.labels?.[LABELS.packUid] === metadata.uid);
  const policy = boundTo(binding, revision, seen);
  if (binding === undefined || policy === undefined)
    return notBound(binding === undefined && seen.bindings.length >= MAX_FLOORS);
  const rules = floor.rules.map((one) => one.rule).join(', ');
  const message = `the API server itself holds, by ${binding.metadata.name}: ${rules}`;
  return heldBy(policy, message, status?.conditions);
}

function heldBy(
  { metadata }: KubeObject,
  message: string,
  before: readonly Condition[] | undefined,
): FloorStanding {
  const leftOut = metadata.annotations?.[ANNOTATIONS.floorLeavesOut];
  if (leftOut !== undefined) return leavesOut(`${message}; ${leftOutWords(leftOut)}`, before);
  return {
    condition: { type: FLOOR_BOUND, status: 'True', reason: FloorHeld, message },
    waiting: undefined,
    events: [],
  };
}

/** The floor is stricter than the pack then: that is told, and holds nothing up. */
function leavesOut(message: string, before: readonly Condition[] | undefined): FloorStanding {
  const isNews = findCondition(before ?? [], FLOOR_BOUND)?.reason !== ExemptionsLeftOut;
  return {
    condition: { type: FLOOR_BOUND, status: 'True', reason: ExemptionsLeftOut, message },
    waiting: undefined,
    events: isNews ? [{ type: 'Warning', reason: ExemptionsLeftOut, message }] : [],
  };
}

function leftOutWords(count: string): string {
  return `of the exemptions from it that count, it knows the ${MAX_EXEMPTIONS} that expire first, and not ${count} more: who is exempt by these is refused all the same. Make fewer that name more`;
}

/** The policy that is bound, if both are of the revision. */
function boundTo(
  binding: KubeObject | undefined,
  { metadata: { name } }: PolicyPackRevision,
  { policies }: FloorsSeen,
): KubeObject | undefined {
  if (binding === undefined || revisionOf(binding) !== name) return undefined;
  const policy = policies.find(({ metadata }) => metadata.name === policyNameOf(binding));
  return policy !== undefined && revisionOf(policy) === name ? policy : undefined;
}

/** A condition that was once said is not taken back, but told otherwise. */
function withoutFloor(conditions: readonly Condition[]): FloorStanding {
  if (findCondition(conditions, FLOOR_BOUND) === undefined)
    return { condition: undefined, waiting: undefined, events: [] };
  const message = 'what decides has no floor: its rules hold while the admission process answers';
  const condition = { type: FLOOR_BOUND, status: 'False', reason: NoFloor, message } as const;
  return { condition, waiting: undefined, events: [] };
}

function notBound(isFull: boolean): FloorStanding {
  const reason = isFull ? FloorFull : FloorPending;
  const message = isFull
    ? `${MAX_FLOORS} packs have a floor, and there is room for no more: take spec.source.inline.floor, or floor.yaml, out of one`
    : 'the policy of the floor is not bound yet';
  return {
    condition: { type: FLOOR_BOUND, status: 'False', reason, message },
    waiting: { kind: isFull ? 'stalled' : 'reconciling', reason, message },
    events: [],
  };
}
