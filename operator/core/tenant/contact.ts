// SPDX-License-Identifier: Apache-2.0
import type { Tenant } from './tenant.ts';

/** Whom users of a tenant ask for more than it allows: owners cannot change a Tenant, its platform team can. */
export function contactOf(tenant: Tenant | undefined): string {
  return tenant?.spec.branding?.supportContact ?? 'your platform team';
}
