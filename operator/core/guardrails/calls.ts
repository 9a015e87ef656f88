// SPDX-License-Identifier: Apache-2.0
import { API_VERSION, GROUP } from '#crds/v1alpha1/names';
import { CALLER_PREFIX } from '../agent/caller.ts';
import type { RunPart } from './run-part.ts';
import { type Cel, quote } from './policy.ts';

/** Whether the request is for a Run that another one calls. */
const HAS_PARENT: Cel =
  "request.resource.group == '" +
  GROUP +
  "' && request.resource.resource == 'runs' && !has(request.subResource) && object != null && has(object.spec) && has(object.spec.parentRef)";

/** Whether the owner `r` of a Run is the one that it names as its parent. */
export const IS_PARENT: Cel = `request.operation == 'CREATE' && ${HAS_PARENT} && r.apiVersion == ${quote(API_VERSION)} && r.kind == 'Run' && r.name == object.spec.parentRef.name && r.uid == object.spec.parentRef.uid && (!has(r.controller) || !r.controller) && (!has(r.blockOwnerDeletion) || !r.blockOwnerDeletion)`;

const OWNERS: Cel = '(has(object.metadata.ownerReferences) ? object.metadata.ownerReferences : [])';

/** Runs go with the one that calls them, also when no operator runs: so that one has to be their owner from the beginning. */
export function callPart(): RunPart {
  return {
    applies: 'has(object.spec.parentRef)',
    place: 'tenants',
    variables: {},
    rules: [
      {
        field: 'metadata.ownerReferences',
        holds: `${OWNERS}.exists_one(r, ${IS_PARENT})`,
        found: `size(${OWNERS}) == 0 ? 'none' : ${OWNERS}.map(r, r.kind + ' ' + r.name).join(', ')`,
        allowed: `${quote(`the Run of spec.parentRef: apiVersion ${API_VERSION}, kind Run, name `)} + object.spec.parentRef.name + ', uid ' + object.spec.parentRef.uid`,
      },
    ],
  };
}

const POD_NAME = 'authentication.kubernetes.io/pod-name';
/** The pod that a token is bound to; empty for a token that is bound to none. */
const OWN_POD: Cel = `(has(request.userInfo.extra) && ${quote(POD_NAME)} in request.userInfo.extra && size(request.userInfo.extra[${quote(POD_NAME)}]) == 1 ? request.userInfo.extra[${quote(POD_NAME)}][0] : '')`;
const PARENT_POD: Cel =
  "(has(object.spec.parentRef) && has(object.spec.parentRef.pod) ? object.spec.parentRef.pod : '')";
const INPUT_REFERENCES = ['configMapKeyRef', 'secretKeyRef'] as const;

/**
 * Bounds containers that call others: with the token of a pod only Runs are made that name that very pod as who calls them. That its name is the one of
 * an attempt under way is for the operator to check; here it is proven who asks. A token of the same account that is bound to no pod, or used in another
 * namespace, creates nothing.
 */
export function callerPart(): RunPart {
  const account = "request.userInfo.username.split(':')";
  const reference = INPUT_REFERENCES.map((field) => `has(object.spec.input.${field})`).join(' || ');
  return {
    applies: `request.userInfo.username.startsWith('system:serviceaccount:') && ${account}[3].startsWith(${quote(CALLER_PREFIX)})`,
    place: 'everywhere',
    variables: { pod: OWN_POD, parentPod: PARENT_POD },
    rules: [
      {
        field: 'metadata.namespace',
        holds: `request.namespace == ${account}[2]`,
        found: 'request.namespace',
        allowed: `${account}[2]`,
      },
      {
        field: 'spec.parentRef.pod',
        holds: "variables.pod != '' && variables.parentPod == variables.pod",
        found: "variables.parentPod == '' ? 'none' : variables.parentPod",
        allowed: "variables.pod == '' ? 'none: the token is bound to no pod' : variables.pod",
      },
      {
        field: 'spec.input',
        holds: `!has(object.spec.input) || !(${reference})`,
        found: INPUT_REFERENCES.map((field) => `(has(object.spec.input.${field}) ? '${field} ' : '')`).join(
          ' + ',
        ),
        allowed: quote(
          'inline and uri: a container hands on no Secret and no ConfigMap that it cannot read itself',
        ),
      },
    ],
  };
}
