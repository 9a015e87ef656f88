// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import { isDeepEqual } from '../compare.ts';
import type { KubeObject, OwnerReference } from '../object.ts';
import type { Ledger } from '../tenant/tenant.ts';
import { formatAmounts, parseAmounts, type Quantities } from './amounts.ts';
import type { Grant, SeenQuota } from './grants.ts';
import { RESOURCE_QUOTA_NAME } from './refusals.ts';

interface QuotaFields {
  readonly scopes?: readonly string[];
  readonly scopeSelector?: object;
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

/** A new ResourceQuota that carries `grant`. */
export function newQuota(ledger: Ledger, grant: Grant): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: {
      name: RESOURCE_QUOTA_NAME,
      namespace: grant.namespace,
      labels: labelsOf(ledger),
      annotations: annotationsOf(ledger, grant),
    },
    spec: { hard: formatAmounts(grant.hard, ledger.spec.hard) },
  };
}

/**
 * `live` with `grant` in place of what it says; undefined when it says that already. It keeps the resourceVersion of `live`: if
 * that has been written since, by a newer leader, the write fails and undoes nothing. What others have added to the metadata
 * stays.
 */
export function replacedQuota(ledger: Ledger, grant: Grant, live: KubeObject): KubeObject | undefined {
  const { labels, annotations, ownerReferences = [] } = live.metadata;
  const wanted: KubeObject = {
    ...live,
    metadata: {
      ...live.metadata,
      labels: { ...labels, ...labelsOf(ledger) },
      annotations: { ...annotations, ...annotationsOf(ledger, grant) },
      // Earlier versions made the ledger its owner; with the ledger, quota would go while pods still run.
      ownerReferences: ownerReferences.filter(({ uid }) => uid !== ledger.metadata.uid),
    },
    spec: { hard: formatAmounts(grant.hard, ledger.spec.hard) },
  };
  const isSame = isDeepEqual(comparable(live), comparable(wanted));
  return isSame ? undefined : wanted;
}

/** What is compared of a ResourceQuota: the same for the same meaning, whatever way a quantity is written. */
function comparable(quota: KubeObject): unknown {
  const { labels, annotations, ownerReferences = [] } = quota.metadata;
  const { hard, ...others } = (quota['spec'] ?? {}) as QuotaFields;
  const amounts = Object.fromEntries([...parseAmounts(hard)].map(([key, milli]) => [key, String(milli)]));
  return { labels, annotations, owners: ownerReferences.toSorted(byUid), others, amounts };
}

/**
 * Whether a ResourceQuota that bears our name belongs to another tenant, is controlled by something else or was made by
 * somebody else, as may be in a namespace that is adopted: it is left alone, and says nothing about what is granted. So does
 * one with scopes, whatever marks it carries: it counts some pods only, and scopes cannot be changed.
 */
export function isForeign(quota: KubeObject, ledger: Ledger): boolean {
  const { metadata } = quota;
  const { scopes = [], scopeSelector } = (quota['spec'] ?? {}) as QuotaFields;
  if (scopes.length > 0 || scopeSelector !== undefined) return true;
  const controller = metadata.ownerReferences?.find((one) => one.controller === true);
  if (controller !== undefined) return controller.uid !== ledger.metadata.uid;
  const uid = metadata.annotations?.[ANNOTATIONS.tenantUid];
  if (uid !== undefined) return uid !== ledger.spec.tenantUID;
  return metadata.labels?.[LABELS.managedBy] !== MANAGED_BY;
}

function byUid(a: OwnerReference, b: OwnerReference): number {
  return a.uid < b.uid ? -1 : Number(a.uid > b.uid);
}

function labelsOf({ metadata }: Ledger): Readonly<Record<string, string>> {
  return { [LABELS.managedBy]: MANAGED_BY, [LABELS.tenant]: metadata.name };
}

function annotationsOf(ledger: Ledger, { revision }: Grant): Readonly<Record<string, string>> {
  return { [ANNOTATIONS.tenantUid]: ledger.spec.tenantUID, [ANNOTATIONS.grantRevision]: String(revision) };
}
