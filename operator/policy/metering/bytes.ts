// SPDX-License-Identifier: Apache-2.0
import { ByteReader } from '../binary/reader.ts';

/** Pieces of a binary, in their order. */
export type ByteParts = readonly (Uint8Array | readonly number[])[];

/** A number of at most 32 bits in LEB128. */
export function unsignedBytes(value: number): readonly number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}

/** The same with a sign. */
export function signedBytes(value: number): readonly number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (; rest < -64 || rest > 63; rest >>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest & 0x7f];
}

/** All pieces in one. */
export function joined(parts: ByteParts): Uint8Array {
  const all = new Uint8Array(lengthOf(parts));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** A section, with its kind and length before it. */
export function section(id: number, content: ByteParts): ByteParts {
  return [[id, ...unsignedBytes(lengthOf(content))], ...content];
}

/** A section that is a list, with more at its end. */
export function listSection(
  id: number,
  { content, more }: { readonly content: Uint8Array; readonly more: ByteParts },
): ByteParts {
  const reader = new ByteReader(content);
  const count = reader.u32();
  return section(id, [unsignedBytes(count + more.length), content.subarray(reader.at), ...more]);
}

/** A piece of code, with its length before it. */
export function sized(parts: ByteParts): ByteParts {
  return [unsignedBytes(lengthOf(parts)), ...parts];
}

function lengthOf(parts: ByteParts): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}
