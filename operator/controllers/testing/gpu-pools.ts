// SPDX-License-Identifier: Apache-2.0
import type { GPUClassStatus } from '#crds/v1alpha1/gpu-class';
import { LABELS } from '#crds/v1alpha1/names';
import { eventually } from '#hack/tools/eventually';
import type { KubeObject } from '../../core/object.ts';
import { GPU_CLASSES, NODES, RUNS } from '../../core/resources.ts';
import { PODS } from '../shared/workloads.ts';
import { listAll, makeAgent, makeTenant, type WorkloadRig } from './workload-rig.ts';

interface RunKey {
  readonly namespace: string;
  readonly name: string;
}

/** Nodes of class h100, with eight cards each. */
export const H100 = ['h100-0', 'h100-1'];
/** Nodes of class l4, with four cards each. */
export const L4 = ['l4-0', 'l4-1'];

/** Two tenants with all the cards that there are, and an Agent of each of some sizes. */
export async function makeCardPlayers(rig: WorkloadRig): Promise<void> {
  const classes = ['h100', 'l4', 'dra'].map((one) => ({ class: one, count: 16 }));
  await rig.client.create(GPU_CLASSES, DRA_CLASS, 'test');
  for (const name of ['north', 'south']) {
    await makeTenant(rig, name, { namespaces: [{ suffix: 'x' }], quotas: { gpus: classes } });
    for (const [agent, gpuClass, count] of PLAYERS) {
      await makeAgent(rig, { namespace: `${name}-x`, name: agent }, { gpu: { class: gpuClass, count } });
    }
  }
}

const PLAYERS = [
  ['five', 'h100', 5],
  ['eight', 'h100', 8],
  ['one-l4', 'l4', 1],
  ['four-l4', 'l4', 4],
  ['eight-dra', 'dra', 8],
  ['one-dra', 'dra', 1],
] as const;

const DRA_CLASS: KubeObject = {
  apiVersion: 'nexusos.dev/v1alpha1',
  kind: 'GPUClass',
  metadata: { name: 'dra' },
  spec: {
    deviceClassName: 'gpu.nvidia.com',
    tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exists' }],
  },
};

/** A pod that is none of our business, on that very node until it is deleted, and holds some of its cards. */
export function occupy(rig: WorkloadRig, node: string, gpus: number): Promise<KubeObject> {
  return hold(rig, node, { 'nvidia.com/gpu': String(gpus) });
}

/** One that holds cores. */
export function occupyCores(rig: WorkloadRig, node: string, cores: number): Promise<KubeObject> {
  return hold(rig, node, { cpu: String(cores) });
}

function hold(rig: WorkloadRig, node: string, limits: Readonly<Record<string, string>>): Promise<KubeObject> {
  const containers = [{ name: 'theirs', image: 'registry.example.com/theirs:1', resources: { limits } }];
  const metadata = { namespace: 'default', name: 'cpu' in limits ? coresOn(node) : cardsOn(node) };
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName: node, containers } };
  return rig.client.create(PODS, pod, 'test');
}

/** Ends the pod that `occupy` has made there. */
export function vacate(rig: WorkloadRig, node: string): Promise<unknown> {
  return rig.client.delete(PODS, { namespace: 'default', name: cardsOn(node) });
}

/** Ends the one that `occupyCores` has made there. */
export function vacateCores(rig: WorkloadRig, node: string): Promise<unknown> {
  return rig.client.delete(PODS, { namespace: 'default', name: coresOn(node) });
}

const cardsOn = (node: string) => `theirs-on-${node}`;
const coresOn = (node: string) => `cores-on-${node}`;

/** Waits until a class is counted so; what is counted is what is decided on. */
export function counts(rig: WorkloadRig, name: string, wanted: GPUClassStatus): Promise<unknown> {
  return eventually(`${name} is counted ${JSON.stringify(wanted)}`, async () => {
    const status = (await rig.client.get(GPU_CLASSES, { name }))?.['status'] as GPUClassStatus | undefined;
    const entries = Object.entries(wanted) as [keyof GPUClassStatus, unknown][];
    if (entries.every(([key, value]) => status?.[key] === value)) return true;
    throw new Error(JSON.stringify(status));
  });
}

/** Keeps new pods off a node, or lets them on it again. */
export function cordon(rig: WorkloadRig, name: string, unschedulable: boolean): Promise<KubeObject> {
  return rig.client.patch(NODES, { name }, { body: { spec: { unschedulable } } });
}

/** Cancels a Run. */
export function cancel(rig: WorkloadRig, key: RunKey): Promise<KubeObject> {
  return rig.client.patch(RUNS, key, { body: { spec: { cancel: true } } });
}

/** Where the pod of a Run is, and where it wanted to be. */
export async function nodeOf(rig: WorkloadRig, run: RunKey): Promise<{ nodeName: string; wanted: string }> {
  const labelSelector = `${LABELS.run}=${run.name}`;
  const [pod] = await listAll(rig, PODS, { namespace: run.namespace, labelSelector });
  const spec = pod?.['spec'] as { readonly nodeName?: string; readonly affinity?: object } | undefined;
  return { nodeName: spec?.nodeName ?? '', wanted: JSON.stringify(spec?.affinity ?? {}) };
}
