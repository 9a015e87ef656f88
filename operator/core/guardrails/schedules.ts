// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS, GROUP } from '#crds/v1alpha1/names';
import { annotationOf } from './marks.ts';
import { type Cel, type Guardrail, isMap, type Match, quote } from './policy.ts';

/** Agents themselves, without their status. */
export const OF_AGENTS: Match = {
  apiGroups: [GROUP],
  resources: ['agents'],
  operations: ['CREATE', 'UPDATE'],
  scope: 'Namespaced',
};

const USER: Cel = 'request.userInfo.username';
const IS_NEW: Cel = "request.operation == 'CREATE'";
const AUTHOR: Cel = annotationOf('object', ANNOTATIONS.scheduleAuthor);
const OLD_AUTHOR: Cel = annotationOf('oldObject', ANNOTATIONS.scheduleAuthor);
const HAS_SCHEDULE: Cel = 'has(object.spec.schedule)';
const [NEW_TEMPLATE, OLD_TEMPLATE] = ['object', 'oldObject'].map((one) => `${one}.spec.schedule.runTemplate`);
const SAYS_ANOTHER: Cel = `has(${NEW_TEMPLATE}) != has(${OLD_TEMPLATE}) || (has(${NEW_TEMPLATE}) && ${NEW_TEMPLATE} != ${OLD_TEMPLATE})`;
/** Whether this request says what is started. To pause a schedule, or to move it, makes nobody its author. */
const WRITES: Cel = `(${HAS_SCHEDULE} && (${IS_NEW} || !has(oldObject.spec.schedule) || ${SAYS_ANOTHER}))`;

/** Whether it has the shape of an Agent as far as is asked here: what has not, the schema refuses after this, in its own words. */
const IS_READABLE: Cel = `has(object.spec) && ${isMap('object.spec')} && (!${HAS_SCHEDULE} || ${isMap('object.spec.schedule')})`;

/** The name that is to be filled in as author of a schedule; empty where nothing is to be done, or another name is given, which is refused. */
export const AUTHOR_TO_NOTE: Cel = `!(${IS_READABLE}) ? '' : ${WRITES} ? ((${AUTHOR} == '' || ${AUTHOR} == ${OLD_AUTHOR}) && ${AUTHOR} != ${USER} ? ${USER} : '') : (${HAS_SCHEDULE} && ${AUTHOR} == '' ? ${OLD_AUTHOR} : '')`;

/** Who says what a schedule starts is behind its Runs, and passes for nobody else. */
export function scheduleGuardrail(): Guardrail {
  return {
    name: 'schedule-authors',
    match: [OF_AGENTS],
    conditions: { scheduled: `${HAS_SCHEDULE} || ${AUTHOR} != ''` },
    variables: { user: USER, author: AUTHOR, oldAuthor: OLD_AUTHOR, writes: WRITES },
    binds: 'cluster',
    rules: [
      {
        field: `metadata.annotations["${ANNOTATIONS.scheduleAuthor}"]`,
        holds: `variables.writes ? variables.author in ['', variables.user] : (variables.author == variables.oldAuthor || (!${HAS_SCHEDULE} && variables.author == ''))`,
        found: "variables.author == '' ? 'none' : variables.author",
        allowed: `variables.writes ? variables.user + ', or none' : (variables.oldAuthor == '' ? ${quote('none')} : variables.oldAuthor)`,
      },
    ],
  };
}
