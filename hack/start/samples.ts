// SPDX-License-Identifier: Apache-2.0
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseAllDocuments, stringify } from 'yaml';
import type { KubeObject } from '#operator/core/object';
import type { AttachedCluster } from '../cluster/attached-cluster.ts';
import { conditionOf, readSnapshot } from './snapshot.ts';

const FOLDER = join(import.meta.dirname, '../../crds/samples');

/** Every object of crds/samples, in the order of file names. */
export async function readSamples(): Promise<readonly KubeObject[]> {
  const files = (await readdir(FOLDER)).filter((file) => file.endsWith('.yaml')).toSorted();
  const texts = await Promise.all(files.map((file) => readFile(join(FOLDER, file), 'utf8')));
  return texts.flatMap((text) =>
    parseAllDocuments(text)
      .map((document) => document.toJS() as KubeObject | null)
      .filter((object) => object !== null),
  );
}

/** Samples in the order in which they can be made: what is cluster-scoped first, and what is in namespaces after. */
export function samplesInOrder(samples: readonly KubeObject[]): {
  readonly platform: readonly KubeObject[];
  readonly tenants: readonly KubeObject[];
} {
  return {
    platform: samples.filter((object) => object.metadata.namespace === undefined),
    tenants: samples.filter((object) => object.metadata.namespace !== undefined),
  };
}

/** Applies objects with kubectl, as people do. Throws with what kubectl said. */
export async function applySamples(cluster: AttachedCluster, objects: readonly KubeObject[]): Promise<void> {
  const stdin = objects.map((object) => stringify(object)).join('---\n');
  const result = await cluster.kubectl(['apply', '-f', '-'], { stdin });
  if (result.code !== 0) throw new Error(`kubectl apply of crds/samples failed:\n${result.stderr.trim()}`);
}

/** Resolves when every Tenant is Ready. Throws after `timeoutMs`, naming those that are not and why. */
export async function waitForTenants(cluster: AttachedCluster, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const { tenants } = await readSnapshot(cluster.admin);
    const waiting = tenants.filter((tenant) => conditionOf(tenant, 'Ready').status !== 'True');
    if (tenants.length > 0 && waiting.length === 0) return;
    if (performance.now() > deadline) {
      const why = waiting.map(
        (one) => `${one.metadata.name}: ${conditionOf(one, 'Ready').message || 'no status yet'}`,
      );
      throw new Error(`tenants are not Ready after ${timeoutMs / 1000} s:\n${why.join('\n')}`);
    }
    await delay(200);
  }
}
