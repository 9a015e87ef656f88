// SPDX-License-Identifier: Apache-2.0
import { type Builtins, fromWhole, objectOf, ofTexts } from './builtin.ts';
import type { Value } from '../values/value.ts';

/** Between the beginning of the calendar that UUIDs count by and that of Unix, in 100 ns. */
const CALENDAR_OFFSET = 122_192_928_000_000_000n;
const DOMAINS = ['Person', 'Group', 'Org'];

/** What is of no family. */
export const MISC_BUILTINS: Builtins = {
  'uuid.parse': ofTexts(parseUuid),
  // Notes are for those who write policies, and they have `opa eval`.
  trace: ([note]) => (typeof note === 'string' ? true : undefined),
  // What a host tells of itself is none of a policy's business.
  'opa.runtime': () => objectOf({}),
};

function parseUuid(text: string): Value | undefined {
  const plain = text.replace(/^urn:uuid:/i, '').replace(/^\{(.*)\}$/, '$1');
  const isUuid =
    /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(plain) ||
    /^[0-9a-f]{32}$/i.test(text);
  if (!isUuid) return undefined;
  const bytes = Buffer.from(plain.replaceAll('-', ''), 'hex');
  const version = (bytes[6] ?? 0) >> 4;
  const known = { version, variant: variantOf(bytes[8] ?? 0) };
  if (version !== 1 && version !== 2) return objectOf(known);
  const parts = { ...known, ...placeAndTime(bytes) };
  if (version === 1) return objectOf(parts);
  const domain = bytes[9] ?? 0;
  return objectOf({ ...parts, id: bytes.readUInt32BE(0), domain: DOMAINS[domain] ?? `Domain${domain}` });
}

function variantOf(byte: number): string {
  if (byte >> 6 === 0b10) return 'RFC4122';
  if (byte >> 5 === 0b110) return 'Microsoft';
  return byte >> 5 === 0b111 ? 'Future' : 'Reserved';
}

/** Where and when a UUID was made, where it tells. */
function placeAndTime(bytes: Buffer): Readonly<Record<string, Value>> {
  const high = BigInt(bytes.readUInt16BE(6) & 0xfff) << 48n;
  const ticks = high | (BigInt(bytes.readUInt16BE(4)) << 32n) | BigInt(bytes.readUInt32BE(0));
  const node = Array.from(bytes.subarray(10), (byte) => byte.toString(16).padStart(2, '0'));
  return {
    time: fromWhole(BigInt.asIntN(64, (ticks - CALENDAR_OFFSET) * 100n)),
    nodeid: node.join('-'),
    macvariables: `${(bytes[10] ?? 0) & 2 ? 'local' : 'global'}:${(bytes[10] ?? 0) & 1 ? 'multicast' : 'unicast'}`,
    clocksequence: bytes.readUInt16BE(8) & 0x3fff,
  };
}
