// SPDX-License-Identifier: Apache-2.0
import type { ReviewResource } from '../policy/review.ts';

/** An image that something runs, or mounts. */
export interface ImageUse {
  /** Where it stands: `spec.containers[0].image`. */
  readonly field: string;
  /** As it is written. */
  readonly image: string;
}

/** The lists of a pod whose entries run an image. */
const CONTAINERS = ['initContainers', 'containers', 'ephemeralContainers'] as const;

/** All images of a pod: those that it runs, before, during and for whoever looks into it, and those that are mounted. */
export function podImages(spec: unknown, at = 'spec'): readonly ImageUse[] {
  const run = CONTAINERS.flatMap((list) =>
    entriesOf(spec, list).flatMap((one, index) => use(one, 'image', `${at}.${list}[${index}].image`)),
  );
  const mounted = entriesOf(spec, 'volumes').flatMap((one, index) =>
    use(property(one, 'image'), 'reference', `${at}.volumes[${index}].image.reference`),
  );
  return [...run, ...mounted];
}

/** Where a kind keeps what its pods are made from, by `group/resource`. */
const TEMPLATES: Readonly<Record<string, readonly string[]>> = {
  '/pods': ['spec'],
  '/replicationcontrollers': ['spec', 'template', 'spec'],
  'apps/daemonsets': ['spec', 'template', 'spec'],
  'apps/deployments': ['spec', 'template', 'spec'],
  'apps/replicasets': ['spec', 'template', 'spec'],
  'apps/statefulsets': ['spec', 'template', 'spec'],
  'batch/cronjobs': ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
  'batch/jobs': ['spec', 'template', 'spec'],
};

/** All images of an object that runs pods; none of any other. */
export function imagesOf(
  { group, resource }: Pick<ReviewResource, 'group' | 'resource'>,
  object: unknown,
): readonly ImageUse[] {
  const path = TEMPLATES[`${group}/${resource}`];
  if (path === undefined) return [];
  return podImages(
    path.reduce((within, name) => property(within, name), object),
    path.join('.'),
  );
}

/** Images that stand in `now` and did not in `before`: what was let in once is not judged again for another reason. */
export function newImages(now: readonly ImageUse[], before: readonly ImageUse[]): readonly ImageUse[] {
  const known = new Set(before.map(({ image }) => image));
  return now.filter(({ image }) => !known.has(image));
}

function entriesOf(spec: unknown, list: string): readonly unknown[] {
  const found = property(spec, list);
  return Array.isArray(found) ? found : [];
}

function use(within: unknown, name: string, field: string): readonly ImageUse[] {
  const image = property(within, name);
  return typeof image === 'string' && image !== '' ? [{ field, image }] : [];
}

function property(within: unknown, name: string): unknown {
  if (typeof within !== 'object' || within === null || !Object.hasOwn(within, name)) return undefined;
  return (within as Readonly<Record<string, unknown>>)[name];
}
