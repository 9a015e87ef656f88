// SPDX-License-Identifier: Apache-2.0
import { isDeepEqual } from '../../core/compare.ts';
import type { KubeObject } from '../../core/object.ts';
import { withoutFigures } from '../../core/tenant/status.ts';
import type { Patience } from '../../runtime/controller.ts';
import { unparsed } from './tenant-view.ts';

/** For who reads nothing of a status: it is woken by all other changes, at once. */
export const ifMoreThanStatus: Patience = ({ old, object }) =>
  old !== undefined && object !== undefined && isSameButStatus(old, object) ? Infinity : 0;

/**
 * For who decides nothing on figures of a status: those are looked at with what comes within `waitMs`, all else at once. Figures of Tenants, Agents and classes are written
 * every few seconds while Runs come and go, and each would wake hundreds. `isSameButFigures`: whether two statuses say the same beside them.
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

/** Whether two Tenants say the same beside what is used of them. */
export function isSameButUsage(old: KubeObject, object: KubeObject): boolean {
  return isDeepEqual(withoutFigures(unparsed(old).status), withoutFigures(unparsed(object).status));
}

/** Whether two objects stand alike, by their conditions and the spec that these are of. */
export function standsAlike(old: KubeObject, object: KubeObject): boolean {
  return isDeepEqual(standingOf(old), standingOf(object));
}

function standingOf({ status }: KubeObject): unknown {
  const { conditions, observedGeneration } = (status ?? {}) as Readonly<Record<string, unknown>>;
  return [conditions, observedGeneration];
}

function isSameButStatus(old: KubeObject, object: KubeObject): boolean {
  return isDeepEqual(beside(old), beside(object));
}

/** All that is not the status; a spec is another one where its generation is. */
function beside({ metadata }: KubeObject): unknown {
  const { resourceVersion: _, ...rest } = metadata;
  return rest;
}
