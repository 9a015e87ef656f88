// SPDX-License-Identifier: Apache-2.0
import { AGENT_SERVICE_REASONS } from '#crds/v1alpha1/agent-service';
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import type { Agent } from '../agent/agent.ts';
import { statedResources } from '../agent/container.ts';
import { serviceOf } from '../agent/template.ts';
import { findCondition, isTrue, READY, STALLED } from '../conditions.ts';
import type { KubeObject } from '../object.ts';
import type { Run } from '../run/run.ts';
import type { Ledger } from '../tenant/tenant.ts';
import { addTo, type Amounts, amountOf, parseAmounts, smaller } from './amounts.ts';
import { demandOf, type RunContext, sourceOf } from './candidates.ts';
import { containerResources } from './demand.ts';
import type { Demand } from './grants.ts';
import { RESOURCE_QUOTA_NAME } from './refusals.ts';
import { seenQuota } from './resource-quota.ts';
import { runsByUid } from './runs-by-uid.ts';
import { objectsDemand, podDemand } from './service-amounts.ts';

/** What of a ledger its services are judged by. */
export interface ServiceContext extends RunContext {
  readonly quotas: ReadonlyMap<string, KubeObject>;
  /** Namespaces in which a ResourceQuota of somebody else bears the name of ours: nothing can be granted there. */
  readonly taken: ReadonlySet<string>;
  readonly runs: readonly Run[];
  /** UIDs of Runs with a pod that counts against quota. */
  readonly started: ReadonlySet<string>;
}

/**
 * What services of a tenant still lack, as far as there could be room for it: quota moves to their namespaces, and Runs that wait
 * leave it to them. What Runs hold now counts as room, since they end; what anything else holds does not, or what never
 * comes to stand would keep Runs from starting for ever.
 *
 * Example: of 10 cores, Runs use 6, and a Deployment of the tenant's own 3. A service lacks 4 pods of 2 cores: 3 of them could
 * stand (10 - 3 = 7), so 6 cores are asked for.
 */
export function serviceDemands(
  ledger: Ledger,
  context: ServiceContext,
  held: readonly Reservation[],
): readonly Demand[] {
  if (ledger.spec.suspended) return [];
  const lacking = [...context.agents.values()].filter((agent) => missingPods(agent) > 0);
  if (lacking.length === 0) return [];
  const room = roomFor(ledger, context, held);
  const shares = new Set(ledger.spec.namespaces?.filter((name) => !context.taken.has(name)));
  return lacking
    .filter(({ metadata }) => shares.has(metadata.namespace ?? ''))
    .toSorted(byAge)
    .flatMap((agent) => demandsOf(agent, context, room));
}

/** Pods that a service has not: all of them before it is made, and while a revision is rolled out those beside the old ones. */
function missingPods({ metadata, spec, status }: Agent): number {
  if (spec.shape !== 'service' || metadata.deletionTimestamp !== undefined) return 0;
  if (isHopeless(status)) return 0;
  const { replicas, rollout } = serviceOf(spec);
  const seen = status?.service;
  if (seen === undefined) return replicas.min;
  const isRolling = seen.updatedReplicas < seen.replicas;
  const surge = isRolling ? partOf(rollout.maxSurge, seen.desiredReplicas) : 0;
  return Math.max(0, seen.desiredReplicas + surge - seen.replicas);
}

/** What quota that is moved to it does not help; `exceeded quota: nexusos, requested: count/services=1, ...` is no such thing. */
const REFUSED: ReadonlySet<string> = new Set([
  AGENT_SERVICE_REASONS.PodsRefused,
  AGENT_SERVICE_REASONS.WriteRefused,
]);

/** Whether something else than quota keeps a service from having its pods, for ever maybe: Runs would never start. */
function isHopeless(status: Agent['status']): boolean {
  const conditions = status?.conditions ?? [];
  const ready = findCondition(conditions, READY);
  if (isTrue(conditions, STALLED) || ready?.reason === AGENT_SERVICE_REASONS.Replacing) return true;
  const isForQuota = ready?.message.includes(`exceeded quota: ${RESOURCE_QUOTA_NAME}, `) === true;
  return ready !== undefined && REFUSED.has(ready.reason) && !isForQuota;
}

/** A number of pods, or a part of them, rounded up as Kubernetes does. */
function partOf(part: string | number, whole: number): number {
  return typeof part === 'number' ? part : Math.ceil((Number.parseInt(part, 10) * whole) / 100);
}

/** The totals without what is used by anything but Runs. */
function roomFor(ledger: Ledger, context: ServiceContext, held: readonly Reservation[]): Map<string, bigint> {
  const room = parseAmounts(ledger.spec.hard) as Map<string, bigint>;
  const keys = new Set(room.keys());
  const limited = (amounts: Amounts) => new Map([...amounts].filter(([key]) => keys.has(key)));
  for (const quota of context.quotas.values()) addTo(room, limited(seenQuota(quota).used), -1n);
  const runs = runsByUid(context.runs);
  for (const { uid } of held) {
    const run = runs.get(uid);
    if (run === undefined || !context.started.has(uid)) continue;
    addTo(room, limited(demandOf(run, sourceOf(run, context).agent, context)));
  }
  return room;
}

/** One demand for each pod, so that what there is room for is met, should there not be for all. */
function demandsOf(agent: Agent, context: ServiceContext, room: Map<string, bigint>): readonly Demand[] {
  const { metadata, spec, status } = agent;
  const { namespace = '' } = metadata;
  const pod = podDemand(containerResources(statedResources(spec), context.containerDefaults));
  const count = Math.min(missingPods(agent), fitting(pod, room));
  addTo(room, new Map([...pod].filter(([key]) => room.has(key))), -BigInt(count));
  const objects = status?.service === undefined ? [{ namespace, amounts: objectsDemand(spec) }] : [];
  return [...objects, ...Array.from({ length: count }, () => ({ namespace, amounts: pod }))];
}

/** How many pods there is room for. */
function fitting(pod: Amounts, room: Amounts): number {
  let most = BigInt(Number.MAX_SAFE_INTEGER);
  for (const [key, milli] of pod) {
    if (!room.has(key) || milli === 0n) continue;
    most = smaller(most, amountOf(room, key) / milli);
  }
  return Number(most < 0n ? 0n : most);
}

/** Who was there first, and after that by name: the same order at each pass. */
function byAge(a: Agent, b: Agent): number {
  return keyOf(a) < keyOf(b) ? -1 : 1;
}

function keyOf({ metadata }: Agent): string {
  return `${metadata.creationTimestamp ?? ''} ${metadata.namespace}/${metadata.name}`;
}
