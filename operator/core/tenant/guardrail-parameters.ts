// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '../object.ts';
import { formatCidr, type Cidr } from './cidr.ts';
import type { EgressPort, EgressRule } from './network.ts';
import { contactOf } from './contact.ts';
import { hasLoadBalancers } from './quotas.ts';
import { ownedMetadata, type Tenant } from './tenant.ts';

/** Name of the ConfigMap in every namespace of a tenant that the guardrails read. */
export const GUARDRAILS_CONFIG_MAP = 'nexusos-guardrails';

/**
 * Keys of that ConfigMap. Lists are joined with commas, which none of the values can contain: the policies split them
 * again. An empty text is an empty list.
 */
export const PARAMETERS = {
  /** Name of the tenant. */
  tenant: 'tenant',
  /** Namespaces of the tenant. */
  namespaces: 'namespaces',
  /** Tenants that this one and that name it as peers. */
  peers: 'peers',
  /** Registries that images may come from; empty means any. */
  registries: 'registries',
  /** `Soft` or `Hard`. */
  isolation: 'isolation',
  /** RuntimeClass that pods must use; empty means their choice. */
  runtimeClass: 'runtimeClass',
  /** Ranges that no NetworkPolicy may open. */
  reservedRanges: 'reservedRanges',
  /** Destinations outside: `<cidr>|<protocol>/<port>-<endPort>;...`, without ports when all may be reached. */
  egress: 'egress',
  /** `true` when Services of type LoadBalancer are within the quotas. */
  loadBalancers: 'loadBalancers',
  /** Whom to ask about a refusal. */
  contact: 'contact',
} as const;

/** What the parameters of a tenant follow from. */
export interface ParameterInput {
  readonly namespaces: readonly string[];
  readonly mutualPeers: readonly string[];
  readonly egress: readonly EgressRule[];
  readonly reserved: readonly Cidr[];
}

/** What differs from tenant to tenant in the guardrails, by the keys of `PARAMETERS`. */
export function guardrailParameters(tenant: Tenant, input: ParameterInput): Record<string, string> {
  const { entitlements, isolation, quotas } = tenant.spec;
  return {
    [PARAMETERS.tenant]: tenant.metadata.name,
    [PARAMETERS.namespaces]: input.namespaces.toSorted().join(),
    [PARAMETERS.peers]: input.mutualPeers.toSorted().join(),
    [PARAMETERS.registries]: (entitlements?.registries ?? []).join(),
    [PARAMETERS.isolation]: isolation.tier,
    [PARAMETERS.runtimeClass]: isolation.runtimeClassName ?? '',
    [PARAMETERS.reservedRanges]: input.reserved.map(formatCidr).toSorted().join(),
    [PARAMETERS.egress]: input.egress.map(egressText).join(),
    [PARAMETERS.loadBalancers]: String(hasLoadBalancers(quotas)),
    [PARAMETERS.contact]: contactOf(tenant),
  };
}

function egressText({ cidr, ports }: EgressRule): string {
  return `${cidr}|${ports.map(portText).join(';')}`;
}

function portText({ protocol, port, endPort }: EgressPort): string {
  return `${protocol}/${port}-${endPort ?? port}`;
}

/** The ConfigMap with the parameters of the guardrails in `namespace`. */
export function desiredParameters(
  tenant: Tenant,
  namespace: string,
  data: Readonly<Record<string, string>>,
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: ownedMetadata(tenant, { namespace, name: GUARDRAILS_CONFIG_MAP }),
    data,
  };
}
