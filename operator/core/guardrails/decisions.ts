// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS, GROUP } from '#crds/v1alpha1/names';
import { annotationOf } from './marks.ts';
import type { RunPart } from './run-part.ts';
import { type Cel, type Match, quote, type Rule } from './policy.ts';

/** Runs themselves, without their status. */
export const OF_RUNS: Match = {
  apiGroups: [GROUP],
  resources: ['runs'],
  operations: ['CREATE', 'UPDATE'],
  scope: 'Namespaced',
};

/** Who makes the request. */
export const USER: Cel = 'request.userInfo.username';
const IS_NEW: Cel = "request.operation == 'CREATE'";
const CREATOR: Cel = annotationOf('object', ANNOTATIONS.createdBy);
const OLD_CREATOR: Cel = annotationOf('oldObject', ANNOTATIONS.createdBy);

/** A decision that this request writes; none stands in a Run that is new. */
const DECIDES: Cel = 'has(object.spec.approval) && !has(oldObject.spec.approval)';
const IS_QUEUED: Cel =
  "has(oldObject.status) && has(oldObject.status.phase) && oldObject.status.phase == 'Queued'";
const ASKS_APPROVAL: Cel = 'has(oldObject.status.approval) && !has(oldObject.status.approval.outcome)';
/** Who creates a Run by a schedule, or by a container, is not another person than that. */
const IS_BEHIND: Cel = `has(oldObject.status) && has(oldObject.status.approval) && has(oldObject.status.approval.onBehalfOf) && ${USER} in oldObject.status.approval.onBehalfOf`;
/** Answers that this request changes. */
const ANSWERS: Cel =
  'has(object.spec.answers) && (!has(oldObject.spec.answers) || object.spec.answers != oldObject.spec.answers)';
/** A new Run that is of its creator, or of nobody, without a decision and without answers: no rule refuses it. */
const SAYS_NOTHING: Cel = `${CREATOR} in ['', ${USER}] && !has(object.spec.approval) && !has(object.spec.answers)`;
const ASKS_QUESTION: Cel = 'has(oldObject.status.question) && !has(oldObject.status.question.answeredAt)';
const MAY_APPROVE: Cel = `authorizer.group(${quote(GROUP)}).resource('runs').namespace(request.namespace).name(request.name).check('approve').allowed()`;

/**
 * Who decides on Runs, and in whose name; of a new Run, by whom it is, and that it comes without a decision and without answers. Nobody is trusted here,
 * neither the operator nor who runs the platform: what is on record is who made the request. That a decision is not changed, or taken back, the schema says.
 */
export function decisionPart(): RunPart {
  return {
    applies: `!(${SAYS_NOTHING})`,
    // Most changes of Runs say nothing of this; what is judged costs ten times what is asked here.
    appliesToChanges: `(${DECIDES}) || (${ANSWERS}) || ${CREATOR} != ${OLD_CREATOR}`,
    place: 'everywhere',
    variables: VARIABLES,
    rules: [...creatorRules(), ...approvalRules(), ...answerRules()],
  };
}

const VARIABLES: Readonly<Record<string, Cel>> = {
  user: USER,
  creator: CREATOR,
  oldCreator: OLD_CREATOR,
  decides: `!(${IS_NEW}) && ${DECIDES}`,
  isBehind: `!(${IS_NEW}) && ${IS_BEHIND}`,
  asksApproval: `!(${IS_NEW}) && ${IS_QUEUED} && ${ASKS_APPROVAL}`,
  answers: 'has(object.spec.answers) ? object.spec.answers : {}',
  answered: `!(${IS_NEW}) && has(oldObject.spec.answers) ? oldObject.spec.answers : {}`,
  given: 'variables.answers.filter(k, !(k in variables.answered))',
  question: `!(${IS_NEW}) && ${IS_QUEUED} && ${ASKS_QUESTION} ? string(oldObject.status.question.number) : ''`,
};

function creatorRules(): readonly Rule[] {
  return [
    {
      field: `metadata.annotations["${ANNOTATIONS.createdBy}"]`,
      holds: `${IS_NEW} ? variables.creator in ['', variables.user] : variables.creator == variables.oldCreator`,
      found: "variables.creator == '' ? 'none' : variables.creator",
      allowed: `${IS_NEW} ? variables.user : (variables.oldCreator == '' ? 'none' : variables.oldCreator)`,
    },
  ];
}

function approvalRules(): readonly Rule[] {
  const approval = 'object.spec.approval';
  const isOwn = "oldObject.status.approval.approvers != 'Anyone'";
  return [
    {
      field: 'spec.approval',
      holds: `!has(${approval}) || !(${IS_NEW}) && (!variables.decides || variables.asksApproval)`,
      found: `${approval}.decision`,
      allowed: quote(
        'a decision on a Run that waits for one, which its status.approval says; this one does not',
      ),
    },
    {
      field: 'spec.approval',
      holds: `!variables.decides || ${MAY_APPROVE}`,
      found: `${approval}.decision + ' by ' + variables.user`,
      allowed: quote('decisions of users with the verb approve on runs in this namespace'),
    },
    {
      field: 'spec.approval.by',
      holds: `!variables.decides || (has(${approval}.by) && ${approval}.by == variables.user)`,
      found: `has(${approval}.by) ? ${approval}.by : 'none'`,
      allowed: 'variables.user',
    },
    {
      field: 'spec.approval.decision',
      holds: `!(variables.decides && variables.asksApproval) || ${approval}.decision != 'Approved' || !(${isOwn}) || !(variables.oldCreator in ['', variables.user] || variables.isBehind)`,
      found: `'Approved by ' + variables.user + (variables.oldCreator == '' ? ', and nobody knows who created the Run' : (variables.isBehind ? ', who is behind what created the Run' : ', who created the Run'))`,
      allowed: `${quote('approval by somebody else, or approvers: Anyone in spec.approval of the Agent')} + (variables.oldCreator == '' ? ${quote(UNKNOWN)} : '')`,
    },
  ];
}

/** What helps where the API server does not fill in who created a Run. */
const UNKNOWN = `; create it again with the annotation ${ANNOTATIONS.createdBy}, which says your own user name`;

function answerRules(): readonly Rule[] {
  const isSigned = 'has(variables.answers[k].by) && variables.answers[k].by == variables.user';
  return [
    {
      field: 'spec.answers',
      holds: 'variables.given.all(k, k == variables.question)',
      found: "'an answer to question ' + variables.given.join(', ')",
      allowed:
        "variables.question == '' ? 'an answer while the Run asks something, which its status.question says; this one does not' : 'an answer to question ' + variables.question + ', which it asks now'",
    },
    {
      field: 'spec.answers[*].by',
      holds: `variables.given.all(k, ${isSigned})`,
      found: `variables.given.filter(k, !(${isSigned})).map(k, has(variables.answers[k].by) ? variables.answers[k].by : 'none').join(', ')`,
      allowed: 'variables.user',
    },
  ];
}
