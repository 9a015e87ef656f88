// SPDX-License-Identifier: Apache-2.0
import { GROUP, LABELS } from '#crds/v1alpha1/names';
import type { PodPlace } from './pod-place.ts';
import {
  type Cel,
  type Guardrail,
  type GuardrailSettings,
  parameter,
  quote,
  quoteAll,
  type Rule,
} from './policy.ts';

/** Reserved whatever the platform sets: our own nodes, and those of the control plane. */
const ALWAYS_RESERVED = [GROUP, 'node-role.kubernetes.io'];
const DEDICATED = quote(LABELS.dedicated);

/** The reserved keys of node labels and taints as a CEL list. */
export function reservedKeys({ reservedNodeKeys }: GuardrailSettings): Cel {
  return quoteAll([...ALWAYS_RESERVED, ...reservedNodeKeys]);
}

/** Whether `key` is, or lies under, one of `variables.reservedKeys`. */
export function isReservedKey(key: Cel): Cel {
  return `variables.reservedKeys.exists(r, ${key} == r || ${key}.startsWith(r + '/'))`;
}

/** The reserved keys in the node affinity of `variables.spec`: a list with one string for each term that has some. */
export function reservedKeysOfAffinity(): Cel {
  const affinity = 'variables.spec.affinity.nodeAffinity';
  const required = `${affinity}.requiredDuringSchedulingIgnoredDuringExecution`;
  const preferred = `${affinity}.preferredDuringSchedulingIgnoredDuringExecution`;
  const has = 'has(variables.spec.affinity) && has(variables.spec.affinity.nodeAffinity)';
  return [
    `(${has} && has(${required}) ? ${keysOf(`${required}.nodeSelectorTerms`, 't')} : [])`,
    `(${has} && has(${preferred}) ? ${keysOf(preferred, 't.preference')} : [])`,
  ].join(' + ');
}

function keysOf(terms: Cel, term: Cel): Cel {
  const reserved = `${term}.matchExpressions.filter(e, ${isReservedKey('e.key')})`;
  return `${terms}.filter(t, has(${term}.matchExpressions)).map(t, ${reserved}.map(e, e.key).join(', ')).filter(s, s != '')`;
}

/** On which nodes pods may be, and what they may be of there. */
export function nodeRules(place: PodPlace): readonly Rule[] {
  return [nodeNameRule(place), reservedKeyRule(place), tolerationRule(place), ...hardRules(place)];
}

/** The scheduler binds later, so a node name in a request to create was put there by hand. */
function nodeNameRule({ path, isPod }: PodPlace): Rule {
  const isNotSet = "!has(variables.spec.nodeName) || variables.spec.nodeName == ''";
  return {
    field: `${path}nodeName`,
    holds: isPod ? `request.operation != 'CREATE' || ${isNotSet}` : isNotSet,
    found: 'variables.spec.nodeName',
    allowed: quote('not set: the scheduler chooses'),
  };
}

/** Runs are put on nodes by their GPU class; anything else of a tenant has no business on such nodes. */
function reservedKeyRule({ path }: PodPlace): Rule {
  const isOpen = `(k == ${DEDICATED} ? variables.isHard : variables.isRun)`;
  return {
    field: `${path}nodeSelector, tolerations or affinity`,
    holds: `variables.nodeKeys.all(k, ${isOpen}) && size(variables.affinityKeys) == 0`,
    found: `(variables.nodeKeys.filter(k, !${isOpen}) + variables.affinityKeys).join(', ')`,
    allowed:
      "'keys other than of ' + variables.reservedKeys.join(', ') + '; nodes with GPUs by a Run of an Agent with spec.gpu'",
  };
}

function tolerationRule({ path }: PodPlace): Rule {
  const isOwn = `(has(t.value) && t.value == variables.tenant && (!has(t.operator) || t.operator == 'Equal'))`;
  const isFine = `has(t.key) && t.key != '' && (t.key != ${DEDICATED} || ${isOwn})`;
  return {
    field: `${path}tolerations`,
    holds: `variables.tolerations.all(t, ${isFine})`,
    found: `variables.tolerations.filter(t, !(${isFine})).map(t, (has(t.key) && t.key != '' ? t.key : 'every taint') + (has(t.value) && t.value != '' ? ': ' + t.value : '')).join(', ')`,
    allowed: `${quote(`tolerations with a key, and of ${LABELS.dedicated} the value `)} + variables.tenant`,
  };
}

/** Tier Hard: on the tenant's own nodes, in the sandbox. */
function hardRules({ path }: PodPlace): readonly Rule[] {
  return [
    {
      field: `${path}nodeSelector`,
      holds: `!variables.isHard || (${DEDICATED} in variables.nodeSelector && variables.nodeSelector[${DEDICATED}] == variables.tenant)`,
      found: `${DEDICATED} in variables.nodeSelector ? ${quote(`${LABELS.dedicated}: `)} + variables.nodeSelector[${DEDICATED}] : 'no ${LABELS.dedicated}'`,
      allowed: `${quote(`${LABELS.dedicated}: `)} + variables.tenant`,
    },
    {
      field: `${path}runtimeClassName`,
      holds: `!variables.isHard || (has(variables.spec.runtimeClassName) && variables.spec.runtimeClassName == ${parameter('runtimeClass')})`,
      found: "has(variables.spec.runtimeClassName) ? variables.spec.runtimeClassName : 'not set'",
      allowed: parameter('runtimeClass'),
    },
  ];
}

/**
 * Holds GPU classes to the reserved keys: a taint that a class tolerates and that is not reserved would be tolerated by
 * pods of tenants just as well.
 */
export function gpuClassGuardrail(settings: GuardrailSettings): Guardrail {
  const open = `object.spec.tolerations.filter(t, !(${isReservedKey('t.key')}))`;
  return {
    name: 'gpuclasses',
    match: [
      {
        apiGroups: [GROUP],
        resources: ['gpuclasses'],
        operations: ['CREATE', 'UPDATE'],
        scope: 'Cluster',
      },
    ],
    conditions: { changed: "request.operation == 'CREATE' || object.spec != oldObject.spec" },
    binds: 'cluster',
    variables: { reservedKeys: reservedKeys(settings) },
    rules: [
      {
        field: 'spec.tolerations[*].key',
        holds: `!has(object.spec.tolerations) || size(${open}) == 0`,
        found: `${open}.map(t, t.key).join(', ')`,
        allowed:
          "'keys of ' + variables.reservedKeys.join(', ') + ', which pods of tenants may not tolerate; platform.reservedNodeKeys of the chart adds to them'",
      },
    ],
  };
}
