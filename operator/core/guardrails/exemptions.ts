// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS, GROUP } from '#crds/v1alpha1/names';
import { MAX_EXEMPTION_DAYS } from '#crds/v1alpha1/policy-exemption';
import { USER } from './decisions.ts';
import { annotationOf } from './marks.ts';
import { type Cel, type Guardrail, type GuardrailSettings, type Match, quote, type Rule } from './policy.ts';

/** PolicyExemptions and ImageWaivers, when they are made and when somebody decides on them. */
export const OF_EXEMPTIONS: Match = {
  apiGroups: [GROUP],
  resources: ['imagewaivers', 'policyexemptions'],
  operations: ['CREATE', 'UPDATE'],
  scope: 'Namespaced',
};

const IS_NEW: Cel = "request.operation == 'CREATE'";
const MAY_APPROVE: Cel = `authorizer.group(${quote(GROUP)}).resource(request.resource.resource).namespace(request.namespace).name(request.name).check('approve').allowed()`;
const LONGEST = `${MAX_EXEMPTION_DAYS * 24}h`;

/**
 * Who is let go by a rule, and which risk is taken: asked for by one, approved by another, where the platform is, and not for good. Like decisions on Runs, nobody
 * is trusted here: what is on record is who made the request. That what was approved does not change, the schema says.
 */
export function exemptionGuardrail(settings: GuardrailSettings): Guardrail {
  return {
    name: 'policy-exemptions',
    match: [OF_EXEMPTIONS],
    variables: {
      user: USER,
      creator: annotationOf('object', ANNOTATIONS.createdBy),
      oldCreator: annotationOf('oldObject', ANNOTATIONS.createdBy),
      decides: `!(${IS_NEW}) && has(object.spec.approval) && !has(oldObject.spec.approval)`,
    },
    binds: 'cluster',
    rules: [placeRule(settings), creatorRule(), ...expiryRules(), ...approvalRules()],
  };
}

/** Elsewhere it would never count, and somebody would rely on it. */
function placeRule({ platformNamespace }: GuardrailSettings): Rule {
  return {
    field: 'metadata.namespace',
    holds: `request.namespace == ${quote(platformNamespace)}`,
    found: 'request.namespace',
    allowed: quote(platformNamespace),
  };
}

function creatorRule(): Rule {
  return {
    field: `metadata.annotations["${ANNOTATIONS.createdBy}"]`,
    holds: `${IS_NEW} ? variables.creator in ['', variables.user] : variables.creator == variables.oldCreator`,
    found: "variables.creator == '' ? 'none' : variables.creator",
    allowed: `${IS_NEW} ? variables.user : (variables.oldCreator == '' ? 'none' : variables.oldCreator)`,
  };
}

/** The API server has said by now when it is made. */
function expiryRules(): readonly Rule[] {
  const [made, ends] = ['timestamp(object.metadata.creationTimestamp)', 'timestamp(object.spec.expiresAt)'];
  return [
    {
      field: 'spec.expiresAt',
      holds: `!(${IS_NEW}) || (${ends} > ${made} && ${ends} <= ${made} + duration(${quote(LONGEST)}))`,
      found: 'string(object.spec.expiresAt)',
      allowed: `'later than now, and until ' + string(${made} + duration(${quote(LONGEST)}))`,
    },
  ];
}

function approvalRules(): readonly Rule[] {
  const approval = 'object.spec.approval';
  return [
    {
      field: 'spec.approval',
      holds: `!(${IS_NEW}) || !has(${approval})`,
      found: `'a decision of ' + variables.user + ' on what is only asked for'`,
      allowed: quote('none: somebody else decides when it is there'),
    },
    {
      field: 'spec.approval',
      holds: `!variables.decides || ${MAY_APPROVE}`,
      found: `${approval}.decision + ' by ' + variables.user`,
      allowed:
        "'decisions of users with the verb approve on ' + request.resource.resource + ' in this namespace'",
    },
    {
      field: 'spec.approval.by',
      holds: `!variables.decides || (has(${approval}.by) && ${approval}.by == variables.user)`,
      found: `has(${approval}.by) ? ${approval}.by : 'none'`,
      allowed: 'variables.user',
    },
    {
      field: 'spec.approval.decision',
      holds: `!variables.decides || ${approval}.decision != 'Approved' || !(variables.oldCreator in ['', variables.user])`,
      found: `'Approved by ' + variables.user + (variables.oldCreator == '' ? ', and nobody knows who asked for it' : ', who asked for it')`,
      allowed: quote('approval by somebody else'),
    },
  ];
}
