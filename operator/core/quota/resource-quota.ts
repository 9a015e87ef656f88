// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS, API_VERSION, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import type { KubeObject, OwnerReference } from '../object.ts';
import type { Ledger } from '../tenant/tenant.ts';
import { formatAmounts, parseAmounts, type Quantities } from './amounts.ts';
import type { Grant, SeenQuota } from './grants.ts';
import { RESOURCE_QUOTA_NAME } from './refusals.ts';

interface QuotaFields {
  readonly hard?: Quantities;
  readonly used?: Quantities;
}

/** A ResourceQuota as dealing needs it. */
export function seenQuota(quota: KubeObject): SeenQuota {
  const spec = quota['spec'] as QuotaFields | undefined;
  const status = quota['status'] as QuotaFields | undefined;
  return {
    revision: Number(quota.metadata.annotations?.[ANNOTATIONS.grantRevision] ?? 0) || 0,
    specHard: parseAmounts(spec?.hard),
    hard: parseAmounts(status?.hard),
    used: parseAmounts(status?.used),
  };
}

/**
 * A ResourceQuota without limits, to be created. The grant follows by server-side apply as soon as it is seen: what a
 * create writes belongs to another manager of fields, and could never be taken away again by an apply.
 */
export function bareQuota(ledger: Ledger, namespace: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: {
      name: RESOURCE_QUOTA_NAME,
      namespace,
      labels: { [LABELS.managedBy]: MANAGED_BY, [LABELS.tenant]: ledger.metadata.name },
      ownerReferences: [ledgerReference(ledger)],
    },
  };
}

/**
 * The ResourceQuota that carries `grant`, to be applied over `live`. It names the resourceVersion of `live`: if that
 * has been written since, by a newer leader, the apply fails and undoes nothing.
 */
export function grantedQuota(ledger: Ledger, grant: Grant, live: KubeObject): KubeObject {
  const bare = bareQuota(ledger, grant.namespace);
  const { resourceVersion } = live.metadata;
  return {
    ...bare,
    metadata: {
      ...bare.metadata,
      ...(resourceVersion !== undefined && { resourceVersion }),
      annotations: { [ANNOTATIONS.grantRevision]: String(grant.revision) },
    },
    spec: { hard: formatAmounts(grant.hard, ledger.spec.hard) },
  };
}

/** Whether a ResourceQuota is controlled by something else than `ledger`: it is left alone. */
export function isForeign(quota: KubeObject, ledger: Ledger): boolean {
  const controller = quota.metadata.ownerReferences?.find((one) => one.controller === true);
  return controller !== undefined && controller.uid !== ledger.metadata.uid;
}

function ledgerReference(ledger: Ledger): OwnerReference {
  return {
    apiVersion: API_VERSION,
    kind: 'QuotaLedger',
    name: ledger.metadata.name,
    uid: ledger.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: false,
  };
}
