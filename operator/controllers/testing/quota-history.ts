// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '../../core/object.ts';
import { parseQuantity } from '../../core/quota/quantity.ts';
import { isPodFinished } from '../../core/run/outcome.ts';
import type { Client } from '../../runtime/client.ts';
import { follow, type Seen } from '../../runtime/testing/follow.ts';
import { RESOURCE_QUOTAS } from '../../core/resources.ts';
import { PODS } from '../shared/workloads.ts';

/** What became of a quota of pods in all namespaces of a tenant, at every moment. */
export interface QuotaHistory {
  /** The most pods that were alive at one moment, each told in words. */
  readonly most: readonly string[];
  /** The most that all ResourceQuotas together allowed at one moment, by what they say or enforce. */
  readonly mostGranted: number;
  /**
   * The most pods that were there at one moment and that no ResourceQuota had counted. Kubernetes charges a pod before it
   * stores it, so that is its own loss: its quota controller counts anew from a cache that lacks the newest pods.
   */
  readonly mostUncounted: number;
}

/**
 * Follows pods and ResourceQuotas, each by a label selector, until it is asked, from before there are any. Versions order all
 * that the API server commits, so no moment is missed; lists would speak of different moments.
 */
export async function followQuota(
  client: Client,
  selectors: { readonly pods: string; readonly quotas: string },
): Promise<() => Promise<QuotaHistory>> {
  const moments: Seen[] = [];
  const tell = (seen: Seen): void => void moments.push(seen);
  const following = await Promise.all([
    follow({ client, resource: PODS, labelSelector: selectors.pods }, tell),
    follow({ client, resource: RESOURCE_QUOTAS, labelSelector: selectors.quotas }, tell),
  ]);
  return async () => {
    await Promise.all(following.map((one) => one.stop()));
    return replay(moments.toSorted((a, b) => versionOf(a) - versionOf(b)));
  };
}

function versionOf({ object }: Seen): number {
  return Number(object.metadata.resourceVersion);
}

function replay(moments: readonly Seen[]): QuotaHistory {
  const live = new Map<string, KubeObject>();
  const quotas = new Map<string, KubeObject>();
  let most: readonly string[] = [];
  let mostGranted = 0;
  let mostUncounted = 0;
  for (const { type, object } of moments) {
    const { uid = '' } = object.metadata;
    const kept = object.kind === 'ResourceQuota' ? quotas : live;
    if (type === 'delete' || isPodFinished(object)) kept.delete(uid);
    else kept.set(uid, object);
    if (live.size > most.length) most = [...live.values()].map(words);
    mostGranted = Math.max(mostGranted, sum([...quotas.values()].map(granted)));
    mostUncounted = Math.max(mostUncounted, uncounted([...live.values()], [...quotas.values()]));
  }
  return { most, mostGranted, mostUncounted };
}

function uncounted(pods: readonly KubeObject[], quotas: readonly KubeObject[]): number {
  const missing = quotas.map((quota) => {
    const { namespace } = quota.metadata;
    return pods.filter(({ metadata }) => metadata.namespace === namespace).length - used(quota);
  });
  return sum(missing.map((count) => Math.max(0, count)));
}

interface QuotaFields {
  readonly spec?: { readonly hard?: { readonly pods?: string } };
  readonly status?: {
    readonly hard?: { readonly pods?: string };
    readonly used?: { readonly pods?: string };
  };
}

function granted(quota: KubeObject): number {
  const { spec, status } = quota as QuotaFields;
  return Math.max(podsOf(spec?.hard), podsOf(status?.hard));
}

function used(quota: KubeObject): number {
  return podsOf((quota as QuotaFields).status?.used);
}

function podsOf(quantities: { readonly pods?: string } = {}): number {
  return Number((parseQuantity(quantities.pods ?? '0') ?? 0n) / 1000n);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

function words({ metadata, ...pod }: KubeObject): string {
  const { phase } = (pod['status'] ?? {}) as { readonly phase?: string };
  const leaving = metadata.deletionTimestamp === undefined ? '' : `, leaves at ${metadata.deletionTimestamp}`;
  return `${metadata.namespace}/${metadata.name}: ${phase ?? 'new'} since ${metadata.creationTimestamp}${leaving}`;
}
