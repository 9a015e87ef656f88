// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import type { ApiObject, Creation } from './api-client.ts';

/** The pools that a cluster has unless told otherwise. */
export const defaultNodePoolsFile: string = join(import.meta.dirname, 'node-pools.yaml');

const quantity = z
  .string()
  .regex(/^\d+(\.\d+)?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi)?$/, 'must be a quantity such as "8", "500m" or "64Gi"');

const dnsLabel = z
  .string()
  .max(40)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'must be lower-case letters, digits and dashes');

const taint = z.strictObject({
  key: z.string().min(1),
  value: z.string().optional(),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']),
});

const devices = z.strictObject({
  driver: z.string().min(1),
  count: z.int().min(1).max(128),
  attributes: z.record(z.string(), z.string()),
  capacity: z.record(z.string(), quantity),
});

const pool = z.strictObject({
  name: dnsLabel,
  nodes: z.int().min(1).max(5000),
  labels: z.record(z.string(), z.string()).default({}),
  taints: z.array(taint).default([]),
  resources: z
    .record(z.string(), quantity)
    .refine((resources) => ['cpu', 'memory', 'pods'].every((name) => name in resources), {
      message: 'must tell cpu, memory and pods',
    }),
  devices: devices.optional(),
});

const schema = z.strictObject({
  pools: z
    .array(pool)
    .min(1)
    .refine((pools) => new Set(pools.map(({ name }) => name)).size === pools.length, {
      message: 'two pools have the same name',
    }),
});

/** A group of simulated nodes that are alike. */
export type NodePool = z.infer<typeof pool>;

/** Reads a file of node pools. Throws with every field that is wrong and why. */
export async function readNodePools(path: string): Promise<readonly NodePool[]> {
  return parseNodePools(await readFile(path, 'utf8'), path);
}

/** The pools in a YAML text; `source` names it in the error. */
export function parseNodePools(text: string, source: string): readonly NodePool[] {
  const document = parseDocument(text);
  const result = schema.safeParse(document.toJS());
  if (document.errors.length === 0 && result.success) {
    return result.data.pools;
  }
  // What a schema says of half a document would only mislead.
  const problems =
    document.errors.length > 0
      ? document.errors.map(({ message }) => message)
      : (result.error?.issues ?? []).map(
          ({ path, message }) => `${path.map(String).join('.') || 'file'}: ${message}`,
        );
  throw new Error(`${source} does not describe node pools:\n  ${problems.join('\n  ')}`);
}

/** Everything that makes these pools exist in a cluster. */
export function nodePoolObjects(pools: readonly NodePool[]): readonly Creation[] {
  const resources = '/apis/resource.k8s.io/v1';
  return [
    ...creations('/api/v1/nodes', pools.flatMap(poolNodes)),
    ...creations(`${resources}/deviceclasses`, deviceClasses(pools)),
    ...creations(`${resources}/resourceslices`, pools.flatMap(poolResourceSlices)),
  ];
}

function creations(path: string, objects: readonly ApiObject[]): readonly Creation[] {
  return objects.map((object) => ({ path, object }));
}

/** The Node objects of a pool: `h100-0`, `h100-1`, ... */
function poolNodes(pool: NodePool): readonly ApiObject[] {
  return nodeNames(pool).map((name) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: {
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
        'nexusos.dev/node-pool': pool.name,
        // What KWOK selects its nodes by.
        type: 'kwok',
        ...pool.labels,
      },
    },
    spec: { taints: pool.taints },
    status: { capacity: pool.resources, allocatable: pool.resources },
  }));
}

/** The DeviceClasses that the devices of all pools need: one per driver. */
function deviceClasses(pools: readonly NodePool[]): readonly ApiObject[] {
  const drivers = new Set(pools.flatMap(({ devices }) => (devices === undefined ? [] : [devices.driver])));
  return [...drivers].map((driver) => ({
    apiVersion: 'resource.k8s.io/v1',
    kind: 'DeviceClass',
    metadata: { name: driver },
    spec: { selectors: [{ cel: { expression: `device.driver == '${driver}'` } }] },
  }));
}

/** The ResourceSlices of a pool, one per node; none when it offers no devices. */
function poolResourceSlices(pool: NodePool): readonly ApiObject[] {
  const { devices } = pool;
  if (devices === undefined) {
    return [];
  }
  return nodeNames(pool).map((node) => ({
    apiVersion: 'resource.k8s.io/v1',
    kind: 'ResourceSlice',
    metadata: { name: `${node}-${devices.driver}` },
    spec: {
      driver: devices.driver,
      nodeName: node,
      pool: { name: node, generation: 1, resourceSliceCount: 1 },
      devices: Array.from({ length: devices.count }, (_, index) => ({
        name: `gpu-${index}`,
        attributes: wrapValues(devices.attributes, 'string'),
        capacity: wrapValues(devices.capacity, 'value'),
      })),
    },
  }));
}

function nodeNames(pool: NodePool): readonly string[] {
  return Array.from({ length: pool.nodes }, (_, index) => `${pool.name}-${index}`);
}

/** wrapValues({ type: 'gpu' }, 'string') -> { type: { string: 'gpu' } } */
function wrapValues(values: Readonly<Record<string, string>>, key: string): Record<string, ApiObject> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { [key]: value }]));
}
