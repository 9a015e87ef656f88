// SPDX-License-Identifier: Apache-2.0

/** A piece of content, in the words of either generation. */
export type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'data'; readonly data: unknown }
  /** A file elsewhere. */
  | { readonly kind: 'link'; readonly uri: string; readonly name?: string | undefined }
  /** A file in the answer itself: only its size is kept. */
  | { readonly kind: 'bytes'; readonly size: number; readonly name?: string | undefined };

/** What a task has made. */
export interface Artifact {
  readonly name?: string | undefined;
  readonly parts: readonly Part[];
}

/** What an agent says. */
export interface Message {
  readonly parts: readonly Part[];
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

/** States of a task, in the words of generation 0.3. `unknown`: the endpoint does not know itself. */
export const TASK_STATES = [
  'submitted',
  'working',
  'completed',
  'failed',
  'canceled',
  'rejected',
  'input-required',
  'auth-required',
  'unknown',
] as const;

/** One of them. */
export type TaskState = (typeof TASK_STATES)[number];

/** A task of an endpoint. */
export interface Task {
  readonly id: string;
  readonly contextId?: string | undefined;
  readonly state: TaskState;
  /** What the agent says with the state. */
  readonly message?: Message | undefined;
  readonly artifacts: readonly Artifact[];
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

/** What an endpoint answers to a message: a task that goes on, or at once what it has to say. */
export type Sent =
  | { readonly kind: 'task'; readonly task: Task }
  | { readonly kind: 'message'; readonly message: Message };
