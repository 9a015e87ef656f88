// SPDX-License-Identifier: Apache-2.0
import type { PrinterColumn } from '../openapi/kind.ts';

/** Column of every kind: how old it is. */
export const AGE = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Time since creation.',
} as const satisfies PrinterColumn;

/** Column of kinds with conditions: the reason of the summary. */
export const REASON = {
  name: 'Reason',
  type: 'string',
  jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
  description: 'Why it is Ready or not.',
} as const satisfies PrinterColumn;

/** Column of kinds with conditions: whether all is well, which `description` puts into words. */
export function readyColumn(description: string) {
  const jsonPath = '.status.conditions[?(@.type=="Ready")].status';
  return { name: 'Ready', type: 'string', jsonPath, description } as const satisfies PrinterColumn;
}
