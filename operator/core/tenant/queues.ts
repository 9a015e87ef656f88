// SPDX-License-Identifier: Apache-2.0
import { TENANT_REASONS } from '#crds/v1alpha1/tenant';
import { desiredQueues } from '../kueue/queues.ts';
import type { KubeObject } from '../object.ts';
import type { Problem } from './problems.ts';
import { identity, type PlatformSettings, type Tenant, type TenantObserved } from './tenant.ts';

/** What the queues of a tenant are decided on. */
export interface QueuesInput {
  readonly tenant: Tenant;
  readonly observed: TenantObserved;
  readonly settings: PlatformSettings;
}

/**
 * The queues of a tenant in its namespaces; none without Kueue. What somebody else has made is left as it is, and nothing is made that would
 * lead there: LocalQueues whose ClusterQueue is somebody else's would let Runs into that.
 */
export function queuesToApply(
  { tenant, observed, settings }: QueuesInput,
  namespaces: readonly string[],
): readonly KubeObject[] {
  const { kueue, planWeights } = settings;
  if (kueue?.isServed !== true) return [];
  const { gpuClasses, queuesInTheWay = [] } = observed;
  const taken = new Set(queuesInTheWay.map(identity));
  const leadsAstray = queuesInTheWay.some(({ kind }) => kind !== 'LocalQueue');
  return desiredQueues(tenant, { kueue, namespaces, gpuClasses, planWeights }).filter(
    (one) => !taken.has(identity(one)) && !(leadsAstray && one.kind !== 'ResourceFlavor'),
  );
}

/** Objects of Kueue's kinds that stand where those of the tenant are to be. */
export function queueProblems({ observed }: Pick<QueuesInput, 'observed'>): readonly Problem[] {
  return (observed.queuesInTheWay ?? []).map(({ kind, metadata: { name, namespace } }) => {
    const where = namespace === undefined ? '' : ` in namespace ${namespace}`;
    const flag = namespace === undefined ? '' : ` -n ${namespace}`;
    const command = `kubectl${flag} delete ${kind.toLowerCase()} ${name}`;
    const message = `${kind} ${name}${where} was not made for this tenant and bears the name that NexusOS needs for Kueue, so Runs wait; rename it, or delete it with: ${command}`;
    return { reason: TENANT_REASONS.NameTaken, message };
  });
}

/** Whether a live LocalQueue cannot become what is desired: where it leads to cannot be changed. */
export function leadsElsewhere(desired: KubeObject, live: KubeObject): boolean {
  return desired.kind === 'LocalQueue' && clusterQueueOf(desired) !== clusterQueueOf(live);
}

function clusterQueueOf({ spec }: KubeObject): string | undefined {
  return (spec as { readonly clusterQueue?: string } | undefined)?.clusterQueue;
}
