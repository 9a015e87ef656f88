// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import { type Cel, type GuardrailSettings, quote } from './policy.ts';

/** Where in an object a pod is described. */
export interface PodPlace {
  /** Field path for messages, with a dot at its end: `spec.template.spec.`. */
  readonly path: string;
  readonly spec: Cel;
  readonly metadata: Cel;
  /** A pod, rather than a template that pods are made from. */
  readonly isPod: boolean;
}

/**
 * Whether a pod is of a Run. The label alone proves nothing: a namespace may hold templates with it from before it was
 * adopted. So a pod is of a Run when the operator writes it, and a template never is: pods of Runs are made from none.
 */
export function isRun({ metadata, isPod }: PodPlace, settings: GuardrailSettings): Cel {
  if (!isPod) return 'false';
  return `(${hasRunLabel(metadata)}) && (${isOperator(settings)} || (${isLetIn(settings)}))`;
}

/** Whether Kueue changes a pod that is of a Run: it takes its gate off, and adds to where the pod may go. */
function isLetIn({ kueueUser }: GuardrailSettings): Cel {
  const isChange = `request.operation == 'UPDATE' && request.userInfo.username == ${quote(kueueUser)}`;
  return `${isChange} && ${hasRunLabel('oldObject.metadata')}`;
}

/** Whether what the metadata is of says that it is of a Run. */
export function hasRunLabel(metadata: Cel): Cel {
  return `has(${metadata}) && has(${metadata}.labels) && ${quote(LABELS.runUid)} in ${metadata}.labels`;
}

/** Whether the operator asks. */
export function isOperator({ operatorUser }: GuardrailSettings): Cel {
  return `request.userInfo.username == ${quote(operatorUser)}`;
}
