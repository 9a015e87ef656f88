// SPDX-License-Identifier: Apache-2.0
import { GROUP } from '#crds/v1alpha1/names';
import type { Cel, Match, Rule } from './policy.ts';

/** Runs when they are made. */
export const NEW_RUNS: Match = {
  apiGroups: [GROUP],
  resources: ['runs'],
  operations: ['CREATE'],
  scope: 'Namespaced',
};

/** What some new Runs are judged by, beside others. */
export interface NewRunPart {
  /** Whether any of its rules could refuse the Run: knows neither variables nor the namespace. Cheap, since it is asked of each. */
  readonly applies: Cel;
  /** Where it holds: in namespaces of tenants, or in all. */
  readonly place: 'tenants' | 'everywhere';
  readonly variables: Readonly<Record<string, Cel>>;
  readonly rules: readonly Rule[];
}
