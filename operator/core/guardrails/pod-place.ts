// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import { type Cel, quote } from './policy.ts';

/** Where in an object a pod is described. */
export interface PodPlace {
  /** Field path for messages, with a dot at its end: `spec.template.spec.`. */
  readonly path: string;
  readonly spec: Cel;
  readonly metadata: Cel;
  /** A pod, rather than a template that pods are made from. */
  readonly isPod: boolean;
}

/** Whether a pod is of a Run. Only NexusOS can set this label; another guardrail sees to that. */
export function isRun({ metadata }: PodPlace): Cel {
  return `has(${metadata}) && has(${metadata}.labels) && ${quote(LABELS.runUid)} in ${metadata}.labels`;
}
