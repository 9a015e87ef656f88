// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import { ALWAYS_RESERVED } from '#crds/v1alpha1/reserved-ranges';
import type { TenantSpec } from '#crds/v1alpha1/tenant';
import type { KubeObject } from '../object.ts';
import { type Cidr, containsCidr, formatCidr, outermost, parseCidr } from './cidr.ts';
import { type Neighbourhood, rangesWithin } from './cluster-ranges.ts';
import { ownedMetadata, type Tenant } from './tenant.ts';

/** Name of the NetworkPolicy in every namespace of a tenant. */
export const NETWORK_POLICY_NAME = 'nexusos';

/** An allowed destination outside the cluster, with what is cut out of it. */
export interface EgressRule {
  readonly cidr: string;
  readonly except: readonly string[];
  readonly ports: readonly EgressPort[];
}

/** Ports from `port` to `endPort`. */
export interface EgressPort {
  readonly protocol: string;
  readonly port: number;
  readonly endPort?: number | undefined;
}

/** The egress allow-list as it can be granted, and why the rest cannot. */
export interface EgressJudgement {
  readonly rules: readonly EgressRule[];
  /** Sentences that name field, found, allowed. */
  readonly refusals: readonly string[];
}

/** The reserved ranges of the platform together with those that are always reserved; canonical, none in another. */
export function reservedCidrs(configured: readonly string[]): readonly Cidr[] {
  const parsed = [...ALWAYS_RESERVED, ...configured].map(parseCidr).filter((one) => one !== undefined);
  return outermost(parsed);
}

/** What the platform sets for all tenants, and what the cluster itself is. */
export interface Reserved {
  readonly configured: readonly string[];
  readonly cluster: readonly Neighbourhood[];
}

/**
 * What `egress` must not reach: the reserved ranges, and addresses of the cluster as far as it would reach them. So
 * tenants without egress, or with egress far from the cluster, have nothing to rewrite when a node comes.
 */
export function reservedFor(
  egress: NonNullable<TenantSpec['network']>['egress'],
  reserved: Reserved,
): readonly Cidr[] {
  const asked = (egress ?? []).map(({ cidr }) => parseCidr(cidr)).filter((one) => one !== undefined);
  return outermost([...reservedCidrs(reserved.configured), ...rangesWithin(asked, reserved.cluster)]);
}

/**
 * Cuts every reserved range out of the allow-list. A destination that lies in a reserved range is refused; one that
 * contains some gets them as `except`, which Kubernetes wants strictly inside.
 */
export function judgeEgress(
  egress: NonNullable<TenantSpec['network']>['egress'],
  reserved: readonly Cidr[],
): EgressJudgement {
  const rules: EgressRule[] = [];
  const refusals: string[] = [];
  for (const [i, { cidr: found, ports = [] }] of (egress ?? []).entries()) {
    const field = `spec.network.egress[${i}].cidr`;
    const cidr = parseCidr(found);
    const holder = cidr && reserved.find((range) => containsCidr(range, cidr));
    if (cidr === undefined) {
      refusals.push(`${field} is ${found}; it must be an address range such as 203.0.113.0/24`);
    } else if (holder !== undefined) {
      refusals.push(
        `${field} is ${found}; it must lie outside ${formatCidr(holder)}, which the platform reserves for nodes, pods, services or metadata`,
      );
    } else {
      const except = reserved.filter((range) => containsCidr(cidr, range)).map(formatCidr);
      const stated = ports.map((one) => ({ ...one, protocol: one.protocol ?? 'TCP' }));
      rules.push({ cidr: formatCidr(cidr), except: except.toSorted(), ports: stated });
    }
  }
  return { rules, refusals };
}

/** The egress of one tenant as it can be granted, and what is kept from it. */
export interface TenantEgress extends EgressJudgement {
  readonly reserved: readonly Cidr[];
}

/** What a tenant may reach outside of its namespaces. */
export function tenantEgress(tenant: Tenant, reserved: Reserved): TenantEgress {
  const asked = tenant.spec.network?.egress;
  const closed = reservedFor(asked, reserved);
  return { ...judgeEgress(asked, closed), reserved: closed };
}

/** What the NetworkPolicy of one tenant follows from. */
export interface Border {
  readonly egress: readonly EgressRule[];
  readonly mutualPeers: readonly string[];
}

/**
 * The border of a namespace: everything is closed but the allowed paths. One object says both, since a pod that any NetworkPolicy
 * selects for a direction is closed in it but for what some policy opens.
 */
export function desiredNetworkPolicy(tenant: Tenant, namespace: string, border: Border): KubeObject {
  const friends = [tenant.metadata.name, ...border.mutualPeers].map((name) => ({
    namespaceSelector: { matchLabels: { [LABELS.tenant]: name } },
  }));
  const egress = [DNS, { to: friends }, ...border.egress.map(egressRule)];
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: ownedMetadata(tenant, { namespace, name: NETWORK_POLICY_NAME }),
    spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'], ingress: [{ from: friends }], egress },
  };
}

const DNS = {
  to: [
    {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
      podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
    },
  ],
  ports: [
    { protocol: 'UDP', port: 53 },
    { protocol: 'TCP', port: 53 },
  ],
};

function egressRule({ cidr, except, ports }: EgressRule): object {
  return {
    to: [{ ipBlock: { cidr, ...(except.length > 0 && { except }) } }],
    ...(ports.length > 0 && {
      ports: ports.map(({ protocol, port, endPort }) => ({
        protocol,
        port,
        ...(endPort !== undefined && endPort > port && { endPort }),
      })),
    }),
  };
}
