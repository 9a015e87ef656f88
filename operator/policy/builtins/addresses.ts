// SPDX-License-Identifier: Apache-2.0

/** An address of 32 or 128 bits. */
export interface Address {
  readonly value: bigint;
  readonly bits: number;
}

/** All addresses from the first to the last. */
export interface Network {
  readonly first: bigint;
  readonly last: bigint;
  readonly bits: number;
}

/** Of IPv6, where addresses of IPv4 stand in. */
const MAPPED = 0xffffn << 32n;

/** Undefined for what is no address. One of IPv4 in the form of IPv6 is one of IPv4. */
export function parseAddress(text: string): Address | undefined {
  const short = parseIPv4(text);
  if (short !== undefined) return { value: short, bits: 32 };
  const value = parseIPv6(text);
  if (value === undefined) return undefined;
  return value >> 32n === 0xffffn ? { value: value - MAPPED, bits: 32 } : { value, bits: 128 };
}

/** An address and a length; undefined for what is none. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', length = '', ...more] = text.split('/');
  const short = parseIPv4(address);
  const bits = short === undefined ? 128 : 32;
  const value = short ?? parseIPv6(address);
  const ones = /^[0-9]{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (more.length > 0 || value === undefined || !(ones <= bits)) return undefined;
  const size = 1n << BigInt(bits - ones);
  const first = (value / size) * size;
  return { first, last: first + size - 1n, bits };
}

/** A range that is one network, with its length. */
export function showNetwork({ first, last, bits }: Network): string {
  const ones = bits - ((last - first + 1n).toString(2).length - 1);
  return `${showAddress(first, bits)}/${ones}`;
}

/** An address as Go writes it: of IPv6, the longest run of zeros is left out. */
export function showAddress(value: bigint, bits: number): string {
  if (bits === 32) return groupsOf(value, { bits, size: 8 }).join('.');
  if (value >> 32n === 0xffffn) return showAddress(value - MAPPED, 32);
  const groups = groupsOf(value, { bits, size: 16 }).map((group) => group.toString(16));
  const zeros = longestZeros(groups);
  if (zeros.length < 2) return groups.join(':');
  return `${groups.slice(0, zeros.at).join(':')}::${groups.slice(zeros.at + zeros.length).join(':')}`;
}

function longestZeros(groups: readonly string[]): { readonly at: number; readonly length: number } {
  let longest = { at: 0, length: 0 };
  let current = { at: 0, length: 0 };
  for (const [at, group] of groups.entries()) {
    current = group === '0' ? { ...current, length: current.length + 1 } : { at: at + 1, length: 0 };
    if (current.length > longest.length) longest = current;
  }
  return longest;
}

function groupsOf(
  value: bigint,
  { bits, size }: { readonly bits: number; readonly size: number },
): readonly number[] {
  const count = bits / size;
  return Array.from({ length: count }, (_, index) =>
    Number(BigInt.asUintN(size, value >> BigInt(bits - size * (index + 1)))),
  );
}

/** Four numbers without zeros before them. */
function parseIPv4(text: string): bigint | undefined {
  if (!/^(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}$/.test(text)) return undefined;
  const numbers = text.split('.').map(Number);
  return numbers.some((one) => one > 255) ? undefined : numberOf(numbers, 8n);
}

/** Eight groups; once, two colons stand for one or more that are zero. The last two may be written as IPv4. */
function parseIPv6(text: string): bigint | undefined {
  const plain = withoutDots(text);
  if (plain === undefined) return undefined;
  const [head = '', tail, ...more] = plain.split('::');
  const groups = tail === undefined ? hexGroups(head) : withZeros(hexGroups(head), hexGroups(tail));
  return groups?.length !== 8 || more.length > 0 ? undefined : numberOf(groups, 16n);
}

/** The same with the last two groups as such; undefined where they are no address of IPv4. */
function withoutDots(text: string): string | undefined {
  const [, start = '', end] = /^(.*:)([0-9.]+\.[0-9.]+)$/.exec(text) ?? [];
  if (end === undefined) return text;
  const low = parseIPv4(end);
  return low === undefined
    ? undefined
    : `${start}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
}

function withZeros(head: Groups, tail: Groups): Groups {
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  return missing < 1 ? undefined : [...head, ...Array.from({ length: missing }, () => 0), ...tail];
}

/** Undefined where one is none. */
type Groups = readonly number[] | undefined;

function hexGroups(text: string): Groups {
  if (text === '') return [];
  const groups = text.split(':');
  return groups.every((one) => /^[0-9a-f]{1,4}$/i.test(one))
    ? groups.map((one) => Number.parseInt(one, 16))
    : undefined;
}

function numberOf(groups: readonly number[], size: bigint): bigint {
  return groups.reduce((value, group) => (value << size) | BigInt(group), 0n);
}
