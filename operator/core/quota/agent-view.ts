// SPDX-License-Identifier: Apache-2.0
import type { TenantSpec } from '#crds/v1alpha1/tenant';
import { type Agent, type GPUClass, podCount } from '../agent/agent.ts';
import { statedResources } from '../agent/container.ts';
import { isDeepEqual } from '../compare.ts';
import type { Amounts } from './amounts.ts';
import type { RunContext } from './candidates.ts';
import { containerResources, type Devices, runDemand, withConfigMap } from './demand.ts';

/** What a Run of an Agent takes, with and without a ConfigMap. */
export interface Demands {
  readonly alone: Amounts;
  readonly withFiles: Amounts;
}

/** What all Runs of an Agent follow from, beside what each says of itself. */
export interface AgentView {
  readonly agent: Agent;
  readonly gpuClass: GPUClass | undefined;
  readonly containerDefaults: TenantSpec['containerDefaults'];
  readonly demands: Demands;
  /** Views of earlier passes that were compared with this one. */
  readonly compared: WeakMap<AgentView, boolean>;
}

/** The last view of a version of an Agent. */
const last = new WeakMap<Agent, AgentView>();

/** How `agent` looks in `context`: the same object in the next pass, if neither it nor what it refers to was written since. */
export function viewOf(agent: Agent, { gpuClasses, containerDefaults }: RunContext): AgentView {
  const gpuClass = agent.spec.gpu && gpuClasses.get(agent.spec.gpu.class);
  const known = last.get(agent);
  const isKnown = known?.gpuClass === gpuClass && known?.containerDefaults === containerDefaults;
  if (known !== undefined && isKnown) return known;
  const demands = demandsOf(agent, gpuClass, containerDefaults);
  const view = { agent, gpuClass, containerDefaults, demands, compared: new WeakMap() };
  last.set(agent, view);
  return view;
}

/**
 * Whether Runs look the same by both. An Agent and a Tenant are written every second while Runs come and go, which changes figures that no
 * Run follows from.
 */
export function isSameView(before: AgentView, now: AgentView): boolean {
  if (before === now) return true;
  const known = now.compared.get(before);
  if (known !== undefined) return known;
  const isSame = isDeepEqual(groundsOf(before), groundsOf(now));
  now.compared.set(before, isSame);
  return isSame;
}

function groundsOf({ agent, gpuClass, containerDefaults }: AgentView): unknown {
  const { resourceVersion: _, ...metadata } = agent.metadata;
  const { runs: __, schedule: ___, ...status } = agent.status ?? {};
  return [metadata, agent.spec, status, gpuClass?.spec, containerDefaults];
}

function demandsOf(
  { spec }: Agent,
  gpuClass: GPUClass | undefined,
  defaults: TenantSpec['containerDefaults'],
): Demands {
  const { gpu } = spec;
  const devices: Devices | undefined =
    gpu === undefined || gpuClass === undefined ? undefined : { class: gpuClass.spec, count: gpu.count };
  const alone = runDemand(containerResources(statedResources(spec), defaults), devices, podCount(spec));
  return { alone, withFiles: withConfigMap(alone) };
}
