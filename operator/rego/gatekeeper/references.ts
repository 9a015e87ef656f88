// SPDX-License-Identifier: Apache-2.0
import { isObject, type JsonObject, listAt, objectAt } from './json.ts';

/** A place in a text: rows and columns from 1, columns in code points, as `opa parse` tells them. */
interface Place {
  readonly row: number;
  readonly col: number;
}

/** What a module refers to outside of itself, and where it names its own package. */
export interface ModuleNames {
  readonly packagePlace: Place;
  readonly packagePath: readonly string[];
  /** Names of its rules that make a set, as `violation` must. */
  readonly sets: readonly string[];
  readonly references: readonly Reference[];
  /** Whether it imports `rego.v1`, by which old Rego is new Rego. */
  readonly importsV1: boolean;
}

/** A reference into `data`, by its first name: `data.inventory.cluster` has `inventory`. */
export interface Reference {
  readonly place: Place;
  /** Undefined where it is not a fixed text, as in `data[x]`. */
  readonly root: string | undefined;
}

/** What a module becomes: under which package, and below which path its libraries are. */
export interface Renaming {
  /** As it stands in Rego: `gatekeeper.templates.k8sallowedrepos`. */
  readonly base: string;
  readonly isLibrary: boolean;
  /** A statement put behind that of the package. */
  readonly also?: string;
}

/** `package` and a path, from where the statement begins. */
const PACKAGE = /^package(\s+)(\w+(?:\.\w+|\[\s*(?:"[^"]*"|`[^`]*`)\s*\])*)/u;
/** `data.lib` in every way it can be written. */
const LIBRARY = /^data(?:\.lib(?!\w)|\[\s*(?:"lib"|`lib`)\s*\])/u;

/** Reads the names out of the syntax tree that `opa parse --json-include locations` prints. */
export function moduleNames(tree: JsonObject): ModuleNames {
  const declaration = objectAt(tree, 'package');
  const found = new Map<string, Reference>();
  collect([tree['imports'], tree['rules']], found);
  return {
    packagePlace: placeOf(declaration),
    packagePath: listAt(declaration, 'path')
      .slice(1)
      .map((term) => String(isObject(term) ? term['value'] : '')),
    sets: listAt(tree, 'rules').flatMap(setName),
    references: [...found.values()],
    importsV1: listAt(tree, 'imports').some(isV1),
  };
}

function isV1(one: unknown): boolean {
  const path = isObject(one) ? listAt(objectAt(one, 'path'), 'value') : [];
  return path.map((term) => (isObject(term) ? term['value'] : '')).join('.') === 'rego.v1';
}

function setName(rule: unknown): readonly string[] {
  const head = isObject(rule) ? objectAt(rule, 'head') : {};
  const [first] = listAt(head, 'ref');
  return isObject(first) && isObject(head['key']) && head['value'] === undefined
    ? [String(first['value'])]
    : [];
}

/** By place: the tree holds some terms twice. Level by level, since nesting is in the hands of others. */
function collect(nodes: readonly unknown[], found: Map<string, Reference>): void {
  let level = nodes;
  while (level.length > 0) {
    const next: unknown[] = [];
    for (const node of level) {
      if (!isObject(node) && !Array.isArray(node)) continue;
      const reference = isObject(node) ? referenceOf(node) : undefined;
      if (reference !== undefined) found.set(`${reference.place.row}:${reference.place.col}`, reference);
      next.push(...Object.values(node));
    }
    level = next;
  }
}

function referenceOf(node: JsonObject): Reference | undefined {
  if (node['type'] !== 'ref') return undefined;
  const [head, root] = listAt(node, 'value');
  if (!isObject(head) || head['type'] !== 'var' || head['value'] !== 'data') return undefined;
  const isFixed = isObject(root) && root['type'] === 'string';
  return { place: placeOf(head), root: isFixed ? String(root['value']) : undefined };
}

function placeOf(node: JsonObject): Place {
  const { row, col } = objectAt(node, 'location');
  return { row: Number(row), col: Number(col) };
}

/**
 * Gives a module its place in a pack that holds many: its package is renamed, and with it the libraries that it refers to.
 * The text stays as it is in all other places, so that messages of the compiler still point to what was written.
 */
export function renameModule(text: string, names: ModuleNames, { base, isLibrary, also }: Renaming): string {
  const at = offsetsOf(text);
  const edits = names.references
    .filter((one) => one.root === 'lib')
    .map((one) => edit(text, { at: at(one.place), from: LIBRARY, to: `data.${base}.lib` }));
  const to = `package$1${base}${isLibrary ? '.$2' : ''}${also === undefined ? '' : `\n${also}`}`;
  edits.push(edit(text, { at: at(names.packagePlace), from: PACKAGE, to }));
  return edits
    .toSorted((a, b) => b.at - a.at)
    .reduce((all, one) => all.slice(0, one.at) + one.text + all.slice(one.at + one.length), text);
}

interface Edit {
  readonly at: number;
  readonly length: number;
  readonly text: string;
}

/** Thrown errors are faults of ours: the parser found there what is not there. */
function edit(
  text: string,
  { at, from, to }: { readonly at: number; readonly from: RegExp; readonly to: string },
): Edit {
  const [match] = from.exec(text.slice(at)) ?? [];
  if (match === undefined) throw new Error(`no ${from.source} at offset ${at} of a module`);
  return { at, length: match.length, text: match.replace(from, to) };
}

/** Places to offsets of UTF-16, in which our texts count. */
function offsetsOf(text: string): (place: Place) => number {
  const starts = [0];
  for (const { index } of text.matchAll(/\n/g)) starts.push(index + 1);
  return ({ row, col }) => {
    const start = starts[row - 1] ?? 0;
    const line = text.slice(start, starts[row] ?? text.length);
    return (
      start +
      Array.from(line)
        .slice(0, col - 1)
        .join('').length
    );
  };
}
