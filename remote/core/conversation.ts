// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { parseJson } from './json.ts';

const id = z.string().min(1).max(256);
const conversation = z.object({ task: id, context: id.optional(), attempt: z.int().min(1).optional() });

/** Where a conversation stands that goes on with an answer, and which attempt asked: kept in the Run, and given to its next attempts. */
export type Conversation = z.output<typeof conversation>;

/** The conversation that an earlier attempt left; undefined for what it cannot have left. */
export function conversationIn(text: string): Conversation | undefined {
  const parsed = parseJson(text);
  return parsed.kind === 'json' ? conversation.safeParse(parsed.value).data : undefined;
}
