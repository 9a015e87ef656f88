// SPDX-License-Identifier: Apache-2.0
import { priceFor } from '#operator/core/metering/prices';
import { claimNamespaces, namespaceNames } from '#operator/core/tenant/namespaces';
import type { PlatformSettings, Tenant } from '#operator/core/tenant/tenant';
import { formatQuantity, parseQuantity, quantityFormat } from '#operator/core/quota/quantity';
import { lacksPrice, unenforcedQuotas } from '#operator/core/tenant/quotas';
import type { AdmissionRequest, Refusal } from '../review.ts';
import type { Facts } from './facts.ts';
import type { Verdict } from './verdict.ts';

/** What of the platform a Tenant is judged by. */
export type TenantSettings = Pick<PlatformSettings, 'platformNamespace' | 'prices'>;

/**
 * What is wrong with a Tenant beside the others. Only of namespaces that it begins to want: what it wanted before it was told of in its
 * conditions, and a change that makes nothing worse must pass.
 */
export function judgeTenant(request: AdmissionRequest, facts: Facts, settings: TenantSettings): Verdict {
  const tenant = request.object as Tenant;
  const before = request.oldObject === null ? [] : namespaceNames(request.oldObject as Tenant);
  const wanted = namespaceNames(tenant).filter((name) => !before.includes(name));
  const claims = claimsOf(tenant, wanted, { facts, settings });
  return {
    refusals: [
      ...wanted.flatMap((name) => collisions(tenant, name, facts)),
      ...claims.filter(({ adopted }) => !adopted).map(asRefusal),
    ],
    warnings: [
      ...claims.filter(({ adopted }) => adopted).map(({ message }) => message),
      ...missingClasses(tenant, facts),
      ...exceeded(tenant),
      ...notEnforced(tenant),
      ...notPriced(tenant, settings),
    ],
  };
}

interface Surroundings {
  readonly facts: Facts;
  readonly settings: TenantSettings;
}

/** Of the namespaces that it begins to want, those that are somebody else's: as its controller would say. */
function claimsOf(tenant: Tenant, wanted: readonly string[], { facts, settings }: Surroundings) {
  const live = new Map(
    wanted.flatMap((name) => {
      const found = facts.namespace(name);
      return found === undefined ? [] : [[name, found] as const];
    }),
  );
  const platform: PlatformSettings = { ...settings, operatorServiceAccount: '', reservedRanges: [] };
  return claimNamespaces(tenant, live, platform)
    .filter((claim) => claim.kind === 'refused')
    .filter(({ name }) => wanted.includes(name));
}

/** Tenant a with suffix b-c, and tenant a-b with suffix c: whoever comes first would have the namespace, and the other would wait for ever. */
function collisions(tenant: Tenant, name: string, facts: Facts): readonly Refusal[] {
  const other = facts.tenantsWanting(name).find(({ metadata }) => metadata.name !== tenant.metadata.name);
  if (other === undefined) return [];
  const field = fieldOf(tenant, name);
  const message = `${field}: namespace ${name} is wanted by tenant ${other.metadata.name} as well; choose another suffix, or another name of the tenant`;
  return [{ code: 'conflict', message, field }];
}

function asRefusal({ name, message }: { readonly name: string; readonly message: string }): Refusal {
  return { code: 'conflict', message: `spec.namespaces: ${message}`, field: `spec.namespaces[${name}]` };
}

function fieldOf(tenant: Tenant, name: string): string {
  const isAdopted = tenant.spec.adoptNamespaces?.some((one) => one.name === name) === true;
  return isAdopted ? 'spec.adoptNamespaces' : 'spec.namespaces';
}

function missingClasses({ spec }: Tenant, facts: Facts): readonly string[] {
  return (spec.quotas?.gpus ?? [])
    .filter((one) => facts.gpuClass(one.class) === undefined)
    .map(
      (one) => `spec.quotas.gpus names class ${one.class}, which does not exist; see kubectl get gpuclasses`,
    );
}

/** Who sets a limit goes by it: that it is none is told at once. */
function notEnforced({ spec }: Tenant): readonly string[] {
  return unenforcedQuotas(spec.quotas).map(
    (field) => `spec.quotas.${field} is recorded, and not enforced by this version of NexusOS`,
  );
}

/** Nor does anybody learn before the first bill that a budget of cost bounds nothing. */
function notPriced({ spec }: Tenant, { prices }: TenantSettings): readonly string[] {
  if (!lacksPrice(spec.quotas, priceFor(prices, spec.plan))) return [];
  return [
    `spec.quotas.cost is recorded, and not enforced: what Runs cost is not known, since the platform has no price for plan ${spec.plan} (platform.prices of the chart)`,
  ];
}

/** Quotas below what is in use: nothing is ended for that, and nothing new starts until enough has ended. */
function exceeded({ spec, status }: Tenant): readonly string[] {
  const limits = new Map<string, string | number>([
    ...Object.entries({ ...spec.quotas?.compute, ...spec.quotas?.objects }),
    ...(spec.quotas?.gpus ?? []).map((one) => [`gpus/${one.class}`, one.count] as const),
    ...Object.entries({ 'runs.concurrent': spec.quotas?.runs?.maxConcurrent }).flatMap(([name, limit]) =>
      limit === undefined ? [] : [[name, limit] as const],
    ),
  ]);
  return (status?.usage ?? []).flatMap(({ name, used }) => {
    const limit = limits.get(name);
    const [has, may] = [parseQuantity(used), limit === undefined ? undefined : parseQuantity(String(limit))];
    if (limit === undefined || has === undefined || may === undefined || has <= may) return [];
    const found = formatQuantity(has, quantityFormat(String(limit)));
    return [
      `spec.quotas: ${name} is ${limit}, and ${found} is in use; nothing new starts until that is less`,
    ];
  });
}
