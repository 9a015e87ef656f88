// SPDX-License-Identifier: Apache-2.0
import type { AgentSpec, AgentStatus } from '#crds/v1alpha1/agent';
import type { GPUClassSpec, GPUClassStatus } from '#crds/v1alpha1/gpu-class';
import type { KubeObject } from '../object.ts';

/** An Agent after defaulting. */
export type Agent = KubeObject & { readonly spec: AgentSpec; readonly status?: AgentStatus };

/** A GPUClass after defaulting. */
export type GPUClass = KubeObject & { readonly spec: GPUClassSpec; readonly status?: GPUClassStatus };

/** How many pods one Run of an Agent has. */
export function podCount({ gang }: Pick<AgentSpec, 'gang'>): number {
  return gang?.pods ?? 1;
}

/** Names an Agent among those of all namespaces. */
export function agentKey(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}
