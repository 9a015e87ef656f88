// SPDX-License-Identifier: Apache-2.0
import type { Proof } from './proof.ts';

/** Of how many policies a proof says what the image is to them, and not only why that could not be told. */
export function toldBy({ policies }: Proof): number {
  return policies.filter(({ outcome }) => outcome !== 'Unknown').length;
}

/**
 * Of what was proved of one image by several names of it, what is gone by: the latest, and where that could not tell all, the one beside it that tells
 * most. No more than these are held, since anybody can make up names of a digest. One of the same name takes the place of the one before.
 */
export function withProof(before: readonly Proof[], proof: Proof): readonly Proof[] {
  const same = before.find(({ image }) => image === proof.image);
  if (same !== undefined && byTime(same, proof) <= 0) return before;
  const [latest = proof, ...others] = [...before.filter((one) => one !== same), proof].toSorted(byTime);
  if (toldBy(latest) === latest.policies.length) return [latest];
  const most = Math.max(...others.map(toldBy));
  return most > 0 ? [latest, ...others.filter((one) => toldBy(one) === most).slice(0, 1)] : [latest];
}

/** The latest first. */
function byTime(one: Proof, other: Proof): number {
  return Date.parse(other.verifiedAt) - Date.parse(one.verifiedAt);
}
