// SPDX-License-Identifier: Apache-2.0
import { VERDICT_KEYS_NAME } from '#crds/v1alpha1/names';
import type { TrustRootStatus } from '#crds/v1alpha1/trust-root';
import type { PolicyInputs } from './inputs.ts';
import type { Proof } from './proof.ts';
import type { ImageVerifier } from './verification.ts';

/** What is wrong with what a policy, or a root, says: where, what was found, what would pass. */
export interface Problem {
  readonly field: string;
  readonly found: string;
  readonly wanted: string;
  /** What is there, and may not be read. */
  readonly isForbidden?: boolean;
  /** What it names is not there: it may come, without anything being written otherwise. */
  readonly isMissing?: boolean;
}

/** A trust root that was read. */
export interface RootRead {
  readonly digest: string;
  readonly parts: NonNullable<TrustRootStatus['parts']>;
}

/** What the controllers of images have done for them, beside the loop or by libraries that know keys and certificates. */
export interface ImageWorks {
  readonly verifier: ImageVerifier;
  /** Reads a `trusted_root.json`. */
  readonly readRoot: (text: string) => RootRead | Problem;
  /** What of a policy cannot be read; none where all can. */
  readonly problemsOf: (inputs: PolicyInputs) => readonly Problem[];
  /** A new key to sign proofs with: the private one, in PEM. */
  readonly newKey: () => string;
  /** The public half of a private key, in PEM; undefined where it is none that proofs are signed with. */
  readonly publicKeyOf: (key: string) => string | undefined;
  /** A proof, signed. */
  readonly seal: (proof: Proof, key: string) => string;
  /** What was signed by that key; undefined where it was not, by that one. */
  readonly open: (sealed: string, key: string) => Proof | undefined;
}

/** The Secret with the key that proofs are signed with, in the namespace of the platform. */
export const SIGNING_SECRET = 'nexusos-verdict-signing';
/** The entry in it. */
export const SIGNING_ENTRY = 'signing.key';
/** The ConfigMap with the public half, where admission looks for it. */
export const VERDICT_KEYS = VERDICT_KEYS_NAME;
