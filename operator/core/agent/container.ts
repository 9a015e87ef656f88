// SPDX-License-Identifier: Apache-2.0
import type { AgentSpec } from '#crds/v1alpha1/agent';

/** What an Agent states of the container that runs for it. */
export type Container = NonNullable<AgentSpec['container']>;

/** The container of an Agent of shape job or service. The API server lets none be without one; a pod with no image would be refused. */
export function containerOf({ container }: AgentSpec): Container {
  return container ?? { image: '' };
}

/** What one pod of an Agent asks for, as its writer states it. */
export function statedResources({ container, remote }: AgentSpec): Container['resources'] {
  return remote === undefined ? container?.resources : remote.resources;
}

/** Where that is stated. */
export function resourcesField({ remote }: AgentSpec): string {
  return remote === undefined ? 'spec.container.resources' : 'spec.remote.resources';
}
