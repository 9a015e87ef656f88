// SPDX-License-Identifier: Apache-2.0
import type { ImagePolicySpec } from '#crds/v1alpha1/image-policy';
import { isDeepEqual } from '../../core/compare.ts';
import { inputsDigest, isSameInputs, type PolicyInputs } from '../../core/images/inputs.ts';
import type { ImagePolicyObject } from '../../core/images/objects.ts';

/** All that a policy names, and the digest of that. */
export interface KeptRead {
  readonly inputs: PolicyInputs;
  readonly digest: string;
}

/** Sets of waivers that are remembered of one policy; each image may have another, and most have none. */
const MAX_SETS = 512;
/** So many policies are held before it is asked which of them are gone. */
const FEW = 64;

type IsThere = (object: ImagePolicyObject) => boolean;

interface Held {
  readonly object: ImagePolicyObject;
  /** What was seen last; one that says the same is another object after each write to the status of the policy. */
  lastSpec: ImagePolicySpec;
  /** By the waivers; what was asked for last is last. */
  readonly bySet: Map<string, KeptRead>;
}

/**
 * What was read of policies before: thousands of images are judged by the same, and its digest is over all that it names. As long as nothing of that
 * changes, its inputs are the same object, however often something else of the policy is written.
 */
export class PolicyReads {
  readonly #held = new Map<string, Held>();
  #mostBeforeSweep = FEW;

  /** Policies that something is held of. */
  get size(): number {
    return this.#held.size;
  }

  /**
   * The read before, where the policy and all that it names say the same; a new one otherwise. `isThere`: whether a policy is not gone; asked now and
   * then, so that nothing is held for those that are.
   */
  keep(object: ImagePolicyObject, named: Omit<PolicyInputs, 'spec'>, isThere: IsThere): KeptRead {
    const { object: first, bySet } = this.#of(object, isThere);
    const inputs: PolicyInputs = { spec: first.spec, ...named };
    const set = JSON.stringify(named.waivers);
    const before = bySet.get(set);
    const isSame = before !== undefined && isSameInputs(before.inputs, inputs);
    const kept = isSame ? before : { inputs, digest: inputsDigest(inputs) };
    bySet.delete(set);
    bySet.set(set, kept);
    for (const oldest of bySet.keys()) {
      if (bySet.size <= MAX_SETS) break;
      bySet.delete(oldest);
    }
    return kept;
  }

  #of(object: ImagePolicyObject, isThere: IsThere): Held {
    const { uid = '' } = object.metadata;
    const held = this.#held.get(uid);
    if (held !== undefined && isSameSpec(held, object.spec)) return held;
    if (held === undefined) this.#sweep(isThere);
    const fresh = { object, lastSpec: object.spec, bySet: new Map() };
    this.#held.set(uid, fresh);
    return fresh;
  }

  /** Only when there are twice as many as the last time: what it costs is shared by all that came meanwhile. */
  #sweep(isThere: IsThere): void {
    if (this.#held.size < this.#mostBeforeSweep) return;
    for (const [uid, { object }] of this.#held) if (!isThere(object)) this.#held.delete(uid);
    this.#mostBeforeSweep = Math.max(FEW, this.#held.size * 2);
  }
}

function isSameSpec(held: Held, spec: ImagePolicySpec): boolean {
  if (held.lastSpec === spec) return true;
  if (!isDeepEqual(held.object.spec, spec)) return false;
  held.lastSpec = spec;
  return true;
}
