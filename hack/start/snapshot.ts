// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '#operator/core/object';
import type { ApiClient } from '../cluster/api-client.ts';

const GROUP = '/apis/nexusos.dev/v1alpha1';

/** What is looked at, by the path that lists it. */
const LISTS = {
  tenants: `${GROUP}/tenants`,
  agents: `${GROUP}/agents`,
  runs: `${GROUP}/runs`,
  gpuClasses: `${GROUP}/gpuclasses`,
  nodes: '/api/v1/nodes',
  pods: '/api/v1/pods',
  claims: '/apis/resource.k8s.io/v1/resourceclaims',
  slices: '/apis/resource.k8s.io/v1/resourceslices',
} as const;

/** Everything that the view and the checks look at, as it was at about one moment. */
export type Snapshot = Readonly<Record<keyof typeof LISTS, readonly KubeObject[]>>;

/** Reads a snapshot. Throws when the API server does not answer. */
export async function readSnapshot(admin: ApiClient): Promise<Snapshot> {
  const entries = await Promise.all(
    Object.entries(LISTS).map(async ([name, path]) => [name, await list(admin, path)] as const),
  );
  return Object.fromEntries(entries) as Snapshot;
}

/** An API server may be busy, or write a kind anew whose definition has changed, for so long. */
const UNANSWERED_MS = 60_000;

/**
 * Reads as `read` does, again and again: what fails is undefined, and thrown only when nothing has been read for a minute. `nowMs` tells
 * the time.
 */
export function patiently<T>(read: () => Promise<T>, nowMs: () => number): () => Promise<T | undefined> {
  let readAtMs = nowMs();
  return async () => {
    try {
      const found = await read();
      readAtMs = nowMs();
      return found;
    } catch (error) {
      if (nowMs() - readAtMs >= UNANSWERED_MS) throw error;
      return undefined;
    }
  };
}

async function list(admin: ApiClient, path: string): Promise<readonly KubeObject[]> {
  const answer = await admin.get(path);
  return (answer?.['items'] ?? []) as readonly KubeObject[];
}

/** A field deep within an object: `at(run, 'status', 'phase')`. Undefined when the way there ends before. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (so, key) =>
      typeof so === 'object' && so !== null ? (so as Record<string | number, unknown>)[key] : undefined,
    value,
  );
}

/** The list at a path; empty when there is none. */
export function itemsAt(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

/** The text at a path, or `otherwise` when there is none. */
export function textAt(value: unknown, path: readonly (string | number)[], otherwise = ''): string {
  const found = at(value, ...path);
  return typeof found === 'string' || typeof found === 'number' || typeof found === 'boolean'
    ? String(found)
    : otherwise;
}

/** A condition of an object: its status, reason and message, as far as it is there. */
export function conditionOf(
  object: KubeObject,
  type: string,
): { readonly status: string; readonly reason: string; readonly message: string } {
  const one = itemsAt(object, 'status', 'conditions').find((condition) => at(condition, 'type') === type);
  return {
    status: textAt(one, ['status'], 'Unknown'),
    reason: textAt(one, ['reason']),
    message: textAt(one, ['message']),
  };
}

/** `namespace/name`, or `name`. */
export function fullName(object: KubeObject): string {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? name : `${namespace}/${name}`;
}
