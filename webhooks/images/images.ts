// SPDX-License-Identifier: Apache-2.0
import { VERDICT_KEYS_NAME } from '#crds/v1alpha1/names';
import { imagePolicyFacts } from '#operator/core/images/objects';
import { type ImagePolicyFacts, policiesFor } from '#operator/core/images/policy';
import { type ImageTeller, NOT_KNOWN, tellerOf } from '#operator/core/policy/image-input';
import {
  CLUSTER_IMAGE_POLICIES,
  CONFIG_MAPS,
  IMAGE_POLICIES,
  IMAGE_VERDICTS,
  NAMESPACES,
} from '#operator/core/resources';
import type { Cache } from '#operator/runtime/cache';
import type { Change } from '#operator/runtime/store';
import { clock } from '#operator/runtime/clock';
import type { MetricFactory } from '#operator/telemetry/metric';
import { ImageJudge } from './image-judge.ts';
import { imageMetrics } from './metrics.ts';
import { VerdictBook } from './verdict-book.ts';
import { type WantedImage, WantedImages } from './wanted-images.ts';

/** What judging images needs of the process. */
export interface ImagesOptions {
  readonly cache: Pick<Cache, 'watch' | 'get' | 'list'>;
  readonly platformNamespace: string;
  readonly factory: MetricFactory;
  /** Called when something else is wanted. */
  readonly onWanted: () => void;
}

/** Judging images, as part of the process. */
export interface Images {
  readonly judge: ImageJudge;
  /** What was asked for, and is not known, or was refused. */
  readonly wanted: () => readonly WantedImage[];
  /** What says what is known of the images of a namespace, for rules that are told. */
  readonly tellerFor: (namespace: string) => ImageTeller;
}

/** Declares what is watched, and wires what judges by it. */
export function createImages({ cache, platformNamespace, factory, onWanted }: ImagesOptions): Images {
  const verdicts = new VerdictBook();
  const wanted = new WantedImages(onWanted);
  const policies = new PolicyList();
  for (const resource of [CLUSTER_IMAGE_POLICIES, IMAGE_POLICIES]) {
    cache.watch({ resource }, (change) => policies.take(change));
  }
  cache.watch({ resource: NAMESPACES, metadataOnly: true }, () => undefined);
  const fieldSelector = `metadata.name=${VERDICT_KEYS_NAME}`;
  cache.watch({ resource: CONFIG_MAPS, namespace: platformNamespace, fieldSelector }, ({ object }) => {
    for (const proof of verdicts.setKeys(object)) wanted.drop(proof.namespace, proof.image);
  });
  cache.watch({ resource: IMAGE_VERDICTS }, ({ old, object }) => {
    if (object === undefined) return verdicts.delete(old?.metadata.namespace ?? '', old?.metadata.name ?? '');
    const proof = verdicts.set(object);
    if (proof !== undefined) wanted.drop(proof.namespace, proof.image);
  });
  const metrics = imageMetrics(factory, {
    believed: () => verdicts.size,
    untrusted: () => verdicts.untrusted,
    wanted: () =>
      wanted.list(clock.now().getTime()).filter(({ refusedAt }) => refusedAt === undefined).length,
  });
  const labelsOf = (name: string) => {
    const namespace = cache.get(NAMESPACES, { name });
    return namespace === undefined ? undefined : (namespace.metadata.labels ?? {});
  };
  const tellerFor = (namespace: string): ImageTeller => {
    const tell = tellerOf(() => {
      const labels = labelsOf(namespace);
      if (labels === undefined) return undefined;
      return { policies: policiesFor(policies.all, { namespace, labels }), known: verdicts.in(namespace) };
    });
    return (uses, now) => {
      const told = tell(uses, now);
      // A rule may refuse what would have had it looked at by being there, such as an Agent: it would wait for ever.
      const names = told.flatMap(({ reason, name }) =>
        reason === NOT_KNOWN.BeingVerified ? (name ?? []) : [],
      );
      if (names.length > 0) wanted.add(namespace, names, now.getTime());
      return told;
    };
  };
  const judge = new ImageJudge({
    policies: () => policies.all,
    labelsOf,
    verdicts,
    wanted,
    metrics,
    now: () => clock.now(),
  });
  return { judge, wanted: () => wanted.list(clock.now().getTime()), tellerFor };
}

/** Policies as they are, read once and not for each request. */
class PolicyList {
  readonly #byUid = new Map<string, ImagePolicyFacts>();
  #all: readonly ImagePolicyFacts[] = [];

  get all(): readonly ImagePolicyFacts[] {
    return this.#all;
  }

  take({ old, object }: Change): void {
    if (old !== undefined) this.#byUid.delete(old.metadata.uid ?? '');
    if (object !== undefined) this.#byUid.set(object.metadata.uid ?? '', imagePolicyFacts(object));
    this.#all = [...this.#byUid.values()];
  }
}
