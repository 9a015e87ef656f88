// SPDX-License-Identifier: Apache-2.0
import { compareValues, isArray, RegoObject, RegoSet, type Value } from '../values/value.ts';
import { type Builtins, expectModest, fromWhole, membersOf, wholeOf } from './builtin.ts';

/** Objects, sets, lists, and graphs made of them. */
export const OBJECT_BUILTINS: Builtins = {
  'object.subset': ([whole, part]) =>
    whole === undefined || part === undefined ? undefined : isSubset(whole, part),
  'numbers.range_step': ([from, to, step]) => rangeStep(wholeOf(from), wholeOf(to), wholeOf(step)),
  'graph.reachable_paths': ([graph, starts]) => {
    const roots = membersOf(starts);
    return graph instanceof RegoObject && roots !== undefined
      ? new RegoSet(reachablePaths(graph, roots))
      : undefined;
  },
  cast_array: ([value]) => membersOf(value),
  cast_set: ([value]) => {
    const members = membersOf(value);
    return members === undefined ? undefined : new RegoSet(members);
  },
  cast_string: ([value]) => (typeof value === 'string' ? value : undefined),
  cast_boolean: ([value]) => (typeof value === 'boolean' ? value : undefined),
  cast_null: ([value]) => (value === null ? value : undefined),
  cast_object: ([value]) => (value instanceof RegoObject ? value : undefined),
};

function isSame(a: Value, b: Value): boolean {
  return compareValues(a, b) === 0;
}

/** Undefined where the two cannot be compared. */
function isSubset(whole: Value, part: Value): boolean | undefined {
  if (whole instanceof RegoObject && part instanceof RegoObject) return isObjectSubset(whole, part);
  if (whole instanceof RegoSet && part instanceof RegoSet) return holdsAll(whole.members, part.members);
  if (!isArray(whole)) return undefined;
  if (isArray(part)) return isSlice(whole, part);
  return part instanceof RegoSet ? whole.length > 0 && holdsAll(whole, part.members) : undefined;
}

/** Objects within objects may be smaller, too. */
function isObjectSubset(whole: RegoObject, part: RegoObject): boolean {
  return part.entries.every(([key, value]) => {
    const found = whole.entries.find(([one]) => isSame(one, key))?.[1];
    if (found === undefined) return false;
    return isSame(found, value) || (isAlike(found, value) && isSubset(found, value) === true);
  });
}

function isAlike(a: Value, b: Value): boolean {
  return isArray(a) === isArray(b);
}

function holdsAll(whole: readonly Value[], part: readonly Value[]): boolean {
  return part.every((one) => whole.some((other) => isSame(one, other)));
}

/**
 * Whether all of one list stands in the other, in one piece. OPA goes on after a mismatch behind what it has
 * compared last, and so does this.
 */
function isSlice(whole: readonly Value[], part: readonly Value[]): boolean {
  let [from, matched] = [0, 0];
  while (matched < part.length) {
    const [one, other] = [whole[from + matched], part[matched]];
    if (one === undefined || other === undefined) return false;
    if (isSame(one, other)) matched += 1;
    else [from, matched] = [from + 1, 0];
  }
  return part.length <= whole.length;
}

function rangeStep(
  from: bigint | undefined,
  to: bigint | undefined,
  step: bigint | undefined,
): Value | undefined {
  if (from === undefined || to === undefined || step === undefined || step <= 0n) return undefined;
  const distance = to > from ? to - from : from - to;
  const count = distance / step + 1n;
  expectModest('numbers.range_step', count);
  const sign = to >= from ? 1n : -1n;
  return Array.from({ length: Number(count) }, (_, index) => fromWhole(from + sign * step * BigInt(index)));
}

/** All paths from the starts to where there is nowhere else to go, or to where a circle closes. */
function reachablePaths(graph: RegoObject, starts: readonly Value[]): readonly Value[] {
  const paths: Value[] = [];
  const add = (path: readonly Value[]): void => {
    paths.push(path);
    expectModest('graph.reachable_paths', paths.length);
  };
  const walk = (
    node: Value,
    { path, reached }: { readonly path: readonly Value[]; readonly reached: readonly Value[] },
  ): void => {
    const edges = edgesOf(graph, node);
    if (edges === undefined) return add(path);
    const longer = [...path, node];
    if (edges.length === 0) return add(longer);
    const seen = [...reached, node];
    for (const next of edges) {
      if (seen.some((one) => isSame(one, next))) add(longer);
      else walk(next, { path: longer, reached: seen });
    }
  };
  for (const start of starts) {
    const edges = edgesOf(graph, start);
    if (edges?.length === 0) add([start]);
    for (const next of edges ?? []) walk(next, { path: [start], reached: [start] });
  }
  return paths;
}

/** Where one can go from a node; undefined where the graph does not know it. */
function edgesOf(graph: RegoObject, node: Value): readonly Value[] | undefined {
  const found = graph.entries.find(([key]) => isSame(key, node));
  return found === undefined ? undefined : (membersOf(found[1]) ?? []);
}
