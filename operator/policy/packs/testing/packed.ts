// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { PolicyBlob } from '#crds/v1alpha1/policy-pack-revision';

/** Bytes as a revision keeps them: what names them, and the parts by their names. */
export interface Packed {
  readonly blob: PolicyBlob;
  readonly parts: ReadonlyMap<string, Uint8Array>;
}

/** Packs bytes into parts of at most `partBytes`, named after `name`. */
export function pack(name: string, bytes: Uint8Array, partBytes = 700 * 1024): Packed {
  const compressed = gzipSync(bytes);
  const parts = new Map<string, Uint8Array>();
  for (let at = 0; at < compressed.length; at += partBytes)
    parts.set(`${name}-${parts.size}`, compressed.subarray(at, at + partBytes));
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  return { blob: { digest, size: bytes.length, chunks: [...parts.keys()] }, parts };
}
