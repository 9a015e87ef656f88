// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { type Part, type Sent, type Task, TASK_STATES, type TaskState } from './task.ts';

/** A name or identifier of somebody else: short, and nothing in it that could take over a terminal or a header. */
const id = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[^\p{Cc}\p{Cf}]*$/u);
const name = z.string().max(1024).optional();
const metadata = z.record(z.string(), z.unknown()).optional();
const MAX_PARTS = 10_000;

/** Parts of generation 1.0: what they are follows from the field that is there. */
const newPart = z
  .object({
    text: z.string().optional(),
    raw: z.string().optional(),
    url: z.string().optional(),
    data: z.unknown().optional(),
    filename: name,
  })
  .transform(({ text, raw, url, data, filename }): Part => {
    if (text !== undefined) return { kind: 'text', text };
    if (url !== undefined) return { kind: 'link', uri: url, name: filename };
    if (raw !== undefined) return { kind: 'bytes', size: decodedSize(raw), name: filename };
    return { kind: 'data', data };
  });

/** Parts of generation 0.3: they say what they are. */
const oldPart = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('text'), text: z.string() }),
    z.object({ kind: z.literal('data'), data: z.unknown() }),
    z.object({
      kind: z.literal('file'),
      file: z.object({ uri: z.string().optional(), bytes: z.string().optional(), name }),
    }),
  ])
  .transform((part): Part => {
    if (part.kind !== 'file') return part;
    const { uri, bytes = '', name } = part.file;
    return uri === undefined
      ? { kind: 'bytes', size: decodedSize(bytes), name }
      : { kind: 'link', uri, name };
  });

function schemasOf(part: z.ZodType<Part>, state: z.ZodType<TaskState>) {
  const message = z.object({ parts: z.array(part).max(MAX_PARTS), metadata });
  const artifact = z.object({ name, parts: z.array(part).max(MAX_PARTS) });
  const task = z
    .object({
      id,
      contextId: id.optional(),
      status: z.object({ state, message: message.nullish() }),
      artifacts: z.array(artifact).max(MAX_PARTS).nullish(),
      metadata: metadata.nullable(),
    })
    .transform(({ status, artifacts, metadata, ...ids }): Task => {
      const said = { message: status.message ?? undefined, metadata: metadata ?? undefined };
      return { ...ids, state: status.state, artifacts: artifacts ?? [], ...said };
    });
  return { message, task };
}

const oldState = z.enum(TASK_STATES);
const newState = z
  .string()
  .regex(/^TASK_STATE_[A-Z_]+$/)
  .transform((text) => text.slice('TASK_STATE_'.length).toLowerCase().replaceAll('_', '-'))
  .transform((word): string => (word === 'unspecified' ? 'unknown' : word))
  .pipe(z.enum(TASK_STATES));

const OLD = schemasOf(oldPart, oldState);
const NEW = schemasOf(newPart, newState);

/** Readers of one generation; what does not fit gives undefined. */
export interface TaskReader {
  readTask(result: unknown): Task | undefined;
  /** The answer to a message. */
  readSent(result: unknown): Sent | undefined;
}

/** How tasks of generation 0.3 are read. */
export const OLD_READER: TaskReader = {
  readTask: (result) => OLD.task.safeParse(result).data,
  readSent: (result) => {
    if (!isObject(result)) return undefined;
    return result['kind'] === 'message'
      ? asMessage(OLD.message.safeParse(result).data)
      : asTask(OLD.task.safeParse(result).data);
  },
};

/** How tasks of generation 1.0 are read. */
export const NEW_READER: TaskReader = {
  readTask: (result) => NEW.task.safeParse(result).data,
  readSent: (result) => {
    if (!isObject(result)) return undefined;
    return result['message'] === undefined
      ? asTask(NEW.task.safeParse(result['task']).data)
      : asMessage(NEW.message.safeParse(result['message']).data);
  },
};

function asTask(task: Task | undefined): Sent | undefined {
  return task && { kind: 'task', task };
}

function asMessage(message: Extract<Sent, { kind: 'message' }>['message'] | undefined): Sent | undefined {
  return message && { kind: 'message', message };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** How many bytes a text in base64 stands for. */
function decodedSize(base64: string): number {
  return Math.floor((base64.replace(/=+$/, '').length * 3) / 4);
}
