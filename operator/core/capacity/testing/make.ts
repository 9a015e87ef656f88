// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import type { GPUClass } from '../../agent/agent.ts';
import type { KubeObject } from '../../object.ts';
import { makeClass } from '../../run/testing/make.ts';
import { withDevices } from '../pod-devices.ts';
import { countSupply, type Supply, type SupplySources } from '../supply.ts';

/** Resource of the nodes and pods made here, unless they say otherwise. */
export const GPU = 'nvidia.com/gpu';

/** What a case chooses of a node. */
export interface NodeChoice {
  readonly pool?: string;
  readonly gpus?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly { readonly key: string; readonly value?: string; readonly effect: string }[];
  readonly ready?: 'True' | 'False' | 'Unknown';
  readonly cordoned?: boolean;
}

/** A Node with some GPUs, Ready unless told otherwise. */
export function makeNode(name: string, choice: NodeChoice = {}): KubeObject {
  const { pool, gpus = 8, labels = {}, taints = [], ready = 'True', cordoned = false } = choice;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { ...labels, ...(pool !== undefined && { [LABELS.nodePool]: pool }) } },
    spec: { taints, unschedulable: cordoned },
    status: {
      allocatable: { cpu: '64', [GPU]: String(gpus) },
      conditions: [{ type: 'Ready', status: ready }],
    },
  };
}

/** A pod on a node that holds some of its GPUs, of a Run when that is given; as a watch keeps it. */
export function makeHolder(node: string, gpus: number, runUid?: string): KubeObject {
  const labels = runUid === undefined ? {} : { [LABELS.runUid]: runUid };
  return withDevices({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `${node}-${gpus}-${runUid ?? 'foreign'}`, namespace: 'x', labels },
    spec: { nodeName: node, containers: [{ resources: { limits: { [GPU]: String(gpus) } } }] },
    status: { phase: 'Running' },
  });
}

/** The class `gpu`: every node that has some. */
export const ANY_GPU: GPUClass = makeClass('gpu');

/** The devices of what is given; the class `gpu` unless others are. */
export function supplyOf(sources: Partial<SupplySources>): Supply {
  return countSupply({
    nodes: [],
    pods: [],
    gpuClasses: [ANY_GPU],
    deviceClasses: [],
    slices: [],
    claims: [],
    ...sources,
  });
}
