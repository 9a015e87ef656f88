// SPDX-License-Identifier: Apache-2.0
import { isObject, listAt, objectAt, textAt } from '#operator/rego/gatekeeper/json';
import type { SourceDocument } from '#operator/rego/gatekeeper/template';
import { shown } from '../cli/output.ts';

/** What other kinds of Gatekeeper do, by their group, and what there is instead. */
const GROUPS: Readonly<Record<string, string>> = {
  'mutations.gatekeeper.sh': 'mutates, which is not taken over: write rules mutate for it',
  'expansion.gatekeeper.sh':
    'expands what makes pods, which is not taken over: write rules for these kinds, or bind pods',
  'externaldata.gatekeeper.sh': 'is asked by templates with external_data, which packs have not',
};

/** Fields of `match` that Gatekeeper has. */
const MATCH_FIELDS = new Set([
  'source',
  'kinds',
  'scope',
  'namespaces',
  'excludedNamespaces',
  'labelSelector',
  'namespaceSelector',
  'name',
]);

/** The longest name that Kubernetes has. */
const MAX_NAME = 253;

/**
 * What of a folder had an effect in Gatekeeper, or was meant to have one, and has none in the pack: one sentence each, with the file. That it is
 * left out refuses nothing by itself, so whoever converts has to be told.
 * Names in it are of others, and are shown on one line, so that none passes for a sentence of ours.
 */
export function leftBehind(
  constraints: readonly SourceDocument[],
  others: readonly SourceDocument[],
): readonly string[] {
  return [...others.flatMap(otherWords), ...constraints.flatMap(matchWords)];
}

function otherWords({ file, value }: SourceDocument): readonly string[] {
  const [group = ''] = textAt(value, 'apiVersion').split('/');
  const kind = nameShown(textAt(value, 'kind'));
  const named = `${nameShown(file)}: ${kind} ${nameShown(textAt(objectAt(value, 'metadata'), 'name'))}`;
  const what = Object.hasOwn(GROUPS, group) ? GROUPS[group] : undefined;
  if (what !== undefined) return [`${named} ${what}`];
  const exempt = group === 'config.gatekeeper.sh' ? listAt(objectAt(value, 'spec'), 'match') : [];
  const names = exempt
    .filter(isObject)
    .flatMap((one) => listAt(one, 'excludedNamespaces'))
    .map((one) => nameShown(String(one)))
    .join(', ');
  if (names === '') return [];
  return [
    `${named} leaves out the namespaces ${names}, which is not taken over: use spec.binding.excludedNamespaces`,
  ];
}

function matchWords({ file, value }: SourceDocument): readonly string[] {
  return Object.keys(objectAt(objectAt(value, 'spec'), 'match'))
    .filter((field) => !MATCH_FIELDS.has(field))
    .map(
      (field) =>
        `${nameShown(file)}: spec.match.${nameShown(field)} is no field of Gatekeeper, and limits nothing`,
    );
}

function nameShown(name: string): string {
  return shown(name, MAX_NAME);
}
