// SPDX-License-Identifier: Apache-2.0

/**
 * The few ASN.1 types that a certificate is written with, in DER (X.690). Writing only: what we write is
 * small and fixed, and every reader of it (Go, OpenSSL) checks it strictly.
 */

/** One element: tag, length, content. */
export function element(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag]), encodeLength(content.length), content]);
}

/** SEQUENCE. */
export function sequence(...items: readonly Uint8Array[]): Buffer {
  return element(0x30, ...items);
}

/** SET of one item; longer ones would have to be sorted. */
export function setOfOne(item: Uint8Array): Buffer {
  return element(0x31, item);
}

/** BOOLEAN TRUE; DER never writes a default FALSE. */
export const asTrue: Buffer = element(0x01, Buffer.from([0xff]));

/** Non-negative INTEGER of any size, from its big-endian bytes. */
export function integer(bytes: Uint8Array): Buffer {
  const firstDigit = bytes.findIndex((byte) => byte !== 0);
  const digits = firstDigit === -1 ? Buffer.from([0]) : Buffer.from(bytes.subarray(firstDigit));
  // A set top bit would read as a minus sign.
  const sign = (digits[0] ?? 0) >= 0x80 ? Buffer.from([0]) : Buffer.alloc(0);
  return element(0x02, sign, digits);
}

/** BIT STRING without unused bits. */
export function bitString(content: Uint8Array): Buffer {
  return element(0x03, Buffer.from([0]), content);
}

/** BIT STRING of named bits: `bits` from the left, as X.509 numbers them. Trailing zeros are not written. */
export function namedBits(bits: readonly number[]): Buffer {
  const highest = Math.max(...bits);
  const bytes = Buffer.alloc(Math.floor(highest / 8) + 1);
  for (const bit of bits) {
    const index = Math.floor(bit / 8);
    bytes[index] = (bytes[index] ?? 0) | (0x80 >> (bit % 8));
  }
  return element(0x03, Buffer.from([7 - (highest % 8)]), bytes);
}

/** OCTET STRING. */
export function octetString(content: Uint8Array): Buffer {
  return element(0x04, content);
}

/** UTF8String. */
export function utf8String(text: string): Buffer {
  return element(0x0c, Buffer.from(text, 'utf8'));
}

/** OBJECT IDENTIFIER from its dotted form, `1.2.840.10045.4.3.2`. */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return element(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

/** UTCTime, good until 2049; X.509 demands it up to then. */
export function utcTime(at: Date): Buffer {
  const digits = at.toISOString().replace(/[-:T]/g, '').slice(2, 14);
  return element(0x17, Buffer.from(`${digits}Z`, 'ascii'));
}

/** A context-specific element `[tag]` that holds other elements. */
export function explicit(tag: number, content: Uint8Array): Buffer {
  return element(0xa0 + tag, content);
}

/** A context-specific element `[tag]` with content of its own. */
export function implicit(tag: number, content: Uint8Array): Buffer {
  return element(0x80 + tag, content);
}

function encodeLength(length: number): Buffer {
  if (length < 0x80) {
    return Buffer.from([length]);
  }
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) {
    bytes.unshift(rest % 256);
  }
  return Buffer.from([0x80 + bytes.length, ...bytes]);
}

function base128(number: number): readonly number[] {
  const bytes = [number % 128];
  for (let rest = Math.floor(number / 128); rest > 0; rest = Math.floor(rest / 128)) {
    bytes.unshift(0x80 + (rest % 128));
  }
  return bytes;
}
