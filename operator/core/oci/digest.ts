// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';

const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** Whether a text is a digest as it is written in full, of an algorithm that is taken. */
export function isDigest(text: string): boolean {
  return text.length <= 135 && DIGEST.test(text);
}

/** The algorithm of a digest. */
export function algorithmOf(digest: string): 'sha256' | 'sha512' {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256';
}

/** The digest of bytes, by the algorithm of `like`, which is sha256 if nothing is said. */
export function digestOfBytes(bytes: Uint8Array, like = 'sha256:'): string {
  const algorithm = algorithmOf(like);
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

/** The tag by which registries without the API of referrers keep what refers to a digest: `sha256-<hex>`. */
export function referrersTag(digest: string): string {
  // As long as a tag may be.
  return digest.replace(':', '-').slice(0, 128);
}
