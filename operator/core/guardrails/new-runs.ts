// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import { callerPart, callPart } from './calls.ts';
import { newDecisionPart } from './decisions.ts';
import { newObjectPart } from './ownership.ts';
import { NEW_RUNS, type NewRunPart } from './new-run-part.ts';
import { type Cel, type Guardrail, type GuardrailSettings, quote, type Rule } from './policy.ts';

const IN_TENANT: Cel = `has(namespaceObject.metadata.labels) && ${quote(LABELS.tenant)} in namespaceObject.metadata.labels`;

/**
 * One policy of all that is asked of a new Run: of who calls another one, of containers that call, of whose it says to be, and of the marks of what NexusOS
 * makes. Nearly every Run says nothing of these, and to find that out four times is to make the request into a tree four times.
 */
export function newRunGuardrail(settings: GuardrailSettings): Guardrail {
  const parts: Readonly<Record<string, NewRunPart>> = {
    ofCalled: callPart(),
    ofCaller: callerPart(),
    ofDecision: newDecisionPart(),
    ofStranger: newObjectPart(settings),
  };
  const entries = Object.entries(parts);
  return {
    name: 'new-runs',
    match: [NEW_RUNS],
    conditions: { judged: entries.map(([, { applies }]) => `(${applies})`).join(' || ') },
    variables: {
      inTenant: IN_TENANT,
      ...Object.fromEntries(entries.map(([name, part]) => [name, appliesHere(part)])),
      ...Object.fromEntries(entries.flatMap(([, { variables }]) => Object.entries(variables))),
    },
    binds: 'cluster',
    rules: entries.flatMap(([name, { rules }]) => rules.map((rule) => onlyWhere(`variables.${name}`, rule))),
  };
}

function appliesHere({ applies, place }: NewRunPart): Cel {
  return place === 'tenants' ? `variables.inTenant && (${applies})` : applies;
}

function onlyWhere(applies: Cel, { holds, ...rule }: Rule): Rule {
  return { ...rule, holds: `!${applies} || (${holds})` };
}
