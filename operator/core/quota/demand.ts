// SPDX-License-Identifier: Apache-2.0
import type { GPUClassSpec } from '#crds/v1alpha1/gpu-class';
import type { TenantSpec } from '#crds/v1alpha1/tenant';
import type { Container } from '../agent/container.ts';
import type { Amounts, Quantities } from './amounts.ts';
import { MILLI, parseQuantity } from './quantity.ts';

/** What the container of a Run asks for, complete: what the API server counts against quota. */
export interface ContainerResources {
  readonly requests: Quantities;
  readonly limits: Quantities;
}

/** Devices of a Run, of a class that is known. */
export interface Devices {
  readonly class: GPUClassSpec;
  readonly count: number;
}

type ContainerDefaults = TenantSpec['containerDefaults'];
type AgentResources = Container['resources'];

/** Quota keys that count every pod as one. */
const POD_COUNTS = ['pods', 'count/pods'];
/** The same of a ConfigMap. */
const CONFIG_MAP_COUNTS = ['configmaps', 'count/configmaps'];
/** The same of what a Run needs for devices of dynamic resource allocation. */
const CLAIM_COUNTS = ['count/resourceclaims.resource.k8s.io', 'count/resourceclaimtemplates.resource.k8s.io'];
/** The same of the Service by which the pods of a Run of many find each other. */
const SERVICE_COUNTS = ['services', 'count/services'];
const TEMPLATE_COUNT = 'count/resourceclaimtemplates.resource.k8s.io';
/** Those of objects that an attempt leaves behind. */
const KEPT_COUNTS: ReadonlySet<string> = new Set([...CONFIG_MAP_COUNTS, ...SERVICE_COUNTS, TEMPLATE_COUNT]);

/**
 * What a Run's container asks for after the defaults of the tenant, by the rules of Kubernetes in their order: a limit
 * without a request is also the request; then the LimitRange fills in (its `default` serves as `defaultRequest` where
 * that is missing, and its `max` as `default`).
 */
export function containerResources(agent: AgentResources, defaults: ContainerDefaults): ContainerResources {
  const stated = { ...agent?.limits };
  const limits = { ...defaults?.max, ...defaults?.default, ...stated };
  const requests = { ...limits, ...defaults?.defaultRequest, ...stated, ...agent?.requests };
  return { requests, limits };
}

/**
 * What one Run takes from quota, by the keys of ResourceQuota: its pods and what these request. `devices`: of each of them.
 */
export function runDemand(resources: ContainerResources, devices: Devices | undefined, pods = 1): Amounts {
  const one = podDemand(resources, devices);
  if (pods === 1) return one;
  const all = [...one].map(
    ([key, milli]) => [key, key === TEMPLATE_COUNT ? milli : milli * BigInt(pods)] as const,
  );
  return new Map([...all, ...SERVICE_COUNTS.map((key) => [key, MILLI] as const)]);
}

/** What is still to be taken by a Run of many pods of which some, and with them all that they share, were made. */
export function demandOfRest(
  demand: Amounts,
  { missing, pods }: { readonly missing: number; readonly pods: number },
): Amounts {
  const each = [...givenBack(demand)];
  return new Map(each.map(([key, milli]) => [key, (milli / BigInt(pods)) * BigInt(missing)] as const));
}

function podDemand(resources: ContainerResources, devices: Devices | undefined): Map<string, bigint> {
  const demand = new Map<string, bigint>();
  for (const key of POD_COUNTS) demand.set(key, MILLI);
  for (const [name, value] of Object.entries(resources.requests)) {
    setAmount(demand, [name, `requests.${name}`], value);
  }
  for (const [name, value] of Object.entries(resources.limits)) setAmount(demand, [`limits.${name}`], value);
  const key = devices && deviceKey(devices.class);
  if (devices !== undefined && key !== undefined) demand.set(key, BigInt(devices.count) * MILLI);
  if (devices?.class.deviceClassName !== undefined) for (const one of CLAIM_COUNTS) demand.set(one, MILLI);
  return demand;
}

/** The same of a Run that is given something, in a ConfigMap. */
export function withConfigMap(demand: Amounts): Amounts {
  return new Map([...demand, ...CONFIG_MAP_COUNTS.map((key) => [key, MILLI] as const)]);
}

/** What of `demand` is free again when a Run is ended: what it was given, and asked devices by, is kept as long as the Run. */
export function givenBack(demand: Amounts): Amounts {
  return new Map([...demand].filter(([key]) => !KEPT_COUNTS.has(key)));
}

/** The key of ResourceQuota that counts the devices of a class; undefined for a class that names no resource. */
export function deviceKey({ resourceName, deviceClassName }: GPUClassSpec): string | undefined {
  if (resourceName !== undefined) return `requests.${resourceName}`;
  return deviceClassName && `${deviceClassName}.deviceclass.resource.k8s.io/devices`;
}

function setAmount(demand: Map<string, bigint>, keys: readonly string[], value: string | number): void {
  const milli = parseQuantity(value);
  if (milli !== undefined) for (const key of keys) demand.set(key, milli);
}
