// SPDX-License-Identifier: Apache-2.0
import type { AgentSpec } from '#crds/v1alpha1/agent';
import { serviceOf } from '../agent/template.ts';
import { type Amounts, parseAmounts } from './amounts.ts';
import type { ContainerResources } from './demand.ts';
import { MILLI } from './quantity.ts';

/** Quota keys that count a pod as one. */
const POD_COUNTS = ['pods', 'count/pods'];
/** The same of what a service is made of beside its pods. */
const OBJECT_COUNTS = [
  'services',
  'count/services',
  'count/deployments.apps',
  'count/replicasets.apps',
  'count/poddisruptionbudgets.policy',
];
const AUTOSCALER_COUNTS = ['count/horizontalpodautoscalers.autoscaling'];

/** What a service takes from quota with one pod, by the keys of ResourceQuota. */
export function serviceDemand(resources: ContainerResources, spec: AgentSpec): Amounts {
  return new Map([...objectsDemand(spec), ...podDemand(resources)]);
}

/** What it is made of beside its pods. */
export function objectsDemand(spec: AgentSpec): Amounts {
  const isScaled = serviceOf(spec).autoscaling !== undefined;
  const keys = [...OBJECT_COUNTS, ...(isScaled ? AUTOSCALER_COUNTS : [])];
  return new Map(keys.map((key) => [key, MILLI]));
}

/** What one of its pods takes. */
export function podDemand({ requests, limits }: ContainerResources): Amounts {
  const demand = new Map(POD_COUNTS.map((key) => [key, MILLI]));
  const stated = [
    ...Object.entries(requests).flatMap(([name, value]) => [
      [name, value] as const,
      [`requests.${name}`, value] as const,
    ]),
    ...Object.entries(limits).map(([name, value]) => [`limits.${name}`, value] as const),
  ];
  for (const [key, milli] of parseAmounts(Object.fromEntries(stated))) demand.set(key, milli);
  return demand;
}
