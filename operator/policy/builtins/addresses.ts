// SPDX-License-Identifier: Apache-2.0
import { isIPv4, isIPv6 } from 'node:net';

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
  if (isIPv4(text)) return { value: numberOf(text.split('.').map(Number), 8n), bits: 32 };
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const value = parseIPv6(text);
  return value >> 32n === 0xffffn ? { value: value - MAPPED, bits: 32 } : { value, bits: 128 };
}

/** An address and a length; undefined for what is none. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', length = '', ...more] = text.split('/');
  const parsed =
    isIPv6(address) && !address.includes('%')
      ? { value: parseIPv6(address), bits: 128 }
      : parseAddress(address);
  const ones = /^[0-9]{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (more.length > 0 || parsed === undefined || !(ones <= parsed.bits)) return undefined;
  const size = 1n << BigInt(parsed.bits - ones);
  const first = (parsed.value / size) * size;
  return { first, last: first + size - 1n, bits: parsed.bits };
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

function parseIPv6(text: string): bigint {
  const dotted = /^(.*:)([0-9.]+)$/.exec(text);
  const plain = dotted?.[2]?.includes('.') ? `${dotted[1]}${dottedGroups(dotted[2])}` : text;
  const [head = '', tail = ''] = plain.split('::');
  const [before, after] = [hexGroups(head), hexGroups(tail)];
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0);
  return numberOf([...before, ...zeros, ...after], 16n);
}

function hexGroups(text: string): readonly number[] {
  return text === '' ? [] : text.split(':').map((one) => Number.parseInt(one, 16));
}

function dottedGroups(text: string): string {
  const value = numberOf(text.split('.').map(Number), 8n);
  return `${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
}

function numberOf(groups: readonly number[], size: bigint): bigint {
  return groups.reduce((value, group) => (value << size) | BigInt(group), 0n);
}
