// SPDX-License-Identifier: Apache-2.0
import { AGENT_REASONS } from '#crds/v1alpha1/agent';
import { AGENT_SERVICE_REASONS } from '#crds/v1alpha1/agent-service';
import { lacking, parseAmounts, type Quantities } from '../quota/amounts.ts';
import { containerResources, type Devices, runDemand } from '../quota/demand.ts';
import { formatQuantity, quantityFormat } from '../quota/quantity.ts';
import { serviceDemand } from '../quota/service-amounts.ts';
import { contactOf } from '../tenant/contact.ts';
import type { Tenant } from '../tenant/tenant.ts';
import { type Agent, type GPUClass, podCount } from './agent.ts';
import { containerOf, resourcesField, statedResources } from './container.ts';
import { checkEntitlements } from './entitlements.ts';
import { isFromRegistry, repositoryOf } from './image.ts';

/** Why an Agent cannot be used. The message names field, found, allowed and whom to ask. */
export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

/** What an Agent is checked against. */
export interface AgentSurroundings {
  /** Tenant of the namespace. */
  readonly tenant: Tenant | undefined;
  /** The class that the Agent names. */
  readonly gpuClass: GPUClass | undefined;
}

/** Whether there are agents of shape remote at all: without the image that speaks to their endpoints there are none. */
export function checkRemote({ spec }: Agent, image: string | undefined): Refusal | undefined {
  if (spec.remote === undefined || image !== undefined) return undefined;
  const message =
    'spec.shape: found remote, which the platform has turned off (remoteAgents.enabled of the chart); allowed are job and service. Ask the platform team.';
  return { reason: AGENT_REASONS.RemoteDisabled, message };
}

/** Keys of ResourceQuota that refuse a pod which does not state the amount. */
const MUST_BE_STATED = /^((requests|limits)\.)?(cpu|memory)$/;

/** The first thing that keeps Runs of the Agent from ever being admitted; undefined when nothing does. */
export function checkAgent(agent: Agent, { tenant, gpuClass }: AgentSurroundings): Refusal | undefined {
  if (tenant === undefined) {
    const namespace = agent.metadata.namespace ?? '';
    const message = `metadata.namespace: ${namespace} belongs to no tenant; Agents work in namespaces of a tenant. Ask the platform team.`;
    return { reason: AGENT_REASONS.TenantNotFound, message };
  }
  const refusal =
    checkDeletion(agent) ??
    checkSuspension(agent, tenant) ??
    checkEntitled(agent, tenant) ??
    checkClass(agent, tenant, gpuClass) ??
    checkContainer(agent, tenant) ??
    checkSize(agent, tenant, gpuClass) ??
    checkAutoscaling(agent, tenant);
  return refusal && { ...refusal, message: `${refusal.message}. Ask ${contactOf(tenant)}.` };
}

function checkDeletion({ metadata }: Agent): Refusal | undefined {
  if (metadata.deletionTimestamp === undefined) return undefined;
  const keepers = metadata.finalizers?.join(', ') ?? '';
  const message = `the Agent was deleted, and nothing of it starts any more; what keeps it: finalizers ${keepers}`;
  return { reason: AGENT_REASONS.Terminating, message };
}

function checkSuspension({ spec: { shape } }: Agent, { metadata, spec }: Tenant): Refusal | undefined {
  if (!spec.suspended) return undefined;
  const then = shape === 'service' ? 'its pods come back' : 'Runs start again';
  const message = `tenant ${metadata.name} is suspended (spec.suspended is true); ${then} when it is resumed`;
  return { reason: AGENT_REASONS.TenantSuspended, message };
}

/** What the tenant lists: registries, models, tools and data. */
function checkEntitled(agent: Agent, tenant: Tenant): Refusal | undefined {
  return checkRegistry(agent, tenant) ?? checkEntitlements(agent, tenant);
}

function checkRegistry(agent: Agent, tenant: Tenant): Refusal | undefined {
  // The program that speaks to an endpoint is the platform's.
  if (agent.spec.remote !== undefined) return undefined;
  const { image } = containerOf(agent.spec);
  const { registries = [] } = tenant.spec.entitlements ?? {};
  if (isFromRegistry(image, registries)) return undefined;
  const message = `spec.container.image: ${repositoryOf(image)} is not allowed; allowed are ${registries.join(', ')}`;
  return { reason: AGENT_REASONS.RegistryNotAllowed, message };
}

function checkClass(agent: Agent, tenant: Tenant, gpuClass: GPUClass | undefined): Refusal | undefined {
  const { gpu } = agent.spec;
  if (gpu === undefined) return undefined;
  const quotas = tenant.spec.quotas?.gpus ?? [];
  const quota = quotas.find((one) => one.class === gpu.class);
  const allowed = quotas.map((one) => `${one.class} (${one.count})`).join(', ') || 'none';
  const found = `spec.gpu.class: ${gpu.class}`;
  if (gpuClass === undefined) {
    const message = `${found} does not exist; the tenant has quota for ${allowed}`;
    return { reason: AGENT_REASONS.GPUClassNotFound, message };
  }
  if (quota === undefined) {
    const message = `${found} is not in the tenant's quota; allowed are ${allowed}`;
    return { reason: AGENT_REASONS.GPUClassNotAllowed, message };
  }
  if (gpuClass.spec.sharing === 'Shared' && tenant.spec.isolation.tier === 'Hard') {
    const message = `${found} is shared with others; a tenant of isolation tier Hard may use Exclusive and Partitioned classes`;
    return { reason: AGENT_REASONS.GPUClassNotAllowed, message };
  }
  return checkDevices(agent, gpu, quota.count);
}

function checkDevices(
  { spec }: Agent,
  { class: name, count }: NonNullable<Agent['spec']['gpu']>,
  allowed: number,
): Refusal | undefined {
  const pods = podCount(spec);
  if (count * pods <= allowed) return undefined;
  const many = pods === 1 ? '' : ` (spec.gang.pods: ${pods}, with ${count} each)`;
  const message = `spec.gpu.count: one Run asks for ${count * pods} of class ${name}${many}; at most ${allowed} are allowed at one time`;
  return { reason: AGENT_REASONS.NeverFits, message };
}

/** What the API server would refuse of the container, once the defaults of the tenant are filled in. */
function checkContainer(agent: Agent, { spec }: Tenant): Refusal | undefined {
  const { requests, limits } = containerResources(statedResources(agent.spec), spec.containerDefaults);
  const where = resourcesField(agent.spec);
  const most = spec.containerDefaults?.max;
  return (
    tooMuch(`${where}.requests`, requests, {
      of: limits,
      where: "the limit, which may come from the tenant's containerDefaults",
    }) ??
    tooMuch(`${where}.limits`, limits, {
      of: most,
      where: "the most for one container in the tenant's containerDefaults",
    })
  );
}

function tooMuch(
  field: string,
  amounts: Quantities,
  top: { readonly of: Quantities | undefined; readonly where: string },
): Refusal | undefined {
  const [found] = lacking(parseAmounts(amounts), parseAmounts(top.of));
  if (found === undefined) return undefined;
  const message = `${field}.${found}: found ${amounts[found]}; allowed is at most ${top.of?.[found]}, ${top.where}`;
  return { reason: AGENT_REASONS.NeverFits, message };
}

function checkSize(agent: Agent, tenant: Tenant, gpuClass: GPUClass | undefined): Refusal | undefined {
  const { compute, objects } = tenant.spec.quotas ?? {};
  const stated: Quantities = { ...compute, ...objects };
  const { one, demand } = demandOf(agent, tenant, gpuClass);
  for (const [key, total] of parseAmounts(stated)) {
    const wanted = demand.get(key);
    if (wanted === undefined && MUST_BE_STATED.test(key)) {
      const message = `${unstated(resourcesField(agent.spec), key)}, since the tenant has a quota of ${key}; or a default in the tenant's containerDefaults`;
      return { reason: AGENT_REASONS.NeverFits, message };
    }
    if (wanted !== undefined && wanted > total) {
      const allowed = stated[key] ?? '';
      const found = formatQuantity(wanted, quantityFormat(allowed));
      const message = `${resourcesField(agent.spec)}: ${one} takes ${found} of ${key}; at most ${allowed} are allowed for the whole tenant`;
      return { reason: AGENT_REASONS.NeverFits, message };
    }
  }
  return undefined;
}

/** Names the field to fill in: a quota called cpu or memory counts what is requested. */
function unstated(where: string, key: string): string {
  const field = /^(requests|limits)\./.test(key) ? `${where}.${key}` : `${where}.requests.${key}`;
  return `${field}: found none; needed is an amount, such as ${key.endsWith('cpu') ? '500m' : '512Mi'}`;
}

/** What the least that an Agent is good for takes from quota, and what that is. */
function demandOf({ spec }: Agent, tenant: Tenant, gpuClass: GPUClass | undefined) {
  const { gpu, shape } = spec;
  const resources = containerResources(statedResources(spec), tenant.spec.containerDefaults);
  if (shape === 'service') return { one: 'one pod', demand: serviceDemand(resources, spec) };
  const devices: Devices | undefined =
    gpu === undefined || gpuClass === undefined ? undefined : { class: gpuClass.spec, count: gpu.count };
  const pods = podCount(spec);
  const one = pods === 1 ? 'one Run' : `one Run of ${pods} pods`;
  return { one, demand: runDemand(resources, devices, pods) };
}

/** Of what its pods do not request, an autoscaler could not tell how much of it they use. */
function checkAutoscaling({ spec }: Agent, tenant: Tenant): Refusal | undefined {
  if (spec.service?.autoscaling?.cpuUtilizationPercent === undefined) return undefined;
  const { requests } = containerResources(statedResources(spec), tenant.spec.containerDefaults);
  if (requests['cpu'] !== undefined) return undefined;
  const message =
    'spec.service.autoscaling.cpuUtilizationPercent: it is a part of what a pod requests, and found is no request of cpu; state spec.container.resources.requests.cpu';
  return { reason: AGENT_SERVICE_REASONS.NothingToScaleBy, message };
}
