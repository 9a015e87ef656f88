// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../object.ts';
import { OF_RUNS, USER } from './decisions.ts';
import { OF_EXEMPTIONS } from './exemptions.ts';
import { annotationOf } from './marks.ts';
import { AUTHOR_TO_NOTE, OF_AGENTS } from './schedules.ts';
import { type Cel, isMap, type Match, quote } from './policy.ts';

const API_VERSION = 'admissionregistration.k8s.io/v1';
const IS_NEW: Cel = "request.operation == 'CREATE'";

/**
 * Fills in who created a Run, who decided on it, and who answered, the same of PolicyExemptions, and who wrote a schedule, so that nobody has to write his own name. Only what is left
 * out: whoever writes another name is refused by the guardrail, which holds on clusters without mutating policies, too.
 */
export function authorMutation(): readonly KubeObject[] {
  return [
    ...mutation('nexusos-run-authors', OF_RUNS, {
      noted: CREATOR,
      patches: [CREATOR_PATCH, approverPatch(), answererPatch(), fieldsPatch()],
    }),
    ...mutation('nexusos-exemption-authors', OF_EXEMPTIONS, {
      noted: CREATOR,
      patches: [CREATOR_PATCH, approverPatch()],
    }),
    ...mutation('nexusos-schedule-authors', OF_AGENTS, {
      noted: AUTHOR_TO_NOTE,
      patches: [notePatch(ANNOTATIONS.scheduleAuthor)],
    }),
  ];
}

interface Patches {
  /** The name that `notePatch` writes; empty where nothing is to be done. */
  readonly noted: Cel;
  readonly patches: readonly Cel[];
}

function mutation(name: string, match: Match, { noted, patches }: Patches): readonly KubeObject[] {
  return [
    {
      apiVersion: API_VERSION,
      kind: 'MutatingAdmissionPolicy',
      metadata: { name },
      spec: {
        failurePolicy: 'Fail',
        reinvocationPolicy: 'Never',
        matchConstraints: { resourceRules: [{ ...match, apiVersions: ['*'] }] },
        variables: [{ name: 'noted', expression: noted }],
        // One, since the API server writes and reads the object as text for each.
        mutations: [
          {
            patchType: 'JSONPatch',
            jsonPatch: { expression: patches.map((one) => `(${one})`).join(' + ') },
          },
        ],
      },
    },
    {
      apiVersion: API_VERSION,
      kind: 'MutatingAdmissionPolicyBinding',
      metadata: { name },
      spec: { policyName: name },
    },
  ];
}

/** Who is to be noted as creator: also when a client replaces the Run by a manifest that does not know. Empty where nothing is to be done. */
const CREATOR: Cel = `${annotationOf('object', ANNOTATIONS.createdBy)} != '' ? '' : (${IS_NEW} ? ${USER} : ${annotationOf('oldObject', ANNOTATIONS.createdBy)})`;

function notePatch(annotation: string): Cel {
  const value = 'variables.noted';
  const name = quote(annotation);
  const one = `JSONPatch{op: 'add', path: '/metadata/annotations/' + jsonpatch.escapeKey(${name}), value: ${value}}`;
  const all = `JSONPatch{op: 'add', path: '/metadata/annotations', value: {${name}: ${value}}}`;
  return `${value} == '' ? [] : [has(object.metadata.annotations) ? ${one} : ${all}]`;
}

const CREATOR_PATCH = notePatch(ANNOTATIONS.createdBy);

/**
 * What follows is asked before the schema is held against the object, so anything may stand where an object belongs: `approval: Approved`, `answers: {"1": yes}`,
 * no spec at all. Nothing is filled in there, and the schema refuses it in its own words; an expression that fails would be all that people saw.
 */
const CHANGES_SPEC: Cel = `!(${IS_NEW}) && has(object.spec) && ${isMap('object.spec')}`;

function approverPatch(): Cel {
  const decides = `${CHANGES_SPEC} && has(object.spec.approval) && ${isMap('object.spec.approval')} && !has(oldObject.spec.approval) && !has(object.spec.approval.by)`;
  return `${decides} ? [JSONPatch{op: 'add', path: '/spec/approval/by', value: ${USER}}] : []`;
}

function answererPatch(): Cel {
  const unsigned = `object.spec.answers.filter(k, !(has(oldObject.spec.answers) && k in oldObject.spec.answers) && ${isMap('object.spec.answers[k]')} && !has(object.spec.answers[k].by))`;
  const one = `JSONPatch{op: 'add', path: '/spec/answers/' + jsonpatch.escapeKey(k) + '/by', value: ${USER}}`;
  return `${CHANGES_SPEC} && has(object.spec.answers) && ${isMap('object.spec.answers')} ? ${unsigned}.map(k, ${one}) : []`;
}

/** What `kubectl apply` keeps; who applies has a use for the record of who wrote which field. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * Forgets who wrote which field of a new Run that nobody applies. That record is a third of a Run, in etcd, in the memory of the API server, as a tree of maps,
 * and in each watch; and where there is none, the API server keeps none at the writes that follow. Who applies the Run after all finds its fields
 * to be of `before-first-apply`, which conflicts just as the record would have.
 */
function fieldsPatch(): Cel {
  const isApplied = `object.metadata.managedFields.exists(f, f.operation != 'Update') || (has(object.metadata.annotations) && ${quote(LAST_APPLIED)} in object.metadata.annotations)`;
  return `${IS_NEW} && has(object.metadata.managedFields) && !(${isApplied}) ? [JSONPatch{op: 'remove', path: '/metadata/managedFields'}] : []`;
}
