// SPDX-License-Identifier: Apache-2.0
import type { Resource } from '#operator/core/object';
import type { KindObjects } from '#operator/core/policy/inventory';
import type { JsonObject } from '#operator/core/policy/review';
import type { RegisteredRule } from '#webhooks/registrations';
import type { Flag } from '../cli/command.ts';
import type { World } from './world.ts';

/** The flags of commands that look at a cluster. */
export const CLUSTER_FLAGS: readonly Flag[] = [
  { name: 'kubeconfig', value: 'FILE', what: 'else those of KUBECONFIG, else ~/.kube/config' },
  { name: 'context', value: 'NAME', what: 'of the kubeconfig; else its current one' },
  { name: 'namespace', value: 'NAME', what: 'only objects in it' },
];

/** An object that exists, and the plural of its kind. */
export interface LiveObject {
  readonly object: JsonObject;
  readonly resource: string;
}

/** What a cluster holds of what packs are about. */
export interface Live {
  readonly objects: AsyncIterable<LiveObject>;
  readonly world: World;
  /** What the API server asks about; undefined where that is not known. */
  readonly registered: readonly RegisteredRule[] | undefined;
  /** All objects of a kind, for packs that look at them; or why they cannot be read. */
  readonly objectsOf: (kind: Pick<Resource, 'apiVersion' | 'kind'>) => Promise<KindObjects | string>;
}
