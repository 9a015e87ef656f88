// SPDX-License-Identifier: Apache-2.0
import type { TenantStatus } from '#crds/v1alpha1/tenant';
import { findCondition } from '../../conditions.ts';
import type { Plan } from '../../plan.ts';
import { planTenant } from '../plan.ts';
import { identity, type Tenant, type TenantObserved } from '../tenant.ts';
import { asLive, makeLedger, makeObserved, makeTenant, NOW, PLATFORM, type SpecInput } from './objects.ts';

/** What is decided for a tenant. */
export type TenantPlan = Plan<TenantStatus>;

/** Decides for `tenant`, by the settings of the tests. */
export function plan(tenant: Tenant, observed: TenantObserved = makeObserved(), now = NOW): TenantPlan {
  return planTenant({ tenant, observed, settings: PLATFORM }, now);
}

/** Plans again and again on what the plan before would have made, until nothing is to be done. */
export function settle(spec: SpecInput, more: Partial<TenantObserved> = {}) {
  let tenant = makeTenant(spec);
  let observed: TenantObserved = { ...makeObserved(), ...more };
  const statuses: string[] = [];
  let last = plan(tenant, observed);
  for (let pass = 0; pass < 10; pass += 1) {
    const said = JSON.stringify(last.status);
    if (statuses.at(-1) !== said) statuses.push(said);
    tenant = { ...tenant, status: last.status };
    const next = carryOut(tenant, observed, last);
    const isStill = JSON.stringify(next.objects) === JSON.stringify(observed.objects);
    observed = next;
    last = plan(tenant, observed);
    if (isStill && JSON.stringify(last.status) === said) return { tenant, observed, statuses, last };
  }
  throw new Error(`does not settle: ${statuses.join('\n')}`);
}

/** What the API server would hold after `last`, with a ledger controller that is done at once. */
function carryOut(tenant: Tenant, observed: TenantObserved, last: TenantPlan): TenantObserved {
  const removed = new Set(last.remove.map(({ ref }) => identity(ref)));
  const objects = new Map(observed.objects.map((one) => [identity(one), one]));
  const namespaces = new Map(observed.namespaces);
  let { ledger } = observed;
  for (const desired of [...last.apply, ...last.create]) {
    if (desired.kind === 'Namespace') {
      const before = namespaces.get(desired.metadata.name);
      namespaces.set(desired.metadata.name, {
        ...asLive(desired),
        ...(before && { metadata: { ...before.metadata, ...desired.metadata } }),
      });
    } else if (desired.kind === 'QuotaLedger') {
      ledger = {
        ...makeLedger(tenant),
        ...asLive(desired),
        status: { observedGeneration: 1 },
      } as typeof ledger;
    } else if (desired.kind !== 'Secret') {
      objects.set(identity(desired), asLive(desired));
    }
  }
  for (const key of removed) objects.delete(key);
  const hard = (ledger?.spec.hard ?? {}) as Record<string, string>;
  const resourceQuotas = [...namespaces.keys()].map((namespace) => ({
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'nexusos', namespace },
    status: { hard, used: Object.fromEntries(Object.keys(hard).map((key) => [key, '0'])) },
  }));
  return { ...observed, namespaces, objects: [...objects.values()], ledger, resourceQuotas };
}

/** A tenant with a bit of everything, in two namespaces. */
export const FULL: SpecInput = {
  namespaces: [{ suffix: 'dev' }, { suffix: 'prod' }],
  owners: [
    { kind: 'User', name: 'ann', role: 'admin' },
    { kind: 'Group', name: 'ops', role: 'operator' },
  ],
  quotas: { compute: { 'requests.cpu': '0.5', 'requests.memory': '1024Mi' }, runs: { maxConcurrent: 3 } },
  containerDefaults: { default: { cpu: '1' } },
};

/** The condition that sums up. */
export function ready(status: TenantStatus) {
  return findCondition(status.conditions ?? [], 'Ready');
}
