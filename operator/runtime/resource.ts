// SPDX-License-Identifier: Apache-2.0
import type { Resource } from '../core/object.ts';
import type { Key } from './controller.ts';

/** Path of all objects of `resource`, or of one namespace. */
export function collectionPath(resource: Resource, namespace?: string): string {
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${versionPath(resource.apiVersion)}${scope}/${resource.plural}`;
}

/** Path of one object, or of its `subresource`. */
export function objectPath(resource: Resource, key: Key, subresource?: string): string {
  const path = `${collectionPath(resource, key.namespace)}/${encodeURIComponent(key.name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

/** Path under which the kinds of `apiVersion` are served; it also answers what they are. */
export function versionPath(apiVersion: string): string {
  return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}

/** Tells kinds apart: two resources with the same text are the same kind. */
export function resourceString(resource: { readonly apiVersion: string; readonly kind: string }): string {
  return `${resource.apiVersion}/${resource.kind}`;
}
