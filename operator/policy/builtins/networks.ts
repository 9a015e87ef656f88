// SPDX-License-Identifier: Apache-2.0
import { compareValues, isArray, RegoObject, RegoSet, type Value } from '../values/value.ts';
import { type Builtins, expectModest, membersOf, ofTexts } from './builtin.ts';
import { type Network, parseAddress, parseNetwork, showAddress, showNetwork } from './addresses.ts';

/** Networks by their addresses. No name is ever looked up. */
export const NETWORK_BUILTINS: Builtins = {
  'net.cidr_is_valid': ([text]) => typeof text === 'string' && parseNetwork(text) !== undefined,
  'net.cidr_expand': ofTexts((text) => {
    const network = parseNetwork(text);
    if (network === undefined) return undefined;
    const { first, last, bits } = network;
    expectModest('net.cidr_expand', last - first + 1n);
    const count = Number(last - first) + 1;
    return new RegoSet(Array.from({ length: count }, (_, index) => showAddress(first + BigInt(index), bits)));
  }),
  'net.cidr_merge': ([networks]) => {
    const members = membersOf(networks)?.map((one) => (typeof one === 'string' ? mergeable(one) : undefined));
    const known = members?.filter((one) => one !== undefined);
    if (known === undefined || known.length !== members?.length) return undefined;
    return new RegoSet(merge(known).map(showNetwork));
  },
  'net.cidr_contains_matches': ([networks, wanted]) => {
    return containsMatches(labelled(networks), labelled(wanted));
  },
};

interface Labelled {
  readonly text: Value | undefined;
  readonly label: Value;
}

/** Networks with what they are known by: a text by itself, in a list its place, in a set itself, in an object its key. */
function labelled(value: Value | undefined): readonly Labelled[] {
  if (typeof value === 'string') return [{ text: value, label: value }];
  if (value instanceof RegoSet) return value.members.map((one) => ({ text: firstOf(one), label: one }));
  if (value instanceof RegoObject)
    return value.entries.map(([key, one]) => ({ text: firstOf(one), label: key }));
  return isArray(value) ? value.map((one, index) => ({ text: firstOf(one), label: index })) : [];
}

/** A network may come with more, as the first of a list. */
function firstOf(value: Value): Value | undefined {
  return isArray(value) ? value[0] : value;
}

function containsMatches(outer: readonly Labelled[], inner: readonly Labelled[]): Value | undefined {
  const matches: Value[] = [];
  for (const one of outer) {
    for (const other of inner) {
      const found = contains(one.text, other.text);
      if (found === undefined) return undefined;
      if (found) matches.push([one.label, other.label]);
    }
  }
  return new RegoSet(matches);
}

/** Undefined where either is neither network nor address. */
function contains(outer: Value | undefined, inner: Value | undefined): boolean | undefined {
  if (typeof outer !== 'string' || typeof inner !== 'string') return undefined;
  const network = parseNetwork(outer);
  const address = parseAddress(inner);
  const wanted =
    address === undefined ? parseNetwork(inner) : { ...address, first: address.value, last: address.value };
  if (network === undefined || wanted === undefined) return undefined;
  return network.bits === wanted.bits && network.first <= wanted.first && wanted.last <= network.last;
}

/** An address by itself is the network of its class, as in Go; one of IPv6 needs its length. */
function mergeable(text: string): Network | undefined {
  const address = parseAddress(text);
  if (address === undefined) return parseNetwork(text);
  if (address.bits !== 32) return undefined;
  const length = classLength(Number(address.value >> 24n));
  return length === undefined ? undefined : parseNetwork(`${text}/${length}`);
}

function classLength(firstByte: number): number | undefined {
  if (firstByte < 128) return 8;
  if (firstByte < 192) return 16;
  return firstByte < 224 ? 24 : undefined;
}

/** The fewest networks with the same addresses. */
function merge(networks: readonly Network[]): readonly Network[] {
  const sorted = networks.toSorted((a, b) => a.bits - b.bits || compareValues(a.first, b.first));
  const merged: { bits: number; first: bigint; last: bigint }[] = [];
  for (const { bits, first, last } of sorted) {
    const before = merged.at(-1);
    if (before?.bits === bits && first <= before.last + 1n)
      before.last = last > before.last ? last : before.last;
    else merged.push({ bits, first, last });
  }
  return merged.flatMap(split);
}

/** A range as networks, the largest that fit first. */
function split({ bits, first, last }: Network): readonly Network[] {
  const networks: Network[] = [];
  for (let at = first; at <= last; ) {
    let size = 1n;
    while (at % (size * 2n) === 0n && at + size * 2n - 1n <= last) size *= 2n;
    networks.push({ bits, first: at, last: at + size - 1n });
    at += size;
  }
  return networks;
}
