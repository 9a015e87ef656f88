// SPDX-License-Identifier: Apache-2.0
import type { GPUClassSpec } from '#crds/v1alpha1/gpu-class';
import { LABELS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../object.ts';
import { wholeNumber } from './pod-devices.ts';

/** A taint that keeps pods off a node. */
interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}

type Toleration = NonNullable<GPUClassSpec['tolerations']>[number];

/** A node as it matters to devices. */
export interface DeviceNode {
  readonly name: string;
  /** Label `nexusos.dev/node-pool`; empty without. */
  readonly pool: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Those of the node's owner: what Kubernetes taints a node with for its state is in `isUsable`. */
  readonly taints: readonly Taint[];
  /** The tenant that it is dedicated to. */
  readonly dedicatedTo: string | undefined;
  /** Ready, not cordoned, not under pressure and not going. */
  readonly isUsable: boolean;
  /** Allocatable extended resources. */
  readonly resources: ReadonlyMap<string, number>;
}

interface NodeSpec {
  readonly taints?: readonly Taint[];
  readonly unschedulable?: boolean;
}

interface NodeStatus {
  readonly allocatable?: Readonly<Record<string, string>>;
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
}

/** Kubernetes itself taints nodes under this prefix while they are not fit for pods. */
const STATE_TAINT = 'node.kubernetes.io/';

/** Keeps of a Node only what `readNode` reads. */
export function nodeParts({ metadata, spec, status }: KubeObject) {
  const { taints, unschedulable } = (spec ?? {}) as NodeSpec;
  const { allocatable = {}, conditions = [] } = (status ?? {}) as NodeStatus;
  const { labels, deletionTimestamp } = metadata;
  const extended = Object.entries(allocatable).filter(([name]) => name.includes('/'));
  return {
    metadata: { ...(labels && { labels }), ...(deletionTimestamp && { deletionTimestamp }) },
    spec: { ...(taints && { taints }), ...(unschedulable === true && { unschedulable }) },
    status: {
      allocatable: Object.fromEntries(extended),
      conditions: conditions
        .filter(({ type }) => type === 'Ready')
        .map((one) => ({ type: one.type, status: one.status })),
    },
  };
}

/** What was read of objects of the store, which never change. */
const read = new WeakMap<KubeObject, DeviceNode>();

/** Reads a Node, once. */
export function readNode(node: KubeObject): DeviceNode {
  const known = read.get(node) ?? parseNode(node);
  read.set(node, known);
  return known;
}

function isOfState({ key }: Taint): boolean {
  return key.startsWith(STATE_TAINT);
}

function parseNode(node: KubeObject): DeviceNode {
  const { metadata, spec, status } = nodeParts(node);
  const labels = metadata.labels ?? {};
  const repelling = (spec.taints ?? []).filter(({ effect }) => effect !== 'PreferNoSchedule');
  const taints = repelling.filter((one) => !isOfState(one));
  const isReady = status.conditions.some((one) => one.status === 'True');
  const isOpen = spec.unschedulable !== true && metadata.deletionTimestamp === undefined;
  return {
    name: node.metadata.name,
    pool: labels[LABELS.nodePool] ?? '',
    labels,
    taints,
    dedicatedTo: labels[LABELS.dedicated] ?? taints.find(({ key }) => key === LABELS.dedicated)?.value,
    isUsable: isReady && isOpen && !repelling.some(isOfState),
    resources: new Map(Object.entries(status.allocatable).map(([name, value]) => [name, wholeNumber(value)])),
  };
}

/**
 * Whether pods of a class may be on a node, by the labels and taints that the class knows. Dedication is left out: that is a
 * matter of the tenant (`isOpenTo`).
 */
export function isOfClass(node: DeviceNode, { nodeSelector = {}, tolerations = [] }: GPUClassSpec): boolean {
  const isSelected = Object.entries(nodeSelector).every(([key, value]) => node.labels[key] === value);
  return (
    isSelected &&
    node.taints.every(
      (taint) => taint.key === LABELS.dedicated || tolerations.some((one) => tolerates(one, taint)),
    )
  );
}

/** Who asks for devices. */
export interface Tenancy {
  readonly tenant: string;
  /** Of isolation tier Hard: on nodes dedicated to it, and nowhere else. */
  readonly isHard: boolean;
}

/** Whether pods of a tenant may be on a node, by whom it is dedicated to. */
export function isOpenTo({ dedicatedTo }: DeviceNode, { tenant, isHard }: Tenancy): boolean {
  return isHard ? dedicatedTo === tenant : dedicatedTo === undefined;
}

/** As Kubernetes compares them: an empty operator is Equal, an empty effect tolerates all. */
function tolerates({ key, operator, value = '', effect }: Toleration, taint: Taint): boolean {
  if (key !== taint.key || (effect !== undefined && effect !== taint.effect)) return false;
  return operator === 'Exists' || value === (taint.value ?? '');
}
