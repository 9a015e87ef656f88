// SPDX-License-Identifier: Apache-2.0
import type { TenantSpec } from '#crds/v1alpha1/tenant';
import type { Amounts } from '../quota/amounts.ts';
import { formatQuantity, MILLI, parseQuantity } from '../quota/quantity.ts';
import type { Claim } from './namespaces.ts';

/** What Kubernetes itself makes in every namespace: the ConfigMap `kube-root-ca.crt` and the ServiceAccount `default`. */
const BY_KUBERNETES = 1;

/**
 * What NexusOS and Kubernetes make in one namespace of a tenant, by the keys of ResourceQuota that count it, in thousandths.
 * Native quota counts these like everything else, and so do the quotas of a Tenant: `kubectl describe quota` and the Tenant
 * show the same figures.
 */
export function ownObjects(
  spec: Pick<TenantSpec, 'owners' | 'imagePullSecrets' | 'containerDefaults'>,
): Amounts {
  const roles = new Set((spec.owners ?? []).map(({ role }) => role)).size;
  const secrets = (spec.imagePullSecrets ?? []).length;
  const configMaps = 1 + BY_KUBERNETES;
  const counts: Readonly<Record<string, number>> = {
    configmaps: configMaps,
    'count/configmaps': configMaps,
    'count/serviceaccounts': 1 + BY_KUBERNETES,
    'count/limitranges': spec.containerDefaults === undefined ? 0 : 1,
    resourcequotas: 1,
    'count/resourcequotas': 1,
    secrets,
    'count/secrets': secrets,
    'count/networkpolicies.networking.k8s.io': 1,
    'count/rolebindings.rbac.authorization.k8s.io': roles + (secrets > 0 ? 1 : 0),
  };
  return new Map(Object.entries(counts).map(([key, count]) => [key, BigInt(count) * MILLI]));
}

/** A quota of objects with less than what is made in the namespaces anyhow. */
export interface TooSmall {
  readonly key: string;
  readonly found: string;
  readonly least: string;
}

/**
 * Quotas that NexusOS itself would run into: they would keep the border of a namespace from being made, and from being put right.
 * The least is enforced instead, which leaves nothing for the tenant to make.
 */
export function tooSmallQuotas(spec: TenantSpec, claims: readonly Claim[]): readonly TooSmall[] {
  const own = ownObjects(spec);
  const namespaces = claims.filter(({ kind }) => kind === 'hold' || kind === 'create').length;
  return Object.entries(spec.quotas?.objects ?? {}).flatMap(([key, value]) => {
    const least = (own.get(key) ?? 0n) * BigInt(namespaces);
    const found = parseQuantity(value) ?? 0n;
    return found < least ? [{ key, found: String(value), least: formatQuantity(least) }] : [];
  });
}

/** The quotas of a tenant as they are enforced. */
export function enforcedQuotas(spec: TenantSpec, claims: readonly Claim[]): TenantSpec['quotas'] {
  const raised = tooSmallQuotas(spec, claims).map(({ key, least }) => [key, least] as const);
  if (raised.length === 0) return spec.quotas;
  return { ...spec.quotas, objects: { ...spec.quotas?.objects, ...Object.fromEntries(raised) } };
}
