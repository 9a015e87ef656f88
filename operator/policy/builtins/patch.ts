// SPDX-License-Identifier: Apache-2.0
import { compareValues, isArray, RegoObject, RegoSet, type Value } from '../values/value.ts';
import { type Builtins, wholeOf } from './builtin.ts';

/** Changes to JSON as RFC 6902 has them; of sets, members stand for themselves. */
export const PATCH_BUILTINS: Builtins = {
  'json.patch': ([target, patches]) => {
    if (target === undefined || patches === undefined || !isArray(patches)) return undefined;
    let patched: Value | undefined = target;
    for (const patch of patches) {
      if (!(patch instanceof RegoObject) || patched === undefined) return undefined;
      patched = apply(patched, patch);
    }
    return patched;
  },
};

type Path = readonly Value[];

/** Undefined where the patch is none, or does not fit. */
function apply(target: Value, patch: RegoObject): Value | undefined {
  const path = pathOf(patch.get('path'));
  const operation = patch.get('op');
  if (path === undefined || typeof operation !== 'string') return undefined;
  return OPERATIONS[operation]?.(target, {
    path,
    from: pathOf(patch.get('from')),
    value: patch.get('value'),
  });
}

interface Operands {
  readonly path: Path;
  readonly from: Path | undefined;
  readonly value: Value | undefined;
}

const OPERATIONS: Readonly<Record<string, (target: Value, operands: Operands) => Value | undefined>> = {
  add: (target, { path, value }) => (value === undefined ? undefined : insert(target, path, value)),
  remove: (target, { path }) => remove(target, path),
  replace: (target, { path, value }) => {
    const left = path.length === 0 ? target : remove(target, path);
    return left === undefined || value === undefined ? undefined : insert(left, path, value);
  },
  move: (target, { path, from }) => {
    const value = from === undefined ? undefined : find(target, from);
    const left = from === undefined ? undefined : remove(target, from);
    return value === undefined || left === undefined ? undefined : insert(left, path, value);
  },
  copy: (target, { path, from }) => {
    const value = from === undefined ? undefined : find(target, from);
    return value === undefined ? undefined : insert(target, path, value);
  },
  test: (target, { path, value }) => {
    const found = find(target, path);
    return found === undefined || value === undefined || compareValues(found, value) !== 0
      ? undefined
      : target;
  },
};

function pathOf(value: Value | undefined): Path | undefined {
  if (value === '') return [];
  if (typeof value === 'string') {
    const parts = value.replace(/^\/+/, '').split('/');
    return parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  }
  return isArray(value) ? value : undefined;
}

function find(target: Value, path: Path): Value | undefined {
  const [key, ...rest] = path;
  if (key === undefined) return target;
  const child = childOf(target, key);
  return child === undefined ? undefined : find(child, rest);
}

function childOf(target: Value, key: Value): Value | undefined {
  if (target instanceof RegoObject) return target.entries.find(([one]) => compareValues(one, key) === 0)?.[1];
  if (target instanceof RegoSet) return target.members.find((one) => compareValues(one, key) === 0);
  return isArray(target) ? target[indexOf(target, key) ?? -1] : undefined;
}

/** `-` is the place behind the last. */
function indexOf(list: readonly Value[], key: Value): number | undefined {
  if (key === '-') return list.length;
  const number =
    typeof key === 'string' && /^-?(?:0|[1-9][0-9]{0,8})$/.test(key) ? BigInt(key) : wholeOf(key);
  return number === undefined || number < 0n || number > BigInt(list.length) ? undefined : Number(number);
}

function insert(target: Value, path: Path, value: Value): Value | undefined {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (rest.length > 0) return within(target, key, (child) => insert(child, rest, value));
  if (target instanceof RegoObject) return withEntry(target, key, value);
  if (target instanceof RegoSet)
    return compareValues(key, value) === 0 ? new RegoSet([...target.members, value]) : undefined;
  const index = isArray(target) ? indexOf(target, key) : undefined;
  return !isArray(target) || index === undefined ? undefined : target.toSpliced(index, 0, value);
}

function remove(target: Value, path: Path): Value | undefined {
  const [key, ...rest] = path;
  if (key === undefined) return undefined;
  if (rest.length > 0) return within(target, key, (child) => remove(child, rest));
  if (childOf(target, key) === undefined) return undefined;
  if (target instanceof RegoObject)
    return new RegoObject(target.entries.filter(([one]) => compareValues(one, key) !== 0));
  if (target instanceof RegoSet)
    return new RegoSet(target.members.filter((one) => compareValues(one, key) !== 0));
  const index = isArray(target) ? indexOf(target, key) : undefined;
  return !isArray(target) || index === undefined ? undefined : target.toSpliced(index, 1);
}

/** The same with one child changed; undefined where there is no such child, or it cannot be. */
function within(target: Value, key: Value, change: (child: Value) => Value | undefined): Value | undefined {
  const child = childOf(target, key);
  const changed = child === undefined ? undefined : change(child);
  if (child === undefined || changed === undefined) return undefined;
  if (target instanceof RegoObject) return withEntry(target, key, changed);
  if (target instanceof RegoSet) {
    return new RegoSet([...target.members.filter((one) => compareValues(one, key) !== 0), changed]);
  }
  const index = isArray(target) ? indexOf(target, key) : undefined;
  return !isArray(target) || index === undefined ? undefined : target.toSpliced(index, 1, changed);
}

function withEntry(target: RegoObject, key: Value, value: Value): RegoObject {
  return new RegoObject([...target.entries.filter(([one]) => compareValues(one, key) !== 0), [key, value]]);
}
