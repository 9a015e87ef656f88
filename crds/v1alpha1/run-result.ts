// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { ERROR_CODES } from './error-codes.ts';
import { int, sha256, text, uri } from './meta.ts';
import { inputRequired } from './run-questions.ts';

/** The most that a container can say about its result, in bytes: what a kubelet reads of a termination message. */
export const MAX_RESULT_BYTES = 4096;

/** The most that is counted of anything that a container reports. */
export const MAX_COUNT = 1_000_000_000_000;

const count = (description: string) => int(description, 0, MAX_COUNT);

const artifact = z.object({
  name: text('Name of the artifact.', 253).min(1),
  uri: uri('Where it is.'),
  digest: sha256('Its digest, as the container says.').optional(),
  sizeBytes: count('Its size, in bytes, as the container says.').optional(),
});

/** What `status.result` of a Run is. */
export const result = z
  .object({
    output: text('What the container said as output: text, or JSON as text.', MAX_RESULT_BYTES).optional(),
    outputUri: uri('Where it put an output that is larger.').optional(),
    artifacts: z
      .array(artifact)
      .max(32)
      .describe('What else it has made.')
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
      .optional(),
  })
  .describe('What the container has said of its result when it ended.');

/** What a container may report of its own usage. */
export const reportedUsage = z
  .object({
    inputTokens: count('Tokens read by models.').optional(),
    outputTokens: count('Tokens written by models.').optional(),
    toolCalls: count('Calls of tools.').optional(),
    sandboxCalls: count('Calls of sandboxes.').optional(),
  })
  .describe('What the container has reported, over all attempts.');

/** The form in which a container can say more than a text. Keys that it does not name are for others. */
export const terminationMessage = z.object({
  output: z.unknown().optional(),
  outputUri: result.shape.outputUri,
  artifacts: result.shape.artifacts,
  usage: reportedUsage.optional(),
  error: z
    .object({
      message: z.string().max(2048),
      retryable: z.boolean().optional(),
      // Containers have codes of their own, which are no reason to take the rest for a text.
      code: z.enum(ERROR_CODES).optional().catch(undefined),
    })
    .optional(),
  inputRequired: inputRequired.optional(),
});

/** A termination message that has that form. */
export type TerminationMessage = z.output<typeof terminationMessage>;
/** Result of a Run. */
export type RunResult = z.output<typeof result>;
/** Usage as a container reports it. */
export type ReportedUsage = z.output<typeof reportedUsage>;
