// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import type { TenantSpec } from '#crds/v1alpha1/tenant';
import { toInstant } from '../../conditions.ts';
import type { KubeObject } from '../../object.ts';
import { lacking } from '../../quota/amounts.ts';
import { containerResources } from '../../quota/demand.ts';
import { RESOURCE_QUOTA_NAME } from '../../quota/refusals.ts';
import { seenQuota } from '../../quota/resource-quota.ts';
import { podDemand } from '../../quota/service-amounts.ts';
import type { Agent } from '../agent.ts';
import { statedResources } from '../container.ts';
import { viewOf } from './observed.ts';
import { refusalIn } from './standing.ts';

/** How often a Deployment is told that there is room. Pods are made at once then, or something else is in the way. */
const AGAIN_MS = 30_000;

/** What is looked at. */
export interface QuotaRetryInput {
  readonly agent: Agent;
  readonly deployment: KubeObject | undefined;
  /** Our ResourceQuota in the namespace. */
  readonly quota: KubeObject | undefined;
  readonly containerDefaults: TenantSpec['containerDefaults'];
}

/**
 * When pods that found no room in quota were last asked for again. Kubernetes waits longer after each refusal, up to 17 minutes, and
 * nothing tells it that there is room now. An annotation of the Deployment goes on to its ReplicaSets, and whatever changes
 * these has them try at once. So it changes when there is room and nobody takes it; else it stays as it is.
 */
export function askedAgainAt(input: QuotaRetryInput, now: Date): string | undefined {
  const { deployment } = input;
  const before = deployment?.metadata.annotations?.[ANNOTATIONS.askedAgainAt];
  if (!isStuck(deployment) || !hasRoom(input)) return before;
  const sinceMs = now.getTime() - Date.parse(before ?? '');
  // Ahead of us, the clock has gone back since.
  const isRecent = sinceMs >= 0 && sinceMs < AGAIN_MS;
  return isRecent ? before : toInstant(now);
}

/** When to look again, as long as pods find no room: in milliseconds. */
export function lookAgainMs(deployment: KubeObject | undefined): number {
  return isStuck(deployment) ? AGAIN_MS : Infinity;
}

function isStuck(deployment: KubeObject | undefined): boolean {
  const words = deployment && refusalIn(viewOf(deployment));
  return words?.includes(`exceeded quota: ${RESOURCE_QUOTA_NAME}, `) === true;
}

function hasRoom({ agent, quota, containerDefaults }: QuotaRetryInput): boolean {
  if (quota === undefined) return false;
  const { hard, used } = seenQuota(quota);
  const free = new Map([...hard].map(([key, most]) => [key, most - (used.get(key) ?? 0n)]));
  const pod = podDemand(containerResources(statedResources(agent.spec), containerDefaults));
  return lacking(pod, free).length === 0;
}
