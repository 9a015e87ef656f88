// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../object.ts';
import { type Cidr, containsCidr, parseCidr } from './cidr.ts';
import type { EgressPort, EgressRule } from './network.ts';

/** What NetworkPolicies of a tenant may open, and what they must not. */
export interface Limits {
  /** The tenant and its mutual peers. */
  readonly friends: readonly string[];
  readonly namespaces: readonly string[];
  readonly egress: readonly EgressRule[];
  readonly reserved: readonly Cidr[];
  /** Whether sources outside of the cluster may be let in. */
  readonly hasLoadBalancers: boolean;
}

interface Block {
  readonly cidr: string;
  readonly except?: readonly string[];
}

interface Peer {
  readonly namespaceSelector?: { readonly matchLabels?: Readonly<Record<string, string>> };
  readonly ipBlock?: Block;
}

interface Port {
  readonly protocol?: string;
  readonly port?: number | string;
  readonly endPort?: number;
}

interface Rule {
  readonly from?: readonly Peer[];
  readonly to?: readonly Peer[];
  readonly ports?: readonly Port[];
}

/**
 * What a NetworkPolicy opens beyond `limits`, in words; undefined when it keeps to them. The guardrail judges the same of
 * every policy that is written; this finds those that were written when the tenant might do more.
 */
export function excessOf(policy: KubeObject, limits: Limits): string | undefined {
  const { ingress = [], egress = [] } = (policy['spec'] ?? {}) as {
    ingress?: readonly Rule[];
    egress?: readonly Rule[];
  };
  for (const [direction, rules] of [['from', ingress] as const, ['to', egress] as const]) {
    for (const rule of rules) {
      const peers = rule[direction] ?? [];
      if (peers.length === 0)
        return direction === 'from' ? 'ingress from everywhere' : 'egress to everything';
      const excess = peers.map((peer) => peerExcess(peer, { direction, rule, limits }));
      const first = excess.find((one) => one !== undefined);
      if (first !== undefined) return first;
    }
  }
  return undefined;
}

interface Place {
  readonly direction: 'from' | 'to';
  readonly rule: Rule;
  readonly limits: Limits;
}

function peerExcess({ namespaceSelector, ipBlock }: Peer, place: Place): string | undefined {
  const { direction, limits } = place;
  if (namespaceSelector !== undefined && !isKnown(namespaceSelector.matchLabels ?? {}, limits)) {
    return `namespaces of others (${direction}: ${JSON.stringify(namespaceSelector)})`;
  }
  if (ipBlock === undefined || isAllowed(ipBlock, place)) return undefined;
  return `${direction} ${ipBlock.cidr}`;
}

function isAllowed({ cidr, except = [] }: Block, { direction, rule, limits }: Place): boolean {
  const block = parseCidr(cidr);
  if (block === undefined || !isClear(block, except, limits.reserved)) return false;
  return direction === 'from' ? limits.hasLoadBalancers : isGranted(block, rule.ports ?? [], limits.egress);
}

function isKnown(labels: Readonly<Record<string, string>>, { friends, namespaces }: Limits): boolean {
  return (
    friends.includes(labels[LABELS.tenant] ?? '') ||
    namespaces.includes(labels['kubernetes.io/metadata.name'] ?? '')
  );
}

function isClear(block: Cidr, except: readonly string[], reserved: readonly Cidr[]): boolean {
  const holes = except.map(parseCidr).filter((one) => one !== undefined);
  return reserved.every(
    (range) =>
      !containsCidr(range, block) &&
      (!containsCidr(block, range) || holes.some((hole) => containsCidr(hole, range))),
  );
}

function isGranted(block: Cidr, ports: readonly Port[], egress: readonly EgressRule[]): boolean {
  return egress.some((entry) => {
    const outer = parseCidr(entry.cidr);
    if (outer === undefined || !containsCidr(outer, block)) return false;
    if (entry.ports.length === 0) return true;
    return ports.length > 0 && ports.every((port) => entry.ports.some((one) => isWithin(port, one)));
  });
}

function isWithin({ protocol = 'TCP', port, endPort }: Port, allowed: EgressPort): boolean {
  if (typeof port !== 'number' || protocol !== allowed.protocol) return false;
  return port >= allowed.port && (endPort ?? port) <= (allowed.endPort ?? allowed.port);
}
