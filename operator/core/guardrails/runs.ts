// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import { callerPart, callPart } from './calls.ts';
import { decisionPart } from './decisions.ts';
import { newObjectPart } from './ownership.ts';
import { type Cel, type Guardrail, type GuardrailSettings, quote, type Rule } from './policy.ts';
import { CHANGED_RUNS, NEW_RUNS, type RunPart } from './run-part.ts';

const IN_TENANT: Cel = `has(namespaceObject.metadata.labels) && ${quote(LABELS.tenant)} in namespaceObject.metadata.labels`;
const IS_NEW: Cel = "request.operation == 'CREATE'";

/**
 * One policy of all that is asked of a new Run: of who calls another one, of containers that call, of whose it says to be, and of the marks of what NexusOS
 * makes. Nearly every Run says nothing of these, and to find that out four times is to make the request into a tree four times. Who decides on a Run later is
 * asked here as well.
 *
 * Versions before it judged decisions alone by a policy of this name, and bound it: so an upgrade changes one policy that is in force, and no request goes
 * unjudged until another one is bound (ADR 0085).
 */
export function runGuardrail(settings: GuardrailSettings): Guardrail {
  const parts: Readonly<Record<string, RunPart>> = {
    ofCalled: callPart(),
    ofCaller: callerPart(),
    ofDecision: decisionPart(),
    ofStranger: newObjectPart(settings),
  };
  const entries = Object.entries(parts);
  const ofNew = entries.map(([, { applies }]) => `(${applies})`).join(' || ');
  const ofChanged = entries.flatMap(([, { appliesToChanges: one }]) =>
    one === undefined ? [] : [`(${one})`],
  );
  return {
    name: 'run-decisions',
    match: [NEW_RUNS, CHANGED_RUNS],
    conditions: { judged: `${IS_NEW} ? (${ofNew}) : (${ofChanged.join(' || ')})` },
    variables: {
      inTenant: IN_TENANT,
      ...Object.fromEntries(entries.map(([name, part]) => [name, appliesHere(part)])),
      ...Object.fromEntries(entries.flatMap(([, { variables }]) => Object.entries(variables))),
    },
    binds: 'cluster',
    rules: entries.flatMap(([name, { rules }]) => rules.map((rule) => onlyWhere(`variables.${name}`, rule))),
  };
}

/** Where it is for namespaces of tenants, the policy has to ask for them itself: it is bound everywhere. */
function appliesHere({ applies, appliesToChanges = 'false', place }: RunPart): Cel {
  const either = `${IS_NEW} ? (${applies}) : (${appliesToChanges})`;
  return place === 'tenants' ? `variables.inTenant && (${either})` : either;
}

function onlyWhere(applies: Cel, { holds, ...rule }: Rule): Rule {
  return { ...rule, holds: `!${applies} || (${holds})` };
}
