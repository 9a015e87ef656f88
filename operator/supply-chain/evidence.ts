// SPDX-License-Identifier: Apache-2.0
import type { NotKnown } from '../core/supply-chain/judgement.ts';

/** A document that was attached to an image by somebody, as it was fetched: its digest is checked, and nothing else. */
export interface Evidence {
  readonly form: 'bundle' | 'signature' | 'attestation';
  /** Digest of the manifest that it is in: what it is called in verdicts. */
  readonly origin: string;
  /** A sigstore bundle; a payload of simple signing; a DSSE envelope. */
  readonly bytes: Uint8Array;
  /** Of the layer: proofs of the two older forms are there. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** What is attached to an image. */
export interface Gathered {
  /** The manifest or index that is asked about, byte by byte. */
  readonly subject: Uint8Array;
  readonly evidence: readonly Evidence[];
  /** Why something may be missing. What is there may suffice all the same; what is not there is then never concluded from. */
  readonly incomplete?: NotKnown;
}

/** Documents that are read of one image: one that has more has them from somebody who wants this to take long. */
export const MAX_EVIDENCE = 128;

/** Where what was fetched is held meanwhile. */
export interface Room {
  /** Takes room for so many bytes more, when there is some; why there is none. */
  take(bytes: number): Promise<NotKnown | undefined>;
}

/** Where evidence comes from: a registry, a folder, or what a test wrote. It never rejects; what could not be fetched at all is a value. */
export interface EvidenceSource {
  gather(digest: string, signal?: AbortSignal): Promise<Gathered | NotKnown>;
}
