// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS, LABELS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../object.ts';
import { DONE, type Plan, type Removal, removalOf, statusOnly } from '../plan.ts';
import type { Exemption } from '../policy/exemption.ts';
import type { TenantFacts } from '../policy/facts.ts';
import { floorExemptions } from './exemptions.ts';
import {
  bindingName,
  halfOf,
  type Half,
  MAX_FLOORS,
  otherHalf,
  policyName,
  slotOf,
  TRIAL_POLICY,
} from './names.ts';
import { bindingOf, type FloorSettings, type FloorSource, policyOf } from './objects.ts';

/** What a pack of the platform wants held below it. */
export interface FloorPack {
  readonly uid: string;
  /** A revision that the pack names has not been seen: as long as that is so, nothing of it changes. */
  readonly isBehind: boolean;
  /** Floor of the revision that decides. */
  readonly active: FloorSource | undefined;
  /** Floor of the one that may decide next: the candidate's, else that of the one before. It is made, and not bound. */
  readonly next: FloorSource | undefined;
}

/** What was seen. */
export interface FloorsObserved {
  readonly packs: readonly FloorPack[];
  /** Policies that are ours, whatever packs they are of. */
  readonly policies: readonly KubeObject[];
  readonly bindings: readonly KubeObject[];
  readonly tenants: readonly TenantFacts[];
  readonly exemptions: readonly Exemption[];
}

/** How long API servers may take to see a policy before something is bound to it: what they have not seen, they do not hold. */
const SEEN_MS = 3000;
/** Longer than a trial of a floor takes. */
const TRIAL_MS = 300_000;
/** A timer of Node takes no more than 24 days, and exemptions last for longer: it is looked at again before. */
const MAX_WAIT_MS = 24 * 3600 * 1000;

/** What is done for one pack. */
interface Part {
  readonly apply: readonly KubeObject[];
  readonly remove: readonly KubeObject[];
  readonly afterMs: number;
}

interface Slot {
  readonly number: number;
  readonly pack: FloorPack;
  readonly policies: ReadonlyMap<Half, KubeObject>;
  readonly binding: KubeObject | undefined;
}

const NOTHING: Part = { apply: [], remove: [], afterMs: Infinity };

/**
 * The floors of all packs, in one pass: so no two packs ever take the same names. Each has two policies: the binding goes from one to the other by
 * one write, with all that it says, once the other has been there for as long as API servers take to see it. What is as it should be is not written.
 */
export function planFloors(observed: FloorsObserved, settings: FloorSettings, now: Date): Plan<undefined> {
  const slots = slotsOf(observed);
  const taken = new Set(slots.map(({ number }) => number));
  const parts = [
    ...slots.map((slot) => planSlot(slot, { observed, settings, now })),
    clearAway(observed, taken, now),
  ];
  const afterMs = Math.min(...parts.map((one) => one.afterMs));
  return {
    ...statusOnly(undefined),
    apply: parts.flatMap(({ apply }) => apply),
    remove: parts.flatMap(({ remove }) => remove).map(gone),
    result:
      afterMs === Infinity
        ? DONE
        : {
            kind: 'requeueAfter',
            afterMs: Math.min(afterMs, MAX_WAIT_MS),
            why: 'a policy is to be bound, or an exemption expires',
          },
  };
}

function gone(object: KubeObject): Removal {
  return { ...removalOf(object), propagation: 'Background' };
}

/** Who has a slot keeps it; the others get one that nobody has, the lowest first. */
function slotsOf({ packs, policies, bindings }: FloorsObserved): readonly Slot[] {
  const held = new Map<number, string>();
  for (const { metadata } of [...policies, ...bindings]) {
    const slot = slotOf(metadata.name);
    if (slot !== undefined && !held.has(slot)) held.set(slot, metadata.labels?.[LABELS.packUid] ?? '');
  }
  const free = Array.from({ length: MAX_FLOORS }, (_, slot) => slot).filter((slot) => !held.has(slot));
  const own = new Map([...held].toReversed().map(([slot, uid]) => [uid, slot]));
  return packs
    .filter(({ uid, active, next, isBehind }) =>
      isBehind ? own.has(uid) : active !== undefined || next !== undefined,
    )
    .toSorted((a, b) => (a.uid < b.uid ? -1 : 1))
    .flatMap((pack) => {
      const number = own.get(pack.uid) ?? free.shift();
      return number === undefined ? [] : [{ number, pack, ...objectsIn(number, { policies, bindings }) }];
    });
}

function objectsIn(number: number, { policies, bindings }: Pick<FloorsObserved, 'policies' | 'bindings'>) {
  const found = policies.flatMap((one) => {
    const half = slotOf(one.metadata.name) === number ? halfOf(one.metadata.name) : undefined;
    return half === undefined ? [] : [[half, one] as const];
  });
  const binding = bindings.find(({ metadata }) => metadata.name === bindingName(number));
  return { policies: new Map(found), binding };
}

interface Context {
  readonly observed: FloorsObserved;
  readonly settings: FloorSettings;
  readonly now: Date;
}

function planSlot(slot: Slot, context: Context): Part {
  if (slot.pack.isBehind) return NOTHING;
  const placed = placesOf(slot);
  const made = placed.map(({ half, source }) => makePolicy(slot, { half, source }, context));
  const idle = [...slot.policies].filter(([half]) => !placed.some((one) => one.half === half));
  const bound = bind(slot, placed, context);
  const isBound = ({ metadata }: KubeObject) => metadata.name === bound.policyName;
  return {
    apply: [...made.flatMap(({ apply }) => apply), ...bound.apply],
    remove: [
      ...bound.remove,
      ...made.flatMap(({ remove }) => remove),
      ...idle.map(([, policy]) => policy).filter((policy) => !isBound(policy)),
    ],
    afterMs: Math.min(bound.afterMs, ...made.map(({ afterMs }) => afterMs)),
  };
}

interface Placed {
  readonly half: Half;
  readonly source: FloorSource;
}

/** Which half is whose: what is there stays where it is, and what is bound is never in the way of what is to be. */
function placesOf({ pack: { active, next }, policies, binding }: Slot): readonly Placed[] {
  const bound = halfOf(policyNameOf(binding) ?? '');
  const halfWith = ({ revision }: FloorSource) =>
    [...policies].find(([, policy]) => revisionOf(policy) === revision)?.[0];
  const placed = (source: FloorSource): Placed => ({
    source,
    half: halfWith(source) ?? (bound === undefined ? 'a' : otherHalf(bound)),
  });
  if (active === undefined) return next === undefined ? [] : [placed(next)];
  const first = placed(active);
  if (next === undefined || next.revision === active.revision) return [first];
  const half = otherHalf(first.half);
  // While the one before is still bound, there is no room for another.
  const isTaken = bound === half && halfWith(next) !== half;
  return isTaken ? [first] : [first, { half, source: next }];
}

/** One of another revision goes first: what has been there for long enough must have been this. */
function makePolicy(slot: Slot, { half, source }: Placed, { observed, settings, now }: Context): Part {
  const present = slot.policies.get(half);
  if (present !== undefined && revisionOf(present) !== source.revision)
    return { ...NOTHING, remove: [present] };
  const { untilMs, ...known } = floorExemptions(observed.exemptions, source.pack, now);
  const policy = policyOf(policyName(slot.number, half), source, { ...known, settings });
  return { ...NOTHING, apply: [policy], afterMs: Math.max(0, untilMs - now.getTime()) };
}

/** The binding, and which policy is bound after this. */
function bind(
  { number, pack: { active }, policies, binding }: Slot,
  placed: readonly Placed[],
  { observed: { tenants }, settings, now }: Context,
): Part & { readonly policyName: string | undefined } {
  if (active === undefined) {
    const remove = binding === undefined ? [] : [binding];
    return { ...NOTHING, remove, policyName: undefined };
  }
  const half = placed.find(({ source }) => source === active)?.half ?? 'a';
  const name = policyName(number, half);
  const present = policyNameOf(binding);
  const waitMs = present === undefined || present === name ? 0 : unseenMs(policies.get(half), active, now);
  if (waitMs > 0) return { ...NOTHING, afterMs: waitMs, policyName: present };
  const wanted = bindingOf(bindingName(number), active, { policyName: name, tenants, settings });
  return { ...NOTHING, apply: [wanted], policyName: name };
}

/** For how long a policy is too new to be bound where another one is. */
function unseenMs(policy: KubeObject | undefined, { revision }: FloorSource, now: Date): number {
  const madeAt = Date.parse(policy?.metadata.creationTimestamp ?? '');
  if (policy === undefined || revisionOf(policy) !== revision || Number.isNaN(madeAt)) return SEEN_MS;
  return madeAt + SEEN_MS - now.getTime();
}

/** What is of no pack any more: first what binds, so that nothing is bound to what is gone. */
function clearAway({ policies, bindings }: FloorsObserved, taken: ReadonlySet<number>, now: Date): Part {
  const isLoose = ({ metadata }: KubeObject) => {
    const slot = slotOf(metadata.name);
    return slot !== undefined && !taken.has(slot);
  };
  const isForgotten = ({ metadata }: KubeObject) =>
    metadata.name === TRIAL_POLICY && Date.parse(metadata.creationTimestamp ?? '') + TRIAL_MS < now.getTime();
  const remove = [...bindings.filter(isLoose), ...policies.filter((one) => isLoose(one) || isForgotten(one))];
  const hasTrial = policies.some(({ metadata }) => metadata.name === TRIAL_POLICY);
  return { ...NOTHING, remove, afterMs: hasTrial ? TRIAL_MS : Infinity };
}

/** Name of the policy that a binding binds. */
export function policyNameOf(binding: KubeObject | undefined): string | undefined {
  const spec = binding?.['spec'] as { readonly policyName?: string } | undefined;
  return spec?.policyName;
}

/** Name of the PolicyPackRevision that a policy, or a binding, is of. */
export function revisionOf({ metadata }: KubeObject): string | undefined {
  return metadata.annotations?.[ANNOTATIONS.floorOf];
}
