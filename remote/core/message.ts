// SPDX-License-Identifier: Apache-2.0
import type { Conversation } from './conversation.ts';
import { parseJson } from './json.ts';

/** What a Run is given, as its pod has it. */
export interface Given {
  readonly run: string;
  readonly attempt: number;
  readonly input?: { readonly text: string } | { readonly base64: string } | { readonly uri: string };
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** How far it may go, where that is bounded. */
  readonly bounds?: Bounds;
  /** The answer to what the agent asked, and where it asked. */
  readonly answer?: { readonly text: string; readonly conversation: Conversation };
}

/** How far an agent may go: the tools that it may call, and how many steps it may take. */
export interface Bounds {
  readonly tools?: readonly string[];
  readonly maxSteps?: number;
}

/** Content of the message to the agent. */
export type Content =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'data'; readonly data: Readonly<Record<string, unknown>> }
  | { readonly kind: 'link'; readonly uri: string }
  | { readonly kind: 'bytes'; readonly base64: string };

/** The message to the agent. */
export interface Outgoing {
  readonly messageId: string;
  readonly contextId?: string | undefined;
  /** The task that goes on with it. */
  readonly taskId?: string | undefined;
  readonly content: Content;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** What tells a message, and where it belongs. */
export interface MessageIds {
  readonly messageId: string;
  readonly contextId?: string | undefined;
}

/** What an attempt has to say. */
export interface Saying {
  /** Its number. */
  readonly attempt: number;
  readonly message: Outgoing;
  /** Instead of an answer to a task that has ended without success. */
  readonly anew?: Outgoing;
}

/**
 * What an attempt says to the agent. The first one with an answer tells how its task has ended, if it has; a later one may follow one that
 * told just that, or had the task cancelled when it was told to end itself: it begins anew, or it could only tell the same for ever.
 */
export function sayingOf(given: Given, ids: MessageIds): Saying {
  const { attempt, answer, ...rest } = given;
  const message = outgoing(given, ids);
  const isFirst = answer === undefined || attempt - 1 === answer.conversation.attempt;
  return isFirst ? { attempt, message } : { attempt, message, anew: outgoing({ attempt, ...rest }, ids) };
}

/** A message to the agent: the input as it is, as data if it is a JSON object, and what it is about as metadata. */
export function outgoing(given: Given, ids: MessageIds): Outgoing {
  const { run, attempt, parameters, answer, bounds: { tools, maxSteps } = {} } = given;
  const metadata = {
    'nexusos.dev/run': run,
    'nexusos.dev/attempt': attempt,
    ...(parameters !== undefined && { 'nexusos.dev/parameters': parameters }),
    ...(tools !== undefined && { 'nexusos.dev/tools': tools }),
    ...(maxSteps !== undefined && { 'nexusos.dev/max-steps': maxSteps }),
  };
  if (answer === undefined) return { ...ids, content: contentOf(given), metadata };
  const { task: taskId, context: contextId } = answer.conversation;
  return { messageId: ids.messageId, taskId, contextId, content: contentOfText(answer.text), metadata };
}

/** A message must have content: without input, the parameters are it. */
function contentOf({ input, parameters }: Given): Content {
  if (input === undefined) {
    return parameters === undefined ? { kind: 'text', text: '' } : { kind: 'data', data: parameters };
  }
  if ('uri' in input) return { kind: 'link', uri: input.uri };
  if ('base64' in input) return { kind: 'bytes', base64: input.base64 };
  return contentOfText(input.text);
}

function contentOfText(text: string): Content {
  const parsed = parseJson(text);
  return parsed.kind === 'json' && isRecord(parsed.value)
    ? { kind: 'data', data: parsed.value }
    : { kind: 'text', text };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
