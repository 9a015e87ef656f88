// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import type { PolicyBlob } from '#crds/v1alpha1/policy-pack-revision';

/** The most bytes that parts have together, compressed: as many ConfigMaps as a revision may name, of what one may hold. */
const MAX_COMPRESSED = 16 * 1024 * 1024;

/** What was kept in parts, whole again; or why it is not to be had. */
export type AssembledBlob =
  | { readonly kind: 'ok'; readonly bytes: Uint8Array }
  | { readonly kind: 'missing'; readonly chunk: string }
  | {
      readonly kind: 'refused';
      readonly reason: 'TooLarge' | 'Corrupt' | 'DigestMismatch';
      readonly message: string;
    };

/**
 * Puts the parts of a module, or of data, together. Nothing is done with them before the digest is the one that the revision names;
 * and no more is unpacked than that says, whatever the parts would become.
 */
export function assembleBlob(
  blob: PolicyBlob,
  partOf: (chunk: string) => Uint8Array | undefined,
): AssembledBlob {
  const parts: Uint8Array[] = [];
  let size = 0;
  for (const chunk of blob.chunks) {
    const part = partOf(chunk);
    if (part === undefined) return { kind: 'missing', chunk };
    size += part.length;
    if (size > MAX_COMPRESSED) return refused('TooLarge', `its parts have more than ${MAX_COMPRESSED} bytes`);
    parts.push(part);
  }
  return unpack(blob, Buffer.concat(parts));
}

function unpack(blob: PolicyBlob, compressed: Buffer): AssembledBlob {
  let bytes: Buffer;
  try {
    bytes = gunzipSync(compressed, { maxOutputLength: blob.size });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'ERR_BUFFER_TOO_LARGE')
      return refused('TooLarge', `it has more than the ${blob.size} bytes that the revision names`);
    return refused('Corrupt', 'its parts are not what was packed');
  }
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  if (digest !== blob.digest)
    return refused('DigestMismatch', `it has the digest ${digest}, and the revision names ${blob.digest}`);
  return { kind: 'ok', bytes };
}

function refused(
  reason: Extract<AssembledBlob, { kind: 'refused' }>['reason'],
  message: string,
): AssembledBlob {
  return { kind: 'refused', reason, message };
}
