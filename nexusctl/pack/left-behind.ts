// SPDX-License-Identifier: Apache-2.0
import { isObject, listAt, objectAt, textAt } from '#operator/rego/gatekeeper/json';
import type { SourceDocument } from '#operator/rego/gatekeeper/template';

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

/**
 * What of a folder had an effect in Gatekeeper, or was meant to have one, and has none in the pack: one sentence each, with the file. That it is
 * left out refuses nothing by itself, so whoever converts has to be told.
 */
export function leftBehind(
  constraints: readonly SourceDocument[],
  others: readonly SourceDocument[],
): readonly string[] {
  return [...others.flatMap(otherWords), ...constraints.flatMap(matchWords)];
}

function otherWords({ file, value }: SourceDocument): readonly string[] {
  const [group = ''] = textAt(value, 'apiVersion').split('/');
  const named = `${file}: ${textAt(value, 'kind')} ${textAt(objectAt(value, 'metadata'), 'name')}`;
  const what = Object.hasOwn(GROUPS, group) ? GROUPS[group] : undefined;
  if (what !== undefined) return [`${named} ${what}`];
  const exempt = group === 'config.gatekeeper.sh' ? listAt(objectAt(value, 'spec'), 'match') : [];
  const names = exempt
    .filter(isObject)
    .flatMap((one) => listAt(one, 'excludedNamespaces'))
    .join(', ');
  if (names === '') return [];
  return [
    `${named} leaves out the namespaces ${names}, which is not taken over: use spec.binding.excludedNamespaces`,
  ];
}

function matchWords({ file, value }: SourceDocument): readonly string[] {
  return Object.keys(objectAt(objectAt(value, 'spec'), 'match'))
    .filter((field) => !MATCH_FIELDS.has(field))
    .map((field) => `${file}: spec.match.${field} is no field of Gatekeeper, and limits nothing`);
}
