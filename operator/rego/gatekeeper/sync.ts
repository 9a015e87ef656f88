// SPDX-License-Identifier: Apache-2.0
import { isObject, type JsonObject, listAt, objectAt, textAt } from './json.ts';
import type { SourceDocument } from './template.ts';

/** A kind whose live objects templates look at. */
export interface SyncedKind {
  readonly apiVersion: string;
  readonly kind: string;
}

const REQUIRES = 'metadata.gatekeeper.sh/requires-sync-data';
/** A version that is not for trying out. */
const STABLE = /^v\d+$/;

/**
 * The kinds that a folder says are to be synced: Config and SyncSets, and what templates require. Of alternatives the one of a stable version is
 * taken, as an API server serves one kind once.
 */
export function syncedKinds(documents: readonly SourceDocument[]): readonly SyncedKind[] {
  const kinds = documents.flatMap(({ value }) => [...namedBy(value), ...requiredBy(value)]);
  const byName = new Map(kinds.map((one) => [`${one.apiVersion} ${one.kind}`, one]));
  return [...byName].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

/** What is synced for all templates. */
function namedBy(value: JsonObject): readonly SyncedKind[] {
  const [group = ''] = textAt(value, 'apiVersion').split('/');
  const spec = objectAt(value, 'spec');
  if (group === 'config.gatekeeper.sh' && value['kind'] === 'Config')
    return kindsOf(listAt(objectAt(spec, 'sync'), 'syncOnly'));
  if (group === 'syncset.gatekeeper.sh' && value['kind'] === 'SyncSet') return kindsOf(listAt(spec, 'gvks'));
  return [];
}

function kindsOf(list: readonly unknown[]): readonly SyncedKind[] {
  return list
    .filter(isObject)
    .map((one) => kindOf(textAt(one, 'group'), textAt(one, 'version'), textAt(one, 'kind')))
    .filter(({ apiVersion, kind }) => apiVersion !== '' && kind !== '');
}

function kindOf(group: string, version: string, kind: string): SyncedKind {
  return { apiVersion: group === '' ? version : `${group}/${version}`, kind };
}

/** A list of requirements, each a list of alternatives, as JSON in a text that is often in quotes, and often with a comma too many. */
function requiredBy(value: JsonObject): readonly SyncedKind[] {
  const text = textAt(objectAt(objectAt(value, 'metadata'), 'annotations'), REQUIRES);
  const json = text
    .trim()
    .replace(/^"/, '')
    .replace(/"$/, '')
    .replaceAll(/,(\s*[\]}])/g, '$1');
  const parsed = parse(json);
  return Array.isArray(parsed) ? parsed.flatMap(oneOf) : [];
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function oneOf(requirement: unknown): readonly SyncedKind[] {
  if (!Array.isArray(requirement)) return [];
  const clauses = requirement.filter(isObject);
  const found = clauses.flatMap((clause) => {
    const texts = (key: string) => listAt(clause, key).filter((one) => typeof one === 'string');
    return texts('groups').flatMap((group) =>
      texts('versions').flatMap((version) =>
        texts('kinds').map((kind) => ({ ...kindOf(group, version, kind), isStable: STABLE.test(version) })),
      ),
    );
  });
  const stable = found.filter(({ isStable }) => isStable);
  return (stable.length > 0 ? stable : found).map(({ apiVersion, kind }) => ({ apiVersion, kind }));
}
