// SPDX-License-Identifier: Apache-2.0
import type { CelRule } from '../openapi/kind.ts';
import { int } from './meta.ts';

/** What `spec.priority` of a Run is, and of Runs that a schedule makes; there it may be changed. */
export const priority = int(
  'Runs of a higher priority are admitted first within the tenant.',
  -1000,
  1000,
).default(0);

/**
 * A rule that keeps optional fields as the Run was created with. One for all of them, which ends where nothing has changed: the API server evaluates it at
 * each write of the status, too, and reads the schema of the whole spec for each field that a rule names.
 */
export function fixed(fields: readonly string[]): CelRule {
  const changed = fields.reduceRight(
    (others, field) => `!(${isSame(field)}) ? '${field}' : ${others}`,
    "'this'",
  );
  return {
    rule: `self == oldSelf || (${fields.map(isSame).join(' && ')})`,
    message: `${fields.join(', ')} cannot be changed: create a new Run`,
    messageExpression: `(${changed}) + ' cannot be changed: create a new Run'`,
  };
}

/** Rules of a field that is always there: it stays as the Run was created with. */
export const KEPT = {
  'x-kubernetes-validations': [
    { rule: 'self == oldSelf', message: 'cannot be changed: create a new Run' },
  ] satisfies readonly CelRule[],
};

function isSame(field: string): string {
  return `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`;
}
