// SPDX-License-Identifier: Apache-2.0
import { nodeParts } from '../../core/capacity/node.ts';
import type { KubeObject } from '../../core/object.ts';
import { onlyAddresses } from '../../core/tenant/cluster-ranges.ts';

/** Keeps of a Node what anybody reads: its addresses, and what devices are counted from. All who watch Nodes name it. */
export function trimNode(node: KubeObject): KubeObject {
  const light = onlyAddresses(node);
  const { metadata, spec, status } = nodeParts(node);
  return {
    ...light,
    metadata: { ...light.metadata, ...metadata },
    spec: { ...fieldsOf(light['spec']), ...spec },
    status: { ...fieldsOf(light['status']), ...status },
  };
}

function fieldsOf(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}
