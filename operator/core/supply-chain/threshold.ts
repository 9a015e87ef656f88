// SPDX-License-Identifier: Apache-2.0

/** Somebody who was believed, in the name of an authority. */
export interface Voice {
  readonly authority: string;
  /** All that tells who it is: a key, and the identity of a certificate. Whoever shares one of them is the same. */
  readonly marks: readonly string[];
}

/**
 * How many authorities spoke through somebody of their own: one signer counts once, under however many names a policy
 * knows it. It is the largest number of pairs, an authority and a signer, in which nobody is twice.
 */
export function distinctVoices(voices: readonly Voice[]): number {
  const signerOf = new Signers(voices.map((one) => one.marks));
  const signersOf = new Map<string, Set<string>>();
  for (const { authority, marks } of voices) {
    const signers = signersOf.get(authority) ?? new Set();
    signersOf.set(authority, signers.add(signerOf.find(marks[0] ?? authority)));
  }
  const speaksFor = new Map<string, string>();
  let count = 0;
  for (const authority of signersOf.keys()) {
    if (canSpeak(authority, { signersOf, speaksFor, tried: new Set() })) count += 1;
  }
  return count;
}

interface Pairing {
  readonly signersOf: ReadonlyMap<string, ReadonlySet<string>>;
  readonly speaksFor: Map<string, string>;
  readonly tried: Set<string>;
}

/** Finds a signer for an authority, where need be one whose own authority finds another. */
function canSpeak(authority: string, pairing: Pairing): boolean {
  const { signersOf, speaksFor, tried } = pairing;
  for (const signer of signersOf.get(authority) ?? []) {
    if (tried.has(signer)) continue;
    tried.add(signer);
    const other = speaksFor.get(signer);
    if (other === undefined || canSpeak(other, pairing)) {
      speaksFor.set(signer, authority);
      return true;
    }
  }
  return false;
}

/** Marks that are of one signer, joined. */
class Signers {
  readonly #parents = new Map<string, string>();

  constructor(together: readonly (readonly string[])[]) {
    for (const [first, ...others] of together) {
      if (first === undefined) continue;
      for (const other of others) this.#parents.set(this.find(other), this.find(first));
    }
  }

  /** What stands for all marks of the signer that has this one. */
  find(mark: string): string {
    let here = mark;
    for (let parent = this.#parents.get(here); parent !== undefined && parent !== here; ) {
      here = parent;
      parent = this.#parents.get(here);
    }
    return here;
  }
}
