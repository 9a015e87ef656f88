// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '../object.ts';
import { type Cidr, containsCidr, formatCidr, parseCidr, rangeAround } from './cidr.ts';

/**
 * Addresses of the cluster that lie close together. Who asks for more than all of `around` is kept from all of it, so
 * that the next node beside the others changes nothing; who asks for less is kept from `members` only.
 */
export interface Neighbourhood {
  readonly around: Cidr;
  readonly members: readonly Cidr[];
}

/** Prefix lengths of what is taken for one neighbourhood, in private address space, by what lives there. */
const WIDTHS = {
  host: { 4: 24, 6: 64 },
  pods: { 4: 16, 6: 56 },
} as const;

const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7']
  .map(parseCidr)
  .filter((one) => one !== undefined);

/**
 * Addresses of Nodes and of their pods, of ServiceCIDRs and of EndpointSlices, by neighbourhood. What cannot be read is
 * left out.
 */
export function clusterRanges(objects: readonly KubeObject[]): readonly Neighbourhood[] {
  const hosts = objects.flatMap((one) => [...nodeAddresses(one), ...endpointAddresses(one)]);
  const members = [
    ...parseAll(hosts.map(asRange)).map((one) => neighbour(one, WIDTHS.host)),
    ...parseAll(objects.flatMap(podRanges)).map((one) => neighbour(one, WIDTHS.pods)),
    ...parseAll(objects.flatMap(serviceRanges)).map((range) => ({ range, around: range })),
  ];
  return [...Map.groupBy(members, ({ around }) => formatCidr(around)).values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const unique = new Map(group.map(({ range }) => [formatCidr(range), range]));
    return [{ around: first.around, members: [...unique.values()] }];
  });
}

/** The part of the cluster's addresses that matters to who asks for `asked`: none to who asks for other addresses. */
export function rangesWithin(asked: readonly Cidr[], cluster: readonly Neighbourhood[]): readonly Cidr[] {
  const found = new Map<string, Cidr>();
  for (const { around, members } of cluster) {
    for (const one of asked) {
      for (const range of isWider(one, around)
        ? [around]
        : members.filter((member) => isTouched(one, member)))
        found.set(formatCidr(range), range);
    }
  }
  return [...found.values()];
}

/** Text that changes when what `clusterRanges` takes from an object does: nodes report much more, and often. */
export function addressesOf(object: KubeObject): string {
  const parts = [nodeAddresses, podRanges, serviceRanges, endpointAddresses];
  return parts.flatMap((part) => part(object)).join();
}

/** Keeps of an object only what `clusterRanges` reads. */
export function onlyAddresses(object: KubeObject): KubeObject {
  const { apiVersion, kind } = object;
  const { name, uid, resourceVersion } = object.metadata;
  const metadata = { name, ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) };
  const addresses = nodeAddresses(object).map((address) => ({ type: 'InternalIP', address }));
  return { apiVersion, kind, metadata, spec: { podCIDRs: podRanges(object) }, status: { addresses } };
}

function neighbour(range: Cidr, width: Readonly<Record<4 | 6, number>>) {
  const isPrivate = PRIVATE.some((one) => containsCidr(one, range));
  const prefix = width[range.family];
  // Beside a public address live strangers, and a tenant may well talk with them.
  return { range, around: isPrivate && prefix < range.prefix ? rangeAround(range, prefix) : range };
}

function isWider(asked: Cidr, around: Cidr): boolean {
  return asked.prefix < around.prefix && containsCidr(asked, around);
}

function isTouched(asked: Cidr, member: Cidr): boolean {
  return containsCidr(asked, member) || containsCidr(member, asked);
}

function parseAll(texts: readonly string[]): readonly Cidr[] {
  return texts.map(parseCidr).filter((one) => one !== undefined);
}

function asRange(address: string): string {
  return `${address}/${address.includes(':') ? 128 : 32}`;
}

function nodeAddresses({ kind, status }: KubeObject): readonly string[] {
  if (kind !== 'Node') return [];
  const { addresses = [] } = (status ?? {}) as { addresses?: readonly { type: string; address: string }[] };
  return addresses.flatMap(({ type, address }) => (type.endsWith('IP') ? [address] : []));
}

function podRanges({ kind, spec }: KubeObject): readonly string[] {
  if (kind !== 'Node') return [];
  const { podCIDRs = [] } = (spec ?? {}) as { podCIDRs?: readonly string[] };
  return podCIDRs;
}

function serviceRanges({ kind, spec }: KubeObject): readonly string[] {
  if (kind !== 'ServiceCIDR') return [];
  const { cidrs = [] } = (spec ?? {}) as { cidrs?: readonly string[] };
  return cidrs;
}

function endpointAddresses({ kind, endpoints }: KubeObject): readonly string[] {
  if (kind !== 'EndpointSlice') return [];
  return ((endpoints ?? []) as readonly { addresses?: readonly string[] }[]).flatMap(
    ({ addresses = [] }) => addresses,
  );
}
