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

/** Runs when their spec or their metadata are changed. */
export const CHANGED_RUNS: Match = { ...NEW_RUNS, operations: ['UPDATE'] };

/** What some Runs are judged by, beside others. */
export interface RunPart {
  /** Whether any of its rules could refuse the Run when it is made: knows neither variables nor the namespace. Cheap, since it is asked of each. */
  readonly applies: Cel;
  /** The same of a change of the Run; without, changes are not judged by it. */
  readonly appliesToChanges?: Cel;
  /** Where it holds: in namespaces of tenants, or in all. */
  readonly place: 'tenants' | 'everywhere';
  readonly variables: Readonly<Record<string, Cel>>;
  readonly rules: readonly Rule[];
}
