// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import { type Cel, type GuardrailSettings, quote, quoteAll } from './policy.ts';

/** Where in an object a pod is described. */
export interface PodPlace {
  /** Field path for messages, with a dot at its end: `spec.template.spec.`. */
  readonly path: string;
  readonly spec: Cel;
  readonly metadata: Cel;
  /** A pod, rather than a template that pods are made from. */
  readonly isPod: boolean;
}

/** Whoever makes the pods of Jobs; the second where the controllers of Kubernetes have no accounts of their own. */
const JOB_CONTROLLERS = [
  'system:serviceaccount:kube-system:job-controller',
  'system:kube-controller-manager',
];

/**
 * Whether a pod is of a Run. The label alone proves nothing: a namespace may hold templates with it from before it was
 * adopted. So a template is of a Run when the operator writes it, and a pod when it is made for a Job.
 */
export function isRun({ metadata, isPod }: PodPlace, { operatorUser }: GuardrailSettings): Cel {
  const hasLabel = `has(${metadata}) && has(${metadata}.labels) && ${quote(LABELS.runUid)} in ${metadata}.labels`;
  const user = 'request.userInfo.username';
  if (!isPod) return `${hasLabel} && ${user} == ${quote(operatorUser)}`;
  const isOfJob = `has(${metadata}.ownerReferences) && ${metadata}.ownerReferences.exists(r, has(r.controller) && r.controller && r.apiVersion == 'batch/v1' && r.kind == 'Job')`;
  return `${hasLabel} && ${isOfJob} && ${user} in ${quoteAll(JOB_CONTROLLERS)}`;
}
