// SPDX-License-Identifier: Apache-2.0
import type { TrustedIdentity } from './identity.ts';
import type { TrustedKey } from './keys.ts';
import type { TrustRoot } from './trust-root.ts';

/** Whose signature counts, with everything read that is needed to check one. */
export interface ReadyAuthority {
  readonly name: string;
  readonly signer:
    | { readonly kind: 'keys'; readonly keys: readonly TrustedKey[] }
    | {
        readonly kind: 'certificates';
        readonly identities: readonly TrustedIdentity[];
        /** Whether the certificate has to be in a certificate log of the root: not those of an authority of one's own. */
        readonly certificateLog: 'Required' | 'Ignored';
      };
  /** Logs, authorities and timestamp authorities. Keys that need no log need none. */
  readonly root?: TrustRoot;
  /** Whether the signature has to be in a transparency log. */
  readonly log: 'Required' | 'Ignored';
  /**
   * What says when it was signed. Timestamp: an RFC 3161 authority. Log: that, or a log. Observer: whoever looks, so that a certificate has to be valid now
   * still. Keys do not expire by themselves, so with Observer no time is asked for.
   */
  readonly time: 'Timestamp' | 'Log' | 'Observer';
}

/** Who signed, as was proved. */
export interface ProvenSigner {
  readonly authority: string;
  /** Of the key, in hex. */
  readonly fingerprint: string;
  readonly identity?: { readonly issuer: string; readonly subject: string };
  /** When, by the earliest time that was proved. */
  readonly signedAt?: string;
  /** Until when that holds by itself: of a certificate that is believed because it is valid now. */
  readonly validUntil?: string;
}
