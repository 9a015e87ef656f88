// SPDX-License-Identifier: Apache-2.0
import type { CelRule } from '../openapi/kind.ts';
import { int } from './meta.ts';

/**
 * What `spec.priority` of a Run is, and of Runs that a schedule makes; there it may be changed. No default is written into it, nor into the other fields of a
 * Run: each value that it holds is taken apart and compared at each write of its status.
 */
export const priority = int(
  'Runs of a higher priority are admitted first within the tenant. Empty: 0.',
  -1000,
  1000,
).optional();

/** What must hold where a spec changes, and what is said where it does not. */
export interface FixedPart {
  readonly holds: string;
  readonly message: string;
  /** The field that stays as it is, where that is all that there is to say. */
  readonly field?: string;
}

/** An optional field stays as the Run was created with. */
export function kept(field: string): FixedPart {
  const [is, was] = [`self.${field}`, `oldSelf.${field}`];
  const holds = `has(${is}) == has(${was}) && (!has(${is}) || ${is} == ${was})`;
  return { holds, message: `${field} ${UNCHANGED}`, field };
}

/** The same of a field that means `empty` where it is left out: it may be left out where it says so. */
export function keptOr(field: string, empty: string): FixedPart {
  const valueIn = (spec: string) => `(has(${spec}.${field}) ? ${spec}.${field} : ${empty})`;
  return { holds: `${valueIn('self')} == ${valueIn('oldSelf')}`, message: `${field} ${UNCHANGED}`, field };
}

const UNCHANGED = 'cannot be changed: create a new Run';

/**
 * One rule for all that holds of a change, which ends where nothing has changed: the API server evaluates it at each write of the status, too, and copies
 * the schema of the whole spec for each field that a rule names, and for each that has a rule of its own.
 */
export function fixed(parts: readonly FixedPart[]): CelRule {
  const broken = parts.reduceRight(
    (others, { holds, message }) => `!(${holds}) ? '${message}' : ${others}`,
    `'this ${UNCHANGED}'`,
  );
  const fields = parts.map(({ field }) => field).filter((field) => field !== undefined);
  const others = parts.filter(({ field }) => field === undefined).map(({ message }) => message);
  return {
    rule: `self == oldSelf || (${parts.map(({ holds }) => `(${holds})`).join(' && ')})`,
    message: [`${fields.join(', ')} ${UNCHANGED}`, ...others].join('; '),
    messageExpression: broken,
  };
}

/** A rule of what is fixed, and so has to be looked at only when a Run is created. */
export function atCreation({ rule, ...said }: CelRule): CelRule {
  return { ...said, rule: `oldSelf.hasValue() || (${rule})`, optionalOldSelf: true };
}
