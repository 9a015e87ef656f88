// SPDX-License-Identifier: Apache-2.0
import { LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import { type Cel, quote } from './policy.ts';

/** Whether an object that is there carries the label of what NexusOS makes. */
export function isManaged(object: Cel): Cel {
  const label = quote(LABELS.managedBy);
  const labels = `${object}.metadata.labels`;
  return `(has(${object}.metadata) && has(${labels}) && ${label} in ${labels} && ${labels}[${label}] == ${quote(MANAGED_BY)})`;
}

/** That a field of the object, such as `metadata.finalizers`, is what it was before the change. */
export function isUnchanged(field: string): Cel {
  const [is, was] = [`object.${field}`, `oldObject.${field}`];
  return `has(${is}) == has(${was}) && (!has(${is}) || ${is} == ${was})`;
}

/** Labels of an object, also of one that has none or is not there. */
export function labelsOf(object: Cel): Cel {
  return `(${object} != null && has(${object}.metadata) && has(${object}.metadata.labels) ? ${object}.metadata.labels : {})`;
}

/** A label of an object; empty without one. */
export function labelOf(object: Cel, name: string): Cel {
  const labels = labelsOf(object);
  return `(${quote(name)} in ${labels} ? ${labels}[${quote(name)}] : '')`;
}

/** An annotation of an object; empty without one. */
export function annotationOf(object: Cel, name: string): Cel {
  const annotations = `${object}.metadata.annotations`;
  return `(${object} != null && has(${annotations}) && ${quote(name)} in ${annotations} ? ${annotations}[${quote(name)}] : '')`;
}
