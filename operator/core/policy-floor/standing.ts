// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import { POLICY_PACK_REASONS } from '#crds/v1alpha1/policy-pack';
import { type ConditionInput, findCondition, type Standing } from '../conditions.ts';
import type { Condition, KubeObject } from '../object.ts';
import type { PolicyPackRevision } from '../policy-pack/pack.ts';
import { MAX_FLOORS } from './names.ts';
import { policyNameOf, revisionOf } from './plan.ts';

const { FloorHeld, FloorPending, FloorFull, NoFloor } = POLICY_PACK_REASONS;
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
  if (binding === undefined || !isOf(binding, revision, seen))
    return notBound(binding === undefined && seen.bindings.length >= MAX_FLOORS);
  const rules = floor.rules.map((one) => one.rule).join(', ');
  const message = `the API server itself holds, by ${binding.metadata.name}: ${rules}`;
  return {
    condition: { type: FLOOR_BOUND, status: 'True', reason: FloorHeld, message },
    waiting: undefined,
  };
}

/** Whether a binding, and the policy that it binds, are of the revision. */
function isOf(
  binding: KubeObject,
  { metadata: { name } }: PolicyPackRevision,
  { policies }: FloorsSeen,
): boolean {
  const policy = policies.find(({ metadata }) => metadata.name === policyNameOf(binding));
  return revisionOf(binding) === name && policy !== undefined && revisionOf(policy) === name;
}

/** A condition that was once said is not taken back, but told otherwise. */
function withoutFloor(conditions: readonly Condition[]): FloorStanding {
  if (findCondition(conditions, FLOOR_BOUND) === undefined)
    return { condition: undefined, waiting: undefined };
  const message = 'what decides has no floor: its rules hold while the admission process answers';
  return { condition: { type: FLOOR_BOUND, status: 'False', reason: NoFloor, message }, waiting: undefined };
}

function notBound(isFull: boolean): FloorStanding {
  const reason = isFull ? FloorFull : FloorPending;
  const message = isFull
    ? `${MAX_FLOORS} packs have a floor, and there is room for no more: take spec.source.inline.floor, or floor.yaml, out of one`
    : 'the policy of the floor is not bound yet';
  return {
    condition: { type: FLOOR_BOUND, status: 'False', reason, message },
    waiting: { kind: isFull ? 'stalled' : 'reconciling', reason, message },
  };
}
