// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { int, text } from './meta.ts';

/** A number of steps: what an agent takes from one answer of its model to the next. */
export function maxSteps(description: string) {
  return int(description, 1, 1_000_000);
}

/** What `spec.tools` of a Run is. */
export const tools = z
  .array(text('A tool.', 128).min(1))
  .max(64)
  .describe(
    'Tools that it may call, of those that its Agent is entitled to; its container is told. Empty list: none. Left out: all of these.',
  )
  .meta({ 'x-kubernetes-list-type': 'set' });
