// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import type { Cel } from '../guardrails/policy.ts';
import { type Exemption, isInForce } from '../policy/exemption.ts';
import { globCel, listCel, selectorCel, textCel } from './cel.ts';

/** The most exemptions that a floor knows. */
export const MAX_EXEMPTIONS = 128;

/** An exemption as a floor has it. */
export interface FloorExemption {
  /** Rules that it is from; undefined: all. */
  readonly rules: readonly string[] | undefined;
  /** Whether a request is exempt. */
  readonly holds: Cel;
}

/** Exemptions from one pack that count, and until when this holds. */
export interface FloorExemptions {
  readonly exemptions: readonly FloorExemption[];
  /** When the first of them expires. */
  readonly untilMs: number;
  /** Those that count in admission, and that there is no room for here. */
  readonly leftOut: number;
}

/**
 * Exemptions from a pack, as CEL has them: policies cannot look them up. Those that expire first go first where there are too many: who
 * is not among them is refused though he need not be, and never the other way round.
 */
export function floorExemptions(
  all: readonly Exemption[],
  pack: { readonly namespace: string; readonly name: string },
  now: Date,
): FloorExemptions {
  const counting = all
    .filter(({ packRef }) => packRef.namespace === pack.namespace && packRef.name === pack.name)
    .filter((one) => isInForce(one, now))
    .toSorted((a, b) => Date.parse(a.expiresAt) - Date.parse(b.expiresAt) || (a.name < b.name ? -1 : 1));
  const taken = counting.slice(0, MAX_EXEMPTIONS);
  return {
    exemptions: taken.map((one) => ({ rules: one.rules, holds: subjectCel(one) })),
    untilMs: Math.min(...taken.map(({ expiresAt }) => Date.parse(expiresAt))),
    leftOut: counting.length - taken.length,
  };
}

const TENANT_LABEL = textCel(LABELS.tenant);
const NAMESPACE_LABELS = 'namespaceObject.metadata.labels';

/** Whether a request is about a subject. As in admission: every part that is given, and nobody where neither namespaces nor tenants are. */
function subjectCel({ subjects, expiresAt }: Exemption): Cel {
  const { namespaces, tenants, kinds, names, selector } = subjects;
  if (namespaces === undefined && tenants === undefined) return 'false';
  const parts = [
    notOver(expiresAt),
    namespaces && `request.namespace in ${listCel(namespaces)}`,
    tenants &&
      `has(${NAMESPACE_LABELS}) && ${TENANT_LABEL} in ${NAMESPACE_LABELS} && ${NAMESPACE_LABELS}[${TENANT_LABEL}] in ${listCel(tenants)}`,
    kinds && `request.kind.kind in ${listCel(kinds)}`,
    names && namesCel(names),
    ...(selector === undefined
      ? []
      : ['object', 'oldObject'].map((object) => `${object} == null || (${selectorCel(selector, object)})`)),
  ];
  return parts
    .filter((one) => one !== undefined)
    .map((one) => `(${one})`)
    .join(' && ');
}

/**
 * CEL has no clock. What is made bears the time of the API server by now, and so does what is changed: beside the fields that whoever changes it set.
 * So nothing passes by an exemption that is over, also while no operator runs, but for what only takes fields away, of which the API server notes no
 * time, and what is neither made nor changed: for these it is over once the operator takes it out. Who has the times taken out of an object has none.
 */
function notOver(expiresAt: string): Cel {
  const made = 'object.metadata.creationTimestamp';
  const changes = 'object.metadata.managedFields';
  // What the API server notes are whole seconds, which began before: so it is over with the second that it ends in.
  const endsAt = new Date(Math.floor(Date.parse(expiresAt) / 1000) * 1000);
  const instant = `timestamp(${textCel(endsAt.toISOString())})`;
  return [
    `request.operation == 'CREATE' ? (object == null || !has(object.metadata) || !has(${made}) || timestamp(${made}) < ${instant})`,
    `request.operation == 'UPDATE' ? (has(${changes}) && ${changes}.all(one, !has(one.time) || timestamp(one.time) < ${instant}))`,
    'true',
  ].join(' : ');
}

const NAME = 'variables.nexusosName';
const BEGINNING = 'variables.nexusosBeginning';

/** What the names of exemptions are compared with. */
export const NAME_VARIABLES: readonly { readonly name: string; readonly expression: Cel }[] = [
  { name: 'nexusosMetadata', expression: 'dyn(object != null ? object : oldObject).metadata' },
  {
    name: 'nexusosName',
    expression: "has(variables.nexusosMetadata.name) ? string(variables.nexusosMetadata.name) : ''",
  },
  {
    name: 'nexusosBeginning',
    expression:
      "has(variables.nexusosMetadata.generateName) ? string(variables.nexusosMetadata.generateName) : ''",
  },
];

/** What is made under a generated name is meant by the part before, which ends as no name does. */
function namesCel(patterns: readonly string[]): Cel {
  const beginnings = patterns.filter((one) => /[*-]$/.test(one));
  const isGenerated = `(${NAME} == '' || ${NAME}.startsWith(${BEGINNING}))`;
  return [
    anyCel(patterns, 'request.name'),
    anyCel(patterns, NAME),
    ...(beginnings.length === 0 ? [] : [`(${isGenerated} && ${anyCel(beginnings, BEGINNING)})`]),
  ].join(' || ');
}

function anyCel(patterns: readonly string[], text: Cel): Cel {
  return `(${text} != '' && (${patterns.map((one) => globCel(one, text)).join(' || ')}))`;
}
