// SPDX-License-Identifier: Apache-2.0

/** A range of addresses of one family: all that share the first `prefix` bits with `base`. */
export interface Cidr {
  readonly family: 4 | 6;
  /** First address of the range, as an integer. */
  readonly base: bigint;
  readonly prefix: number;
}

const BITS = { 4: 32, 6: 128 } as const;

/**
 * Reads `203.0.113.0/24` or `2001:db8::/32`; bits after the prefix are dropped. Undefined for what is no range, and
 * for IPv4 addresses written as IPv6, which would slip past a comparison with IPv4 ranges.
 */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/');
  const length = text.slice(slash + 1);
  if (slash < 0 || !/^\d{1,3}$/.test(length)) return undefined;
  const address = text.slice(0, slash);
  const family = address.includes(':') ? 6 : 4;
  const value = family === 6 ? parseIPv6(address) : parseIPv4(address);
  const prefix = Number(length);
  if (value === undefined || prefix > BITS[family]) return undefined;
  const hostBits = BigInt(BITS[family] - prefix);
  return { family, base: (value >> hostBits) << hostBits, prefix };
}

/** The canonical text of a range: lower case, no leading zeros, the longest run of zero groups as `::`. */
export function formatCidr(cidr: Cidr): string {
  const address = cidr.family === 4 ? formatIPv4(cidr.base) : formatIPv6(cidr.base);
  return `${address}/${cidr.prefix}`;
}

/** The range of `prefix` bits that `inner` lies in. */
export function rangeAround(inner: Cidr, prefix: number): Cidr {
  const hostBits = BigInt(BITS[inner.family] - prefix);
  return { family: inner.family, base: (inner.base >> hostBits) << hostBits, prefix };
}

/** Whether every address of `inner` lies in `outer`. A range contains itself. */
export function containsCidr(outer: Cidr, inner: Cidr): boolean {
  if (outer.family !== inner.family || outer.prefix > inner.prefix) return false;
  const hostBits = BigInt(BITS[outer.family] - outer.prefix);
  return outer.base >> hostBits === inner.base >> hostBits;
}

/** The ranges that are in no other of `ranges`, each once. */
export function outermost(ranges: readonly Cidr[]): readonly Cidr[] {
  return ranges.filter(
    (one, i) =>
      !ranges.some((other, j) => i !== j && containsCidr(other, one) && (!containsCidr(one, other) || j < i)),
  );
}

function parseIPv4(text: string): bigint | undefined {
  const parts = text.split('.');
  // A leading zero means octal to some readers and decimal to others, so it is no address at all.
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part))) return undefined;
  const bytes = parts.map(Number);
  if (bytes.some((byte) => byte > 255)) return undefined;
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function parseIPv6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => '0'), ...tail];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  const value = groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
  const isMappedIPv4 = value >> 32n === 0xff_ffn;
  return isMappedIPv4 ? undefined : value;
}

function formatIPv4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.');
}

function formatIPv6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((value >> BigInt(16 * (7 - i))) & 0xff_ffn).toString(16),
  ).join(':');
  const [longest] = [...groups.matchAll(/\b0(:0)+\b/g)].toSorted((a, b) => b[0].length - a[0].length);
  if (longest === undefined) return groups;
  const end = longest.index + longest[0].length;
  return `${groups.slice(0, longest.index).replace(/:$/, '')}::${groups.slice(end).replace(/^:/, '')}`;
}
