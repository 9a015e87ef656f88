// SPDX-License-Identifier: Apache-2.0
import { isUnchanged } from '../guardrails/marks.ts';
import type { Cel } from '../guardrails/policy.ts';

// Who policies are asked about, in CEL: the same for the admission process and for the floor below it.

/** What an object does while a finalizer keeps it: who holds one could else write there what is refused to all others. */
const SAME_CONTENT = [
  'spec',
  'template',
  'data',
  'binaryData',
  'rules',
  'subjects',
  'roleRef',
  'secrets',
  'imagePullSecrets',
]
  .map((field) => `(${isUnchanged(field)})`)
  .join(' && ');

const CONTROLLERS = [
  "request.userInfo.username.startsWith('system:serviceaccount:kube-system:')",
  "request.userInfo.username in ['system:kube-controller-manager', 'system:kube-scheduler', 'system:apiserver']",
  "(has(request.userInfo.groups) && 'system:nodes' in request.userInfo.groups)",
].join(' || ');

const IS_NEW_WORK =
  "request.operation == 'CREATE' && request.resource.resource in ['pods', 'jobs', 'persistentvolumeclaims']";

/** The controllers of Kubernetes keep up what is there; new pods, Jobs and claims, which somebody else wanted, are judged whoever makes them. */
export const KUBERNETES_CONDITION: Cel = `!(${CONTROLLERS}) || (${IS_NEW_WORK})`;

/** What is being deleted must be able to go. */
export const LEAVING_CONDITION: Cel = `!(request.operation == 'UPDATE' && has(object.metadata.deletionTimestamp) && ${SAME_CONTENT})`;

const SAME_BUT_MARKS =
  "object.all(f, f in ['metadata', 'status'] || (f in oldObject && object[f] == oldObject[f])) && oldObject.all(f, f in ['metadata', 'status'] || f in object)";

/** The same, wherever an object has its content: kinds of others call it as they like. */
export const LEAVING_WHOLE_CONDITION: Cel = `!(request.operation == 'UPDATE' && has(object.metadata.deletionTimestamp) && ${SAME_BUT_MARKS})`;

/** The operator writes our kinds to start Runs of schedules, which are judged like any other, and its marks, which are not. */
export function operatorOnKinds(operatorUser: string): Cel {
  return `request.userInfo.username != '${operatorUser}' || (request.operation == 'CREATE' && request.resource.resource == 'runs')`;
}

/** Of what the operator makes for tenants, what runs their images is judged. The rest are borders of theirs, which it must be able to put right. */
export function operatorOnWorkloads(operatorUser: string): Cel {
  const isNew = "request.operation == 'CREATE' && request.resource.resource in ['pods', 'deployments']";
  const isOther =
    "request.operation == 'UPDATE' && request.resource.resource == 'deployments' && object.spec.template.spec != oldObject.spec.template.spec";
  return `request.userInfo.username != '${operatorUser}' || (${isNew}) || (${isOther})`;
}
