// SPDX-License-Identifier: Apache-2.0
import { isDeepEqual } from '../../core/compare.ts';
import type { KubeObject } from '../../core/object.ts';
import type { Patience } from '../../runtime/controller.ts';

/**
 * For who reads nothing of a status: it is woken by all other changes, at once. Counts in the status of Tenants, Agents and classes are written every few seconds
 * while Runs come and go, and each would wake hundreds who have nothing to decide on it.
 */
export const ifMoreThanStatus: Patience = ({ old, object }) =>
  old !== undefined && object !== undefined && isSameButStatus(old, object) ? Infinity : 0;

/**
 * For who writes figures in a status: what it has written itself decides nothing, so it looks at it with what comes within `waitMs`. `isSameButFigures`: whether two
 * statuses say the same beside figures.
 */
export function ifMoreThanFigures(
  isSameButFigures: (old: KubeObject, object: KubeObject) => boolean,
  waitMs: number,
): Patience {
  return ({ old, object }) =>
    old !== undefined && object !== undefined && isSameButStatus(old, object) && isSameButFigures(old, object)
      ? waitMs
      : 0;
}

function isSameButStatus(old: KubeObject, object: KubeObject): boolean {
  return isDeepEqual(beside(old), beside(object));
}

/** All that is not the status; a spec is another one where its generation is. */
function beside({ metadata }: KubeObject): unknown {
  const { resourceVersion: _, ...rest } = metadata;
  return rest;
}
