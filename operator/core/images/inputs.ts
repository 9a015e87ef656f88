// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import type { ImagePolicySpec } from '#crds/v1alpha1/image-policy';
import { canonicalJson } from '../compare.ts';
import type { Waiver } from '../supply-chain/requirement.ts';

/** A policy on images, with all that it names. Plain data: it is sent to another process. */
export interface PolicyInputs {
  readonly spec: ImagePolicySpec;
  /** By name of the TrustRoot, its `trusted_root.json`; what does not exist is not there. */
  readonly roots: Readonly<Record<string, string>>;
  /** By `<secret>/<key>`, in PEM; what does not exist, or may not be read, is not there. */
  readonly keys: Readonly<Record<string, string>>;
  /** Names of Secrets that may not be read where the policy is; that says why keys are missing, and changes no verdict. */
  readonly forbidden?: readonly string[];
  readonly waivers: readonly Waiver[];
}

/**
 * The digest of all that verdicts of a policy depend on, beside the image and the time. What only says when a policy is asked, and what
 * becomes of its answer, changes no verdict.
 */
export function inputsDigest({ spec, roots, keys, waivers }: PolicyInputs): string {
  const { authorities, require, revoked, platforms } = spec;
  const text = canonicalJson({ spec: { authorities, require, revoked, platforms }, roots, keys, waivers });
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

/** Whether nothing of what a policy names is another. To compare long texts is cheap, to hash them is not. */
export function isSameInputs(one: PolicyInputs, other: PolicyInputs): boolean {
  return (
    one.spec === other.spec &&
    isSameEach(one.roots, other.roots) &&
    isSameEach(one.keys, other.keys) &&
    isSameEach(one.forbidden ?? [], other.forbidden ?? []) &&
    one.waivers.length === other.waivers.length &&
    one.waivers.every((waiver, index) => isSameEach(waiver, other.waivers[index] ?? {}))
  );
}

/** Of what has only texts and numbers in it. */
function isSameEach(one: object, other: object): boolean {
  const entries = Object.entries(one);
  const values = new Map<string, unknown>(Object.entries(other));
  return (
    entries.length === values.size &&
    entries.every(([name, value]) => values.has(name) && values.get(name) === value)
  );
}
