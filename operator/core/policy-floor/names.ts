// SPDX-License-Identifier: Apache-2.0

/**
 * How many packs can have a floor at one time. The API server lets no policy judge who writes policies, so nothing but RBAC keeps the operator's token
 * from undoing the guardrails; and RBAC knows whole names only. So all names that the operator may write are known beforehand.
 */
export const MAX_FLOORS = 16;
const PREFIX = 'nexusos-floor-';
const HALVES = ['a', 'b'] as const;

/** Each slot has two policies: one that decides, and one that is about to, or did before. */
export type Half = (typeof HALVES)[number];

/** The policy that a floor is tried as before its pack has a revision. Never bound, so it judges nobody. */
export const TRIAL_POLICY = `${PREFIX}trial`;

/** bindingName(3) -> 'nexusos-floor-3' */
export function bindingName(slot: number): string {
  return `${PREFIX}${slot}`;
}

/** policyName(3, 'b') -> 'nexusos-floor-3-b' */
export function policyName(slot: number, half: Half): string {
  return `${PREFIX}${slot}-${half}`;
}

/** The other one. */
export function otherHalf(half: Half): Half {
  return half === 'a' ? 'b' : 'a';
}

const SLOTS = Array.from({ length: MAX_FLOORS }, (_, slot) => slot);

/** Names of all policies that the operator may write. */
export const POLICY_NAMES: readonly string[] = [
  ...SLOTS.flatMap((slot) => HALVES.map((half) => policyName(slot, half))),
  TRIAL_POLICY,
];

/** Names of all bindings that the operator may write. */
export const BINDING_NAMES: readonly string[] = SLOTS.map(bindingName);

/** slotOf('nexusos-floor-3-b') -> 3, as of 'nexusos-floor-3'; undefined for any other name. */
export function slotOf(name: string): number | undefined {
  const found = /^nexusos-floor-(\d{1,2})(?:-[ab])?$/.exec(name);
  const slot = Number(found?.[1] ?? Number.NaN);
  return slot < MAX_FLOORS ? slot : undefined;
}

/** halfOf('nexusos-floor-3-b') -> 'b' */
export function halfOf(name: string): Half | undefined {
  return HALVES.find((half) => slotOf(name) !== undefined && name.endsWith(`-${half}`));
}
