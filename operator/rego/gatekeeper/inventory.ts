// SPDX-License-Identifier: Apache-2.0
import { type JsonObject, objectAt, textAt } from './json.ts';
import { ok, type Problem, type Read, refused } from './problem.ts';
import type { SourceDocument } from './template.ts';

/** Most objects that an inventory may hold: it is part of a pack, and loaded by each worker. */
export const MAX_INVENTORY_OBJECTS = 5000;

/**
 * `data.inventory` as Gatekeeper lays it out: `cluster[version][kind][name]` and
 * `namespace[namespace][version][kind][name]`, where the version has its group.
 */
export function inventoryOf(documents: readonly SourceDocument[]): Read<JsonObject> {
  if (documents.length > MAX_INVENTORY_OBJECTS) return refused(tooMany(documents));
  const problems = documents.flatMap(problemsOf);
  if (problems.length > 0) return refused(...problems);
  const inventory: Tree = {};
  for (const { value } of documents) {
    const { namespace = '', name = '' } = objectAt(value, 'metadata') as Partial<Record<string, string>>;
    const scope = namespace === '' ? ['cluster'] : ['namespace', namespace];
    put(inventory, [...scope, textAt(value, 'apiVersion'), textAt(value, 'kind'), name], value);
  }
  return ok(inventory);
}

interface Tree {
  [key: string]: Tree | JsonObject;
}

function put(tree: Tree, path: readonly string[], value: JsonObject): void {
  const [key = '', ...rest] = path;
  const next = Object.hasOwn(tree, key) ? tree[key] : undefined;
  if (rest.length === 0) return define(tree, key, value);
  if (next !== undefined) return put(next as Tree, rest, value);
  const made: Tree = {};
  define(tree, key, made);
  put(made, rest, value);
}

/** Not by assignment: an object may be called `__proto__`. */
function define(tree: Tree, key: string, value: Tree | JsonObject): void {
  Object.defineProperty(tree, key, { value, enumerable: true, configurable: true, writable: true });
}

function tooMany(documents: readonly SourceDocument[]): Problem {
  return {
    file: documents[0]?.file ?? '',
    field: 'inventory',
    message: `has ${documents.length} objects; a pack holds at most ${MAX_INVENTORY_OBJECTS}`,
  };
}

function problemsOf({ file, value }: SourceDocument): readonly Problem[] {
  const required = ['apiVersion', 'kind'].filter((key) => textAt(value, key) === '');
  const problems = required.map((field) => ({
    file,
    field,
    message: 'must be given for an object of the inventory',
  }));
  if (textAt(objectAt(value, 'metadata'), 'name') !== '') return problems;
  return [
    ...problems,
    { file, field: 'metadata.name', message: 'must be given for an object of the inventory' },
  ];
}
